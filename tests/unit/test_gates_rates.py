"""How often gates and watches are wrong, in seeded simulations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.random import Generator
from scipy import stats

from ratoon.core.measuring import Measurement, Window
from ratoon.core.times import EPOCH
from ratoon.gates import Better, NotWorse
from ratoon.gates.betting import Bounds, interval, widen
from ratoon.rollouts import Direct
from ratoon.windows.judged import Judged, Scored, Target

RUNS = 1000
PATIENCE = 240
NUMBER = Target(task="regression")
BASELINE = {
    "mae": Measurement(metric="mae", window=Window(start=EPOCH, end=EPOCH), value=0.2, n=100)
}
Worlds: TypeAlias = Callable[[Generator, int], tuple[np.ndarray, np.ndarray]]


def judged(errors: np.ndarray) -> Judged:
    return Judged(target=NUMBER, labels=np.zeros(len(errors)), scored=Scored(outputs=errors))


def allowance(alpha: float, runs: int = RUNS) -> int:
    """The most errors that are plausible at a rate of alpha: exceeded once in 10,000 times."""
    return int(stats.binom.ppf(1 - 1e-4, runs, alpha))


def unlike(gain: float) -> Worlds:
    """Both err alike but on 40 % of the rows, where one of the two errs by 1."""

    def draw(rng: Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
        u = rng.random(rows)
        edge = 0.2 + gain / 2
        champion, challenger = u < edge, (u >= edge) & (u < 0.4)
        return champion.astype(float), challenger.astype(float)

    return draw


def exponential(gain: float) -> Worlds:
    """Errors of both are exponential and share a part: skewed, and cut now and then."""

    def draw(rng: Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
        shared = rng.exponential(0.5, rows)
        champion = shared + rng.exponential(0.5, rows)
        return champion, shared + rng.exponential(0.5, rows) - gain * np.sign(champion)

    return draw


def walking(rng: Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that depend on each other: which model errs changes slowly, and is fair each time."""
    size = np.repeat(rng.random(rows // 20 + 1), 20)[:rows]
    sign = rng.choice([-1.0, 1.0], size=rows)
    return 1 + size * sign / 2, 1 - size * sign / 2


def outcomes(
    gate: Better | NotWorse, worlds: Worlds, runs: int, *, look: int = 10_000
) -> list[tuple[str, int]]:
    """What a gate says at last of each of so many challengers, looked at every so many rows.

    A gate stops within a batch where it would have stopped row by row (tests/property), so a
    batch of all rows is as many looks as there are rows.
    """
    rng, said = np.random.default_rng(11), []
    for _ in range(runs):
        champion, challenger = (judged(errors) for errors in worlds(rng, gate.patience))
        state, start, outcome = gate.init(BASELINE, NUMBER), 0, "inconclusive"
        while outcome == "inconclusive":
            index = slice(start, start + look)
            state, looked = gate.step(state, champion.take(index), challenger.take(index))
            start, outcome = start + looked.rows, looked.verdict.outcome
        said.append((outcome, start))
    return said


def passes(said: list[tuple[str, int]]) -> int:
    return sum(outcome == "pass" for outcome, _ in said)


@pytest.mark.parametrize(
    ("worlds", "look"),
    [(unlike(0.0), 80), (exponential(0.0), PATIENCE), (walking, PATIENCE)],
    ids=["unlike", "exponential", "walking"],
)
def test_equal_models_are_promoted_at_most_as_often_as_stated(worlds: Worlds, look: int) -> None:
    """Of 1,000 equal challengers, looked at all the time, at most alpha pass, or are refuted."""
    said = outcomes(Better("mae", patience=PATIENCE), worlds, RUNS, look=look)
    assert 0 < passes(said) <= allowance(0.05)
    assert sum(outcome == "fail" and rows < PATIENCE for outcome, rows in said) <= allowance(0.05)
    assert {rows for outcome, rows in said if outcome == "fail"} & {PATIENCE}


def test_a_challenger_at_the_margin_passes_at_most_as_often_as_stated() -> None:
    """One that is worse by exactly the margin passes `NotWorse` in at most alpha of 1,000 runs."""
    gate = NotWorse("mae", margin=0.1, alpha=0.1, patience=PATIENCE)
    assert passes(outcomes(gate, unlike(-0.1), RUNS)) <= allowance(0.1)


@pytest.mark.parametrize(
    ("gate", "worlds", "least"),
    [
        (Better("mae", patience=2000), unlike(0.12), 0.95),
        (Better("mae", patience=2000), exponential(0.15), 0.95),
        (NotWorse("mae", margin=0.1, patience=2000), exponential(0.0), 0.9),
    ],
    ids=["unlike", "exponential", "not worse"],
)
def test_a_real_improvement_is_found(gate: Better | NotWorse, worlds: Worlds, least: float) -> None:
    """A better challenger, or an equal one where that is enough, passes nearly always."""
    assert passes(outcomes(gate, worlds, 60)) >= least * 60


def test_a_healthy_promotion_is_seldom_undone_and_a_bad_one_is() -> None:
    """Of 1,000 equal champions at most alpha are rolled back; of worse ones nearly all."""
    rng, watch = np.random.default_rng(14), Direct("mae", watch=PATIENCE, alpha=0.05)

    def breached(worlds: Worlds, settings: Direct) -> bool:
        state = settings.init(BASELINE, NUMBER)
        replaced, champion = (judged(errors) for errors in worlds(rng, settings.watch))
        return settings.step(state, champion, replaced)[1].breached

    assert sum(breached(unlike(0.0), watch) for _ in range(RUNS)) <= allowance(0.05)
    long = Direct("mae", watch=2000)
    assert sum(breached(unlike(-0.15), long) for _ in range(60)) >= 55
    assert not any(breached(unlike(0.1), long) for _ in range(60))


SHAPES: dict[str, tuple[Callable[[Generator, int], Any], float]] = {
    "signs": (lambda rng, n: rng.choice([-1.0, 0.0, 1.0], size=n, p=[0.05, 0.85, 0.1]), 0.05),
    "normal": (lambda rng, n: np.clip(rng.normal(0.0, 0.2, size=n), -1, 1), 0.0),
    "rare losses": (lambda rng, n: np.where(rng.random(n) < 0.02, -1.0, 0.05), 0.029),
    "coin": (lambda rng, n: np.where(rng.random(n) < 0.9, 0.5, -1.0), 0.35),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bounds_hold_at_all_times(shape: str) -> None:
    """Each bound is on the right side of the true mean at every look in 1 - alpha of 500 runs."""
    (draw, mean), rng = SHAPES[shape], np.random.default_rng(15)
    too_high = too_low = either = 0
    for _ in range(500):
        bounds, edges = Bounds(), []
        for values in draw(rng, 400).reshape(-1, 50):
            bounds = widen(bounds, values, 0.0)
            edges.append(interval(bounds, 0.0, 0.1))
        above, below = any(low > mean for low, _ in edges), any(high < mean for _, high in edges)
        too_high, too_low, either = too_high + above, too_low + below, either + (above or below)
    assert max(too_high, too_low) <= allowance(0.1, 500)
    assert either <= allowance(0.1, 500)


def test_the_bounds_close_in() -> None:
    """After 20,000 rows the bounds stand close to the mean on each side."""
    values = np.random.default_rng(16).choice([-1.0, 0.0, 1.0], size=20_000, p=[0.04, 0.86, 0.1])
    low, high = interval(widen(Bounds(), values, 0.0), 0.0, 0.05)
    assert 0.04 < low < 0.06 < high < 0.085
