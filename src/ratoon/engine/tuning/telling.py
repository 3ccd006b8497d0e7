"""How far a search is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str, int, int], None]
"""Told what is done, how many arrivals have been replayed, and how many will be at most."""


@dataclass(slots=True, kw_only=True, eq=False)
class Told:
    """Tells how far a search is, counted in arrivals that are replayed."""

    progress: Progress | None
    searched: int  # arrivals of the part that is searched
    replays: int  # of that part, at most
    judged: int  # arrivals of the held-out part
    judgements: int  # replays of that part, at most
    done: int = 0  # replays of the first part

    @property
    def whole(self) -> int:
        """How many arrivals are replayed, at most."""
        return self.searched * self.replays + self.judged * self.judgements

    def skip(self, replays: int) -> None:
        """Count replays that have ended."""
        self.done += replays

    def moving(self, what: str, replays: int = 1) -> Callable[[int, int], None]:
        """Return what is told how far the next replays are, together."""
        start = self.done * self.searched

        def moved(done: int, of: int) -> None:
            self._tell(what, start + self.searched * replays * done // of)

        return moved

    def judging(self, names: tuple[str, ...]) -> Callable[[str, int, int], None]:
        """Return what is told how far the replays of the held-out part are."""
        start = self.searched * self.replays

        def moved(name: str, done: int, of: int) -> None:
            self._tell("held-out part", start + names.index(name) * of + done)

        return moved

    def _tell(self, what: str, done: int) -> None:
        if self.progress is not None:
            self.progress(what, done, self.whole)
