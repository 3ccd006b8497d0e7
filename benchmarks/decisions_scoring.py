"""How good policies are: beside the best fixed schedule and the split oracle, per cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.decisions_cells import Played, Scene
from benchmarks.decisions_streams import Array

WORST = 5.0  # a normalised regret beyond that, on either side, counts as that
CONTROL = 0.02  # of the oracle's price: where less is to be gained, nothing is normalised
_TIE = 1e-9  # a regret of 1 is not below it by rounding
_FEWEST = 2  # pairs of a signed-rank test


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """A policy on the cells of a scene, by (settings,) delays and costs."""

    regret: Array  # normalised, clipped; NaN in controls
    excess: Array  # price over that of the best fixed schedule, less 1; NaN elsewhere
    fits: Array
    work: Array  # all that was computed, in full fits
    error: Array  # mean loss of a chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A policy over all cells."""

    name: str
    reference: bool
    median: float | None
    mean: float | None
    below_1: float | None
    excess: float | None  # mean over the controls
    retrainings: float
    extra: float  # what else was computed, in full fits
    error: float
    false: float | None  # retrainings on streams where nothing is to be learned
    delays: Mapping[int, float | None]  # median, by delay
    p: float | None  # of the signed-rank test against ours, on means of streams
    p_cells: float | None  # the same on cells, which depend on each other

    @property
    def order(self) -> tuple[bool, float]:
        """Sort by the median; what has none comes last."""
        return self.median is None, self.median or 0.0


def base(name: str) -> str:
    """Return what two streams of the same rows share: another loss or order is no other stream.

    >>> base("adult_shuffled:log_loss")
    'adult'
    """
    return name.split(":", maxsplit=1)[0].removesuffix("_shuffled")


def prices(scene: Scene, played: Played) -> Array:
    """Return J = loss + cost x (fits + other computation), (settings, delays, costs)."""
    fit = np.array(scene.job.costs) * scene.unit
    return played.loss + fit * (played.fits + played.extra)


def is_control(scene: Scene) -> Array:
    """Return the cells in which the best fixed schedule is next to as good as the oracle."""
    known = scene.known
    return known.fixed - known.oracle < CONTROL * known.oracle


def judged(scene: Scene, played: Played) -> Judged:
    """Return NR = (J - J_oracle) / (J_fixed - J_oracle), and in controls J / J_fixed - 1."""
    price, known, control = prices(scene, played), scene.known, is_control(scene)
    room = np.where(control, np.nan, known.fixed - known.oracle)
    regret = np.clip((price - known.oracle) / room, -WORST, WORST)
    excess = np.where(control, price / known.fixed - 1, np.nan)
    return Judged(
        regret=regret,
        excess=excess,
        fits=played.fits,
        work=played.fits + played.extra,
        error=played.loss / scene.chunks,
    )


def chosen(regrets: Sequence[Array], bases: Sequence[str], *, shared: bool = False) -> list[Array]:
    """Choose a setting for each stream by the mean regret on all others.

    Of two streams with the same base each has the other's setting, and they count as one.

    Args:
        regrets: of each stream, (settings, delays, costs); NaN in controls.
        bases: of each stream.
        shared: whether all delays and costs share a setting; else each has its own, chosen on the
            same delay and cost. Where all others are controls there, it is chosen over all cells;
            where there are no others at all, it is the first.

    Returns:
        The place of the setting, (delays, costs), for each stream.
    """
    names = sorted(set(bases))
    means = {
        name: mean([r for r, b in zip(regrets, bases, strict=True) if b == name]) for name in names
    }
    found: dict[str, Array] = {}
    for name in names:
        others = [means[other] for other in names if other != name]
        each = mean(others) if others else np.full_like(means[name], np.nan)
        over = np.nan_to_num(mean(each.reshape(len(each), -1).T))
        wide = np.broadcast_to(over[:, None, None], each.shape)
        score = wide if shared else np.where(np.isnan(each), wide, each)
        found[name] = np.argmin(score, axis=0)
    return [found[b] for b in bases]


def mean(arrays: Sequence[Array] | Array) -> Array:
    """Return the mean over the first axis of what is there; NaN where nothing is."""
    stacked = np.asarray(arrays, dtype=float)
    there = ~np.isnan(stacked)
    counts = there.sum(axis=0)
    sums = np.where(there, stacked, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def with_setting(found: Judged, setting: Array) -> Judged:
    """Return a policy with one setting for each cell."""

    def take(values: Array) -> Array:
        return np.take_along_axis(values, setting[np.newaxis], axis=0)[0]

    names = ("regret", "excess", "fits", "work", "error")
    return Judged(**{name: take(getattr(found, name)) for name in names})


def policy(scenes: Sequence[Scene], name: str, *, shared: bool = False) -> list[Judged]:
    """Return a policy on each scene, its setting chosen on other streams of the same learner."""
    every = [judged(scene, scene.played[name]) for scene in scenes]
    best: dict[int, Array] = {}
    for learner in sorted({scene.job.learner for scene in scenes}):
        places = [i for i, scene in enumerate(scenes) if scene.job.learner == learner]
        settings = chosen(
            [every[i].regret for i in places],
            [base(scenes[i].name) for i in places],
            shared=shared,
        )
        best.update(zip(places, settings, strict=True))
    return [with_setting(one, best[i]) for i, one in enumerate(every)]


def in_hindsight(scene: Scene, which: str) -> Judged:
    """Return the split oracle ("oracle") or the best fixed schedule ("fixed") as if a policy."""
    known = scene.known
    parts = {key: getattr(known, f"{which}_{key}") for key in ("loss", "fits")}
    extra = np.zeros_like(parts["fits"])
    played = Played(extra=extra[None], **{key: part[None] for key, part in parts.items()})
    return with_setting(judged(scene, played), np.zeros(extra.shape, dtype=int))


def unlearnable(scene: Scene) -> bool:
    """Tell whether drift cannot be learned: the rows were shuffled, or retraining gains nothing.

    That is so where even with the least cost and delay the split oracle saves less than 2 % of
    what the first model of all rows loses.
    """
    known = scene.known
    saves = 1 - known.oracle[0, 0] / known.never[0, 0]
    return scene.name.split(":")[0].endswith("_shuffled") or bool(saves < CONTROL)


def row(
    scenes: Sequence[Scene],
    name: str,
    found: Sequence[Judged],
    ours: Sequence[Judged],
    *,
    reference: bool = False,
) -> Row:
    """Return a policy over all cells, beside ours."""
    regrets = np.concatenate([one.regret.ravel() for one in found])
    excess = np.concatenate([one.excess.ravel() for one in found])
    delays = {
        delay: _of(np.median, np.concatenate([one.regret[j] for one in found]))
        for j, delay in enumerate(scenes[0].job.delays)
    }
    false = [one.fits for scene, one in zip(scenes, found, strict=True) if unlearnable(scene)]
    same = all(one is other for one, other in zip(found, ours, strict=True))
    p, p_cells = (None, None) if same else _signed_rank(scenes, found, ours)
    return Row(
        name=name,
        reference=reference,
        median=_of(np.median, regrets),
        mean=_of(np.mean, regrets),
        below_1=_of(lambda known: (known < 1 - _TIE).mean(), regrets),
        excess=_of(np.mean, excess),
        retrainings=float(np.mean([one.fits.mean() for one in found])),
        extra=float(np.mean([(one.work - one.fits).mean() for one in found])),
        error=float(np.mean([one.error.mean() for one in found])),
        false=float(np.mean(false)) if false else None,
        delays=delays,
        p=p,
        p_cells=p_cells,
    )


def _of(what: Callable[[Array], Any], values: Array) -> float | None:
    known = values[~np.isnan(values)]
    return float(what(known)) if known.size else None


def _signed_rank(
    scenes: Sequence[Scene], found: Sequence[Judged], ours: Sequence[Judged]
) -> tuple[float | None, float | None]:
    """Return the p-values of Wilcoxon's test, two-sided: on means of streams, and on cells."""
    cells = [a.regret - b.regret for a, b in zip(found, ours, strict=True)]
    bases = [base(scene.name) for scene in scenes]
    streams = [
        float(np.concatenate(known).mean())
        for name in sorted(set(bases))
        if (known := _known([c for c, b in zip(cells, bases, strict=True) if b == name]))
    ]
    every = _known(cells)
    return _p(np.array(streams)), _p(np.concatenate(every) if every else np.array([]))


def _known(arrays: Sequence[Array]) -> list[Array]:
    parts = [array[~np.isnan(array)] for array in arrays]
    return [part for part in parts if part.size]


def _p(differences: Array) -> float | None:
    differing = differences[differences != 0]
    if len(differing) < _FEWEST:
        return None
    return float(stats.wilcoxon(differing).pvalue)
