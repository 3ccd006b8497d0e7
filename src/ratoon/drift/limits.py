"""Changes that were found by one test, judged by another one of the same distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ratoon.drift.change import Change
from ratoon.drift.columns import EFFECTS, ColumnTest
from ratoon.drift.control import adjusted_together, strongest_first


def judged_by(test: ColumnTest, changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return changes of one window as a test would have returned them, at no second look at rows.

    Args:
        test: of the same distance, bins and inflation as the one that found them; its limits count.
        changes: of all columns that the test is to look at, in any order.

    >>> import numpy as np
    >>> from ratoon.core.measuring import Window
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.summaries import reference_of
    >>> reference = reference_of({"x": np.arange(1000.0)})
    >>> now = reference.summarise({"x": np.arange(100.0) + 450})
    >>> window, strict = Window(start=EPOCH, end=EPOCH), ColumnTest(effect=0.9)
    >>> found = ColumnTest().compare(reference, now, window)
    >>> judged_by(strict, found) == strict.compare(reference, now, window)
    True
    """
    least = EFFECTS[test.distance] if test.effect is None else test.effect
    of_aspect = {"distribution": least, "missing": test.missing}
    limited = [
        replace(c, least=of_aspect.get(c.aspect, test.fresh), rate=test.false_alarms)
        for c in changes
    ]
    return tuple(sorted(adjusted_together(limited), key=strongest_first))
