"""What a window is compared with: the training rows, the weeks before, the same week last year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from ratoon.core import settings
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Window
from ratoon.windows.summaries import Summary
from ratoon.windows.summaries.summary import Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A window and the summary of its rows, on the bins of the first reference."""

    window: Window
    summary: Summary
    rows: Columns | None = None  # of some of its rows, for tests of several columns together


class Against(Protocol):
    """Chooses, for each window, the windows that it is compared with."""

    def choose(self, past: Sequence[Span], window: Window, /) -> Sequence[Span] | None:
        """Return the windows that `window` is compared with; none where there are too few of them.

        None stands for the reference that was given.

        Args:
            past: all windows before, in order of time.
            window: the one to be judged.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Always the reference that was given: training rows, validation rows, a good month."""

    def choose(self, past: Sequence[Span], window: Window, /) -> None:
        """Return None: the reference that was given."""
        del past, window


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliding:
    """The windows just before: what changed of late, not since the training.

    A slow drift is never far from its own past, so that it goes unseen: compare with `Fixed` too.

    Args:
        windows: how many; at least 1.
        gap: windows left out in between, at least 0: more than the labels' delay for labels.
    """

    windows: int = 7
    gap: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.whole("windows", self.windows, least=1)
        settings.whole("gap", self.gap, least=0)

    def choose(self, past: Sequence[Span], window: Window, /) -> Sequence[Span]:
        """Return the last windows, once there are so many."""
        del window
        chosen = past[: len(past) - self.gap][-self.windows :]
        return chosen if len(chosen) == self.windows else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """The same time in seasons before: Mondays with Mondays, this week with that of last year.

    Args:
        every: length of a season; above 0. A year of 364 days keeps the days of the week.
        seasons: how many at most, the newest first; at least 1.

    >>> Season().every.days
    7
    """

    every: timedelta = field(default=timedelta(days=7))
    seasons: int = 4

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.whole("seasons", self.seasons, least=1)
        if self.every <= timedelta(0):
            raise SettingInvalid("every", "a time above 0", self.every)

    def choose(self, past: Sequence[Span], window: Window, /) -> Sequence[Span]:
        """Return the windows of the seasons before that began at about the same time."""
        near = (window.end - window.start) / 2
        wanted = [window.start - self.every * k for k in range(1, self.seasons + 1)]
        return [
            span for span in past if any(abs(span.window.start - start) < near for start in wanted)
        ]
