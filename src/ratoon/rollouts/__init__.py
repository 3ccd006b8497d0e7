"""How traffic moves to a version that passed, and what undoes it."""

from ratoon.rollouts.direct import Direct, Seen, WatchState

__all__ = ["Direct", "Seen", "WatchState"]
