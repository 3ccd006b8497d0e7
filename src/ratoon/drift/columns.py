"""Drift of single columns: inputs, outputs or labels of a window against a reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ratoon.core import settings
from ratoon.core.measuring import Window
from ratoon.drift.aspects import Limits, distribution_change, missing_change, unseen_change
from ratoon.drift.binning import BINS
from ratoon.drift.change import Change
from ratoon.drift.control import adjusted_together, strongest_first
from ratoon.drift.inflation import Inflation
from ratoon.drift.pair import Pair
from ratoon.windows.summaries import Reference, Summary

EFFECTS: Mapping[str, float] = {
    "jensen_shannon": 0.1,
    "hellinger": 0.1,
    "psi": 0.1,
    "total_variation": 0.1,
    "l_infinity": 0.05,
    "cramers_v": 0.1,
    "kolmogorov_smirnov": 0.1,
    "kuiper": 0.1,
    "cramer_von_mises": 0.005,
    "wasserstein": 0.25,
}
"""Distances of distributions, and from which value on each matters.

A shift of a normal distribution by a quarter of its standard deviation is one of about these.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnTest:
    """Compares each column of a window with the reference, and says which have changed.

    Four respects are judged: the distribution of the values that are there, the share that is
    missing, the share in categories that the reference does not have, and the share beyond the
    range of the reference. Each is a drift where its effect reaches the least that matters and its
    p-value, adjusted over all columns and respects (Benjamini-Hochberg), is at most
    `false_alarms`. So of windows without any drift this share has an alarm at all: with the
    default one in a thousand, however many columns there are.

    Args:
        distance: of distributions, a name in `EFFECTS`; ``"wasserstein"`` is in standard deviations
            of the reference. For categories, which have no order, total variation stands in for
            distances of distribution functions.
        effect: least distance that matters, in the distance's own unit; None for that in `EFFECTS`.
        missing: least change of the missing share that matters, in (0, 1).
        fresh: least share in new categories, or beyond the range, that matters, in (0, 1).
        false_alarms: windows with an alarm, of those without drift; in (0, 1).
        bins: of numbers, for distances that take them as categories; at least 2. Small windows get
            fewer, one for ten rows.
        inflation: by column, how many rows are worth one (`inflation_of`); 1 where it is not said.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.summaries import reference_of
    >>> rng = np.random.default_rng(0)
    >>> reference = reference_of({"age": rng.normal(40, 9, 5000), "size": rng.normal(size=5000)})
    >>> now = {"age": rng.normal(45, 9, 1000), "size": rng.normal(size=1000)}
    >>> window = Window(start=EPOCH, end=EPOCH)
    >>> found = ColumnTest().compare(reference, reference.summarise(now), window)
    >>> [(change.column, change.aspect) for change in found if change.drifted]
    [('age', 'distribution')]
    """

    distance: str = "jensen_shannon"
    effect: float | None = None
    missing: float = 0.05
    fresh: float = 0.01
    false_alarms: float = 0.001
    bins: int = BINS
    inflation: Inflation = field(default_factory=dict[str, float], hash=False)

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.one_of("distance", self.distance, EFFECTS)
        if self.effect is not None:
            settings.positive("effect", self.effect)
        for name in ("missing", "fresh", "false_alarms"):
            settings.share(name, getattr(self, name))
        settings.whole("bins", self.bins, least=2)

    def compare(self, reference: Reference, now: Summary, window: Window) -> tuple[Change, ...]:
        """Return what was found of each column and respect, drifts first and the strongest first.

        A respect that cannot be judged is left out: there are no rows, or no values, on a side.
        """
        found = [
            change
            for name, column in now.columns.items()
            for change in self._of_pair(
                Pair(
                    name=name,
                    grid=reference.grids[name],
                    before=reference.summary.columns[name],
                    now=column,
                    window=window,
                    inflation=max(1.0, self.inflation.get(name, 1.0)),
                )
            )
        ]
        return tuple(sorted(adjusted_together(found), key=strongest_first))

    def _of_pair(self, pair: Pair) -> Iterator[Change]:
        if not pair.before.rows or not pair.now.rows:
            return
        yield missing_change(pair, Limits(least=self.missing, rate=self.false_alarms))
        if all(pair.sizes):
            effect = EFFECTS[self.distance] if self.effect is None else self.effect
            limits = Limits(least=effect, rate=self.false_alarms)
            yield from distribution_change(pair, self.distance, self.bins, limits)
            yield from unseen_change(pair, Limits(least=self.fresh, rate=self.false_alarms))
