"""Serving within the process: a swap of one reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Which version answers."""

    champion: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served:
    """A version, ready to answer."""

    version: int
    model: Any


class Deployer(Protocol):
    """Where models serve: observe what is, converge to what shall be."""

    def observed(self) -> Traffic:
        """Return which version answers now."""
        ...

    def apply(self, desired: Traffic, model: Any, /) -> None:
        """Let `desired` answer, with `model` as its champion; applying it again changes nothing."""
        ...


class Local:
    """Serves from memory; a swap is one assignment, so that a batch is answered by one version."""

    def __init__(self) -> None:
        """Begin without a version."""
        self._served: Served | None = None

    def observed(self) -> Traffic:
        """Return which version answers now."""
        return Traffic(champion=None if self._served is None else self._served.version)

    def apply(self, desired: Traffic, model: Any, /) -> None:
        """Swap."""
        if desired.champion is not None and desired != self.observed():
            self._served = Served(version=desired.champion, model=model)

    def served(self) -> Served | None:
        """Return the version that answers."""
        return self._served
