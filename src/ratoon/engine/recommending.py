"""Which of the replayed policies costs least, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ratoon.core.wire import Json
from ratoon.engine.resampling import block_length, resampled_sums
from ratoon.report.phrasing import brief, signed
from ratoon.windows.judged import Floats

_PARTS = 1000  # stretches of rows that are drawn from, at most
_LEAST = 20  # stretches without which nothing is said
_DRAWS = 2000
_SEED = 0
_SURE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spent:
    """What a policy lost and paid, row by row of the same labelled rows."""

    name: str
    losses: Floats  # of each row, shape (rows,)
    paid: Mapping[int, int]  # fits, by the row at which they were decided on
    price: float  # of a fit, in the unit of the losses

    @property
    def total(self) -> float:
        """What it cost in all."""
        return float(self.losses.sum()) + self.price * self.fits

    @property
    def fits(self) -> int:
        """How many models it trained."""
        return sum(self.paid.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A policy beside the cheapest one."""

    name: str
    difference: float  # what it cost more
    low: float | None  # where that lies, for all pairs of policies at once; None where unknown
    high: float | None
    distinguishable: bool  # whether it surely costs more

    def record(self) -> Mapping[str, Json]:
        """Return it as JSON values."""
        return {
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "distinguishable": self.distinguishable,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The policy that cost least, and whether the others can be told apart from it.

    Args:
        best: the policy that cost least.
        rivals: all others, the cheapest first.
        fewest: of the policies that cannot be told apart from the best, and the best itself, the
            one with the fewest fits.
        rows: labelled rows in one of the stretches that were drawn from.
        stretches: how many there are.
        block: how many in a row were drawn together.
        draws: how often it was drawn.
        seed: of the draws.
        sure: the confidence that all intervals hold at once.
        unknown: why nothing is known of the uncertainty; None where it is.
    """

    best: str
    rivals: tuple[Rival, ...]
    fewest: str
    rows: int
    stretches: int
    block: int
    draws: int = _DRAWS
    seed: int = _SEED
    sure: float = _SURE
    unknown: str | None = None

    @property
    def distinguishable(self) -> bool:
        """Whether the best surely costs less than every other."""
        return bool(self.rivals) and all(rival.distinguishable for rival in self.rivals)

    @property
    def alike(self) -> tuple[str, ...]:
        """The policies that cannot be told apart from the best."""
        return tuple(rival.name for rival in self.rivals if not rival.distinguishable)

    def record(self) -> Mapping[str, Json]:
        """Return it as JSON values."""
        return {
            "best": self.best,
            "distinguishable": self.distinguishable,
            "not_distinguishable": list(self.alike),
            "fewest_fits": self.fewest,
            "rivals": {rival.name: dict(rival.record()) for rival in self.rivals},
            "confidence": self.sure,
            "draws": self.draws,
            "seed": self.seed,
            "rows": self.rows,
            "stretches": self.stretches,
            "block": self.block,
            "unknown": self.unknown,
        }

    def __str__(self) -> str:
        """Say it in sentences."""
        return " ".join(_sentences(self))


def recommend(spent: Sequence[Spent]) -> Recommendation | None:
    """Return the policy that cost least, and how far that may be chance; None where none is known.

    The rows are cut into at most 1,000 stretches. Of each policy the loss of each stretch is
    summed, with what was paid for fits that were decided on there. Stretches are drawn anew in
    blocks, the same for all policies, 2,000 times. The half-width of the interval of a difference
    is q s: s is its standard deviation over the draws, q the 95 % quantile of the greatest
    abs(difference) / s over all pairs of policies. So all intervals hold at once, also for the pair
    that the data have chosen.

    A block is as long as the longest one that the rule of `block_length` asks for any pair's
    difference of losses; what was paid is left out there, since single payments hide that losses
    depend on one another.

    Args:
        spent: of each policy, on the same rows in the same order.

    Source: the bootstrap as in `resampled_sums`; the quantile of the greatest as in Romano & Wolf
    (2005), "Stepwise multiple testing as formalized data snooping", Econometrica 73(4), section 3,
    of which this is the first step.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> noise = rng.random(4000)
        >>> never = Spent(name="never", losses=noise, paid={}, price=10)
        >>> ours = Spent(name="ours", losses=noise * 0.9, paid={500: 1}, price=10)
        >>> found = recommend([never, ours])
        >>> found.best, found.distinguishable
        ('ours', True)
    """
    known = [one for one in spent if math.isfinite(one.total) and len(one.losses)]
    if not known or len(known) < len(spent):
        return None
    order = sorted(known, key=lambda one: (one.total, one.fits))
    edges = _edges(len(order[0].losses))
    stretches, rows = len(edges), math.ceil(len(order[0].losses) / len(edges))
    if len(order) == 1 or stretches < _LEAST:
        why = f"{len(order[0].losses)} labelled rows are too few to say how sure that is"
        return _unsure(order, (rows, stretches), why if len(order) > 1 else None)
    losses = np.stack([np.add.reduceat(one.losses, edges) for one in order], axis=1)
    block = _block(losses)
    drawn = resampled_sums(
        losses + _payments(order, edges), block, _DRAWS, np.random.default_rng(_SEED)
    )
    widths = _widths(drawn)
    rivals = tuple(
        _rival(one, order[0], float(w)) for one, w in zip(order[1:], widths, strict=True)
    )
    return Recommendation(
        best=order[0].name,
        rivals=rivals,
        fewest=_fewest(order, rivals),
        rows=rows,
        stretches=stretches,
        block=block,
    )


def _edges(rows: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the first row of each stretch."""
    return np.linspace(0, rows, min(rows, _PARTS) + 1).astype(np.int64)[:-1]


def _payments(order: Sequence[Spent], edges: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """Return what each policy paid in each stretch."""
    paid = np.zeros((len(edges), len(order)))
    for column, one in enumerate(order):
        for row, fits in one.paid.items():
            place = int(np.searchsorted(edges, max(row, 0), side="right")) - 1
            paid[place, column] += fits * one.price
    return paid


def _block(losses: Floats) -> int:
    """Return the longest block that the difference of any two policies asks for."""
    count = losses.shape[1]
    pairs = ((i, j) for i in range(count) for j in range(i))
    asked = max(block_length(losses[:, i] - losses[:, j]) for i, j in pairs)
    return min(math.ceil(asked), len(losses))


def _widths(drawn: Floats) -> Floats:
    """Return half the width of each interval of a cost above that of the first."""
    greatest = np.zeros(len(drawn))
    count = drawn.shape[1]
    for i in range(count):
        for j in range(i):
            apart = drawn[:, i] - drawn[:, j]
            spread = float(apart.std())
            if spread:
                greatest = np.maximum(greatest, np.abs(apart) / spread)
    return np.quantile(greatest, _SURE) * (drawn[:, 1:] - drawn[:, :1]).std(axis=0)


def _rival(one: Spent, best: Spent, width: float) -> Rival:
    more = one.total - best.total
    low = more - width
    return Rival(
        name=one.name, difference=more, low=low, high=more + width, distinguishable=low > 0
    )


def _unsure(order: Sequence[Spent], cut: tuple[int, int], why: str | None) -> Recommendation:
    rivals = tuple(
        Rival(
            name=one.name,
            difference=one.total - order[0].total,
            low=None,
            high=None,
            distinguishable=False,
        )
        for one in order[1:]
    )
    return Recommendation(
        best=order[0].name,
        rivals=rivals,
        fewest=_fewest(order, rivals),
        rows=cut[0],
        stretches=cut[1],
        block=1,
        unknown=why,
    )


def _fewest(order: Sequence[Spent], rivals: Sequence[Rival]) -> str:
    apart = {rival.name for rival in rivals if rival.distinguishable}
    alike = [one for one in order if one.name not in apart]
    return min(alike, key=lambda one: one.fits).name  # the cheapest of those with as few


def _sentences(found: Recommendation) -> list[str]:
    if not found.rivals:
        return [f"Only '{found.best}' was replayed: there is nothing to compare it with."]
    said = [f"'{found.best}' cost least of the {len(found.rivals) + 1} policies replayed."]
    if found.unknown is not None:
        return [*said, f"{found.unknown[0].upper()}{found.unknown[1:]}."]
    surely = "; ".join(_between(rival) for rival in found.rivals if rival.distinguishable)
    alike = "; ".join(_between(rival) for rival in found.rivals if not rival.distinguishable)
    if surely:
        said.append(f"Surely dearer: {surely}.")
    if alike:
        said.append(f"Not distinguishable from it: {alike}.")
        few = "it has" if found.fewest == found.best else f"'{found.fewest}' has"
        said.append(f"Of these {few} the fewest fits.")
    sure = f"{100 * found.sure:.0f} %"
    said.append(f"In brackets is what each cost more; all intervals hold at once, to {sure}.")
    return said


def _between(one: Rival) -> str:
    ends = f"{brief(one.low or 0.0)} to {brief(one.high or 0.0)}"
    return f"'{one.name}' ({signed(one.difference)}; {ends})"
