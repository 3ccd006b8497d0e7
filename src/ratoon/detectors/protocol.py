"""What a detector is."""

from __future__ import annotations

from typing import Protocol, TypeVar

from ratoon.core.measuring import Detection, Measurement

S = TypeVar("S")


class Detector(Protocol[S]):
    """Frozen settings, and a pure step from one state to the next.

    The state is a frozen dataclass that `ratoon.core.wire` can write and read, so a restart
    between two steps changes nothing, and a replay gives what the live run gave. Detectors of
    this package keep three promises more:

    * a measurement without a value leaves the state as it is, and is answered as stable;
    * after a drift the detector watches on by itself, and its documentation says from what state;
    * a detection of drift names the start of the first window after the change, and that window's
      first row where rows are known.

    They also read arrays of values, of one stream or of many, by the methods of `Scans`.

    Example:
        >>> from datetime import UTC, datetime, timedelta
        >>> from ratoon.core.measuring import Measurement, Window
        >>> from ratoon.detectors import PageHinkley
        >>> detector = PageHinkley(threshold=3.0, warm_up=5)
        >>> state, day = detector.init(), datetime(2026, 1, 1, tzinfo=UTC)
        >>> for loss in [1.0] * 10 + [3.0] * 5:
        ...     window = Window(start=day, end=day + timedelta(days=1))
        ...     m = Measurement(metric="log_loss", window=window, value=loss, n=500)
        ...     state, detection = detector.step(state, m)
        ...     if detection.status == "drift":
        ...         print(f"seen {day:%d %B}, since {detection.change_point:%d %B}")
        ...     day = window.end
        seen 12 January, since 11 January

    """

    def init(self) -> S:
        """Return the state before the first measurement."""
        ...

    def step(self, state: S, m: Measurement, /) -> tuple[S, Detection]:
        """Take in `m`: return the state after it, and what it says of a change."""
        ...
