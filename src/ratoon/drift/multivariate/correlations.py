"""Changes of what columns have to do with each other, two by two."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ratoon.core import settings
from ratoon.core.measuring import Measurement, Window
from ratoon.drift.change import Change
from ratoon.drift.control import adjusted_together, strongest_first
from ratoon.drift.multivariate.found import PairChange
from ratoon.drift.multivariate.products import Correlated, Products, correlations
from ratoon.windows.judged import Floats

_LEAST_ROWS = 20  # in which both columns have a value
_ONE = 1 - 1e-9  # larger correlations have no Fisher's z


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlations:
    """Compares the correlation of each pair of columns with that of the reference.

    Fisher's z = artanh r of both sides are compared, each with the larger of its distribution-free
    standard error, s / (1 - r^2), and 1 / sqrt(n - 3). It is a drift where r has changed by at
    least `effect`, and the p-value, adjusted over all pairs of the window (Benjamini-Hochberg), is
    at most `false_alarms`. All comes from sums that merge (`products_of`), so no row is kept.

    Args:
        effect: least change of r that matters; above 0.
        false_alarms: windows with an alarm, of those without drift; in (0, 1).
        inflation: how many rows are worth one, as they come in clumps that are alike; at least 1.

    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.drift.multivariate.products import products_of
    >>> from ratoon.windows.summaries import reference_of
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 1000))
    >>> table = {"x": x, "y": x + y, "z": rng.normal(size=1000)}
    >>> reference = reference_of(table)
    >>> before, now = (products_of(reference, t) for t in (table, table | {"y": y - x}))
    >>> window = Window(start=EPOCH, end=EPOCH)
    >>> [found.columns for found in Correlations().compare(before, now, window) if found.drifted]
    [('x', 'y')]

    Source: Fisher (1921), Metron 1, 3-32; Spearman (1904), American Journal of Psychology 15.
    """

    effect: float = 0.2
    false_alarms: float = 0.001
    inflation: float = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.positive("effect", self.effect)
        settings.share("false_alarms", self.false_alarms)
        settings.positive("inflation", self.inflation)

    def compare(self, reference: Products, now: Products, window: Window) -> tuple[PairChange, ...]:
        """Return what was found of each pair, drifts first and the strongest first.

        The subject of a change is "x, y". Left out are pairs of which a side has fewer than 20
        rows with both values, or a column that does not vary.
        """
        before, after = correlations(reference), correlations(now)
        judged = np.triu(_known(before) & _known(after), 1)
        scores = np.arctanh(_cut(after.values)) - np.arctanh(_cut(before.values))
        variances = _of_score(before) + _of_score(after)
        pairs = [
            self._pair(reference.names, place, (before, after), scores / np.sqrt(variances), window)
            for place in zip(*np.nonzero(judged), strict=True)
        ]
        changes = adjusted_together([pair.change for pair in pairs])
        found = [replace(p, change=change) for p, change in zip(pairs, changes, strict=True)]
        return tuple(sorted(found, key=lambda pair: strongest_first(pair.change)))

    def _pair(
        self,
        names: tuple[str, ...],
        place: tuple[np.intp, np.intp],
        sides: tuple[Correlated, Correlated],
        statistics: Floats,
        window: Window,
    ) -> PairChange:
        from scipy.special import ndtr  # noqa: PLC0415 - slow to import

        (before, now), pair = sides, (names[place[0]], names[place[1]])
        effect = abs(float(now.values[place] - before.values[place]))
        size = abs(float(statistics[place])) / max(1.0, self.inflation) ** 0.5
        p_value = 2 * float(cast("float", ndtr(-size)))
        change = Change(
            aspect="correlation",
            measurement=Measurement(
                metric="correlation",
                window=window,
                value=float(now.values[place]),
                n=int(now.rows[place]),
                stderr=math.hypot(float(now.stderrs[place]), float(before.stderrs[place])),
                subject=", ".join(pair),
            ),
            before=float(before.values[place]),
            effect=effect,
            least=self.effect,
            p_value=p_value,
            adjusted=p_value,
            rate=self.false_alarms,
        )
        return PairChange(change=change, columns=pair)


def _known(side: Correlated) -> NDArray[np.bool_]:
    return np.isfinite(side.values) & (side.rows >= _LEAST_ROWS)


def _cut(values: Floats) -> Floats:
    return np.clip(values, -_ONE, _ONE)


def _of_score(side: Correlated) -> Floats:
    """Return the variance of Fisher's z."""
    with np.errstate(divide="ignore", invalid="ignore"):
        free = (side.stderrs / (1 - _cut(side.values) ** 2)) ** 2
        return np.fmax(free, 1 / (side.rows - 3))
