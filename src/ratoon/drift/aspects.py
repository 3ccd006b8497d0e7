"""The respects in which a column of a window can differ from the reference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ratoon.core.measuring import Measurement
from ratoon.drift.binning import positions
from ratoon.drift.change import Aspect, Change
from ratoon.drift.distances import DISTANCES, ORDERED, Distance, wasserstein
from ratoon.drift.pair import Pair
from ratoon.drift.significance import (
    beyond_all,
    cramer_von_mises_p,
    homogeneity,
    kolmogorov,
    kuiper_p,
    two_shares,
)
from ratoon.windows.judged import Floats
from ratoon.windows.summaries import CategoryGrid

_ROWS = 10  # of the smaller side, for each bin of numbers
_BY_CHANCE = {
    "jensen_shannon": 1 / (8 * math.log(2)),
    "hellinger": 1 / 8,
    "psi": 1.0,
    "cramers_v": 1.0,
}
"""What a divergence near 0, or its square, is to chi-squared times (1/n + 1/m)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From which effect on something matters, and up to which adjusted p-value it is no chance."""

    least: float
    rate: float


def missing_change(pair: Pair, limits: Limits) -> Change:
    """Compare the shares of rows that lack a value."""
    gone = pair.before.missing, pair.now.missing
    counts = (gone[0], gone[0] + pair.sizes[0], gone[1], gone[1] + pair.sizes[1])
    p_value = two_shares(*_shrunk(counts, pair.inflation))
    return _of_share(pair, "missing", counts, p_value, limits)


def unseen_change(pair: Pair, limits: Limits) -> Iterator[Change]:
    """Judge the rows whose value the reference does not have, where there are any."""
    (expected, fresh), (rows, windows) = pair.unseen, pair.sizes
    if not fresh:
        return
    counts = (expected, rows, fresh, windows)
    fewer = _shrunk(counts, pair.inflation)
    if isinstance(pair.grid, CategoryGrid):
        yield _of_share(pair, "new categories", counts, two_shares(*fewer), limits)
    else:
        yield _of_share(pair, "range", counts, beyond_all(fewer[2], fewer[1], fewer[3]), limits)


def distribution_change(pair: Pair, distance: str, bins: int, limits: Limits) -> Iterator[Change]:
    """Compare the distributions of the values, where both sides have any."""
    name = distance
    if isinstance(pair.grid, CategoryGrid) and distance in ORDERED:
        name = "total_variation"
    enough = min(bins, max(2, min(pair.sizes) // _ROWS))
    counts = pair.counts(None if name in ORDERED else enough)
    if not counts[0].sum() or not counts[1].sum():
        return
    # Chi-squared of a small window on a thousand bins sees nothing: all of them have too few rows.
    tested = pair.counts(enough) if name == "wasserstein" else counts
    found = _distance(pair, name, counts)
    yield Change(
        aspect="distribution",
        measurement=_measured(pair, name, found, int(counts[1].sum())),
        before=None,
        effect=_corrected(name, found.value, _by_chance(pair, name, counts)),
        least=limits.least,
        p_value=_p_value(pair, name, found.value, tested),
        adjusted=1.0,
        rate=limits.rate,
    )


def _distance(pair: Pair, name: str, counts: tuple[Floats, Floats]) -> Distance:
    if name != "wasserstein" or isinstance(pair.grid, CategoryGrid):
        return DISTANCES[name](*counts)
    moments = pair.before.moments
    deviation = math.nan if moments is None else moments.deviation
    unit = deviation if deviation > 0 else 1.0
    found = wasserstein(*counts, positions(pair.grid))
    return Distance(value=found.value / unit, stderr=found.stderr / unit)


def _p_value(pair: Pair, name: str, value: float, counts: tuple[Floats, Floats]) -> float:
    """Return the p-value by the distance's own test, or else by chi-squared on the same bins."""
    rows, windows = (float(side.sum()) / pair.inflation for side in counts)
    match name:
        case "kolmogorov_smirnov":
            return kolmogorov(value, rows, windows)
        case "kuiper":
            return kuiper_p(value, rows, windows)
        case "cramer_von_mises":
            return cramer_von_mises_p(value, rows, windows)
        case _:
            return homogeneity(*counts, pair.inflation)


def _by_chance(pair: Pair, name: str, counts: tuple[Floats, Floats]) -> float:
    """Return what a divergence, or its square, is to be without drift; 0 where it is not known."""
    used = int(np.count_nonzero(counts[0] + counts[1]))
    rows, windows = (float(side.sum()) / pair.inflation for side in counts)
    if name == "cramers_v":
        return (used - 1) / (rows + windows)
    return _BY_CHANCE.get(name, 0.0) * (used - 1) * (1 / rows + 1 / windows)


def _corrected(name: str, value: float, chance: float) -> float:
    """Return what of a value is more than chance gives."""
    if name == "psi" or not chance:
        return max(0.0, value - chance)
    return math.sqrt(max(0.0, value * value - chance))


def _shrunk(counts: tuple[int, int, int, int], inflation: float) -> tuple[int, int, int, int]:
    """Return the counts of as many independent rows as these are worth."""
    before, rows, now, windows = (math.ceil(n / inflation) for n in counts)
    return before, rows, now, windows


def _of_share(
    pair: Pair, aspect: Aspect, counts: tuple[int, int, int, int], p_value: float, limits: Limits
) -> Change:
    of_before, rows, of_now, windows = counts
    now, before = of_now / windows, of_before / rows
    stderr = math.sqrt(now * (1 - now) / windows + before * (1 - before) / rows)
    name = "missing_rate" if aspect == "missing" else "unseen_rate"
    return Change(
        aspect=aspect,
        measurement=_measured(pair, name, Distance(value=now, stderr=stderr), windows),
        before=before,
        effect=abs(now - before),
        least=limits.least,
        p_value=p_value,
        adjusted=1.0,
        rate=limits.rate,
    )


def _measured(pair: Pair, name: str, found: Distance, rows: int) -> Measurement:
    return Measurement(
        metric=name,
        window=pair.window,
        value=found.value,
        n=rows,
        stderr=found.stderr,
        subject=pair.name,
    )
