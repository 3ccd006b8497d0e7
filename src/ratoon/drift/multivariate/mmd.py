"""Maximum mean discrepancy, with a p-value that needs no permutations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import numpy as np

from ratoon.core import settings
from ratoon.core.measuring import Measurement, Window
from ratoon.drift.aspects import Limits
from ratoon.drift.change import Change
from ratoon.drift.multivariate.encoding import encoding_of
from ratoon.drift.multivariate.found import Joint
from ratoon.drift.multivariate.means import welch
from ratoon.drift.multivariate.sampling import check_sample, sides_of
from ratoon.windows.judged import Floats
from ratoon.windows.summaries.summary import Columns

_PAIRED = 500  # rows of either side whose distances give the width of the kernel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cross:
    """The squared discrepancy of two samples, and whether it is more than chance."""

    squared: float  # unbiased, so that it may be below 0
    stderr: float
    p_value: float  # one-sided

    @property
    def value(self) -> float:
        """The discrepancy."""
        return math.sqrt(max(0.0, self.squared))


@dataclass(frozen=True, slots=True, kw_only=True)
class MMD:
    """The maximum mean discrepancy of a window and the reference, over columns of any kind.

    MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y) with k(x, y) = exp(-|x - y|^2 / (2 w^2)), in
    [0, 2). Columns are standardised by median and quartiles and cut at five of these deviations;
    categories have a column of 0 and 1 each (the commonest twenty), and so have missing values. w
    is the median distance of two rows. It is a drift where MMD is at least `effect`, and more than
    chance.

    Each sample is halved. What one half of both says of a row, h(z) = mean k(z, x) - mean k(z, y),
    is fixed for the other half, on which Welch's test compares its means: so the p-value is right
    for any kernel, and costs no permutations.

    Args:
        effect: least discrepancy that matters; above 0. A single column of normally distributed
            numbers that moves by 0.23 of its standard deviation gives 0.1; one column of twenty
            has to move by 0.8, and all twenty by 0.18.
        false_alarms: windows with an alarm, of those without drift; in (0, 1).
        rows: of each side that are looked at, drawn at random; at least 40. Time grows with their
            square.
        inflation: how many rows are worth one, as they come in clumps that are alike; at least 1.
        seed: of the draws.

    >>> from ratoon.core.times import EPOCH
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 1000))
    >>> before, now = {"x": x, "y": x + 0.3 * y}, {"x": x, "y": 0.3 * y - x}
    >>> MMD().compare(before, now, Window(start=EPOCH, end=EPOCH)).drifted
    True

    Source: Gretton et al. (2012), "A kernel two-sample test", JMLR 13, lemma 6, and section 8 for
    the median; Shekhar, Kim & Ramdas (2022), "A permutation-free kernel two-sample test", NeurIPS,
    for the halves.
    """

    effect: float = 0.1
    false_alarms: float = 0.001
    rows: int = 2000
    inflation: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.positive("effect", self.effect)
        check_sample(
            rows=self.rows,
            seed=self.seed,
            false_alarms=self.false_alarms,
            inflation=self.inflation,
        )

    def compare(self, reference: Columns, now: Columns, window: Window) -> Joint | None:
        """Return the discrepancy; None of fewer than 40 rows. It names no columns.

        Args:
            reference: columns of numbers, truths, moments or texts, each of shape (m,), as arrays
                or of Arrow.
            now: the window's, of shape (n,); columns that the reference lacks are left out.
            window: the one that is judged.

        Raises:
            KeyError: A column of the reference is missing.
        """
        sides = sides_of(reference, now, self.rows, np.random.default_rng(self.seed))
        if sides is None:
            return None
        encoding = encoding_of(*sides)
        before, after = (encoding.matrix(side)[0] for side in sides)
        limits = Limits(least=self.effect, rate=self.false_alarms)
        found = cross(before, after, median_distance(before, after), self.inflation)
        return Joint(change=discrepancy(found, None, window, len(after), limits))


def discrepancy(
    found: Cross, subject: str | None, window: Window, rows: int, limits: Limits
) -> Change:
    """Return a discrepancy as a change."""
    return Change(
        aspect="joint distribution",
        measurement=Measurement(
            metric="mmd",
            window=window,
            value=found.value,
            n=rows,
            stderr=found.stderr / (2 * found.value) if found.value else 0.0,
            subject=subject,
        ),
        before=None,
        effect=found.value,
        least=limits.least,
        p_value=found.p_value,
        adjusted=found.p_value,
        rate=limits.rate,
    )


def median_distance(before: Floats, now: Floats) -> float:
    """Return the median distance of two rows of either side, or their mean where that is 0.

    Of the rows, which stand in any order, the first 500 of each side are looked at.

    >>> median_distance(np.array([[0.0], [1.0]]), np.array([[3.0]]))
    2.0
    """
    rows = np.concatenate([before[:_PAIRED], now[:_PAIRED]])
    apart = np.sqrt(_squares(rows, rows)[np.triu_indices(len(rows), 1)])
    return float(np.median(apart)) or float(apart.mean()) or 1.0


def cross(before: Floats, now: Floats, width: float | None, inflation: float = 1.0) -> Cross:
    """Return the squared discrepancy of two samples, from one half of each against the other.

    Args:
        before: the reference's rows, shape (m, p), in any order.
        now: the window's, shape (n, p), in any order.
        width: of the kernel; None for the products of rows as kernel, under which the discrepancy
            is that of the means.
        inflation: how many rows are worth one.
    """
    (x, other_x), (y, other_y) = (
        (side[: len(side) // 2], side[len(side) // 2 :]) for side in (before, now)
    )
    blocks = [[_kernel(a, b, width) for b in (other_x, other_y)] for a in (x, y)]
    of_x, of_y = (row[0].mean(axis=1) - row[1].mean(axis=1) for row in blocks)
    of_other_x, of_other_y = (
        upper.mean(axis=0) - lower.mean(axis=0) for upper, lower in zip(*blocks, strict=True)
    )
    ahead = welch(of_y, of_x)
    behind = welch(of_other_y, of_other_x)
    return Cross(
        squared=ahead.value,
        stderr=math.hypot(ahead.stderr, behind.stderr),
        p_value=ahead.above_p(inflation),
    )


def _kernel(left: Floats, right: Floats, width: float | None) -> Floats:
    if width is None:
        return left @ right.T
    return np.exp(_squares(left, right) * (-0.5 / width**2))


def _squares(left: Floats, right: Floats) -> Floats:
    """Return the squared distance of each row of one to each of the other."""
    of_left, of_right = ((side**2).sum(axis=1) for side in (left, right))
    return cast("Floats", np.maximum(of_left[:, None] + of_right - 2 * (left @ right.T), 0.0))
