"""Aliases, looked up once until they may have changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from ratoon.core.versions import Alias


class KnownAliases:
    """Remembers aliases for the process that writes a loop: each prediction asks for them."""

    def __init__(self, read: Callable[[Alias], int | None]) -> None:
        """Know nothing yet; `read` looks an alias up."""
        self._read = read
        self._lock = threading.Lock()  # what was read before a change is not kept behind it
        self._known: dict[Alias, int | None] = {}

    def get(self, name: Alias) -> int | None:
        """Return the version that an alias names."""
        with self._lock:
            if name not in self._known:
                self._known[name] = self._read(name)
            return self._known[name]

    @contextmanager
    def changing(self) -> Generator[None]:
        """Look aliases up again behind what may change them, or has failed to."""
        try:
            yield
        finally:
            with self._lock:
                self._known.clear()
