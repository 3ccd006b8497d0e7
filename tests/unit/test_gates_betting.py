from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from ratoon.gates.betting import Bet, Bounds, candidates, interval, labels_needed, play, widen

NEVER = 1e-300  # an alpha that no capital of a few rows reaches
OUTCOMES = (Fraction(-1), Fraction(0), Fraction(1))
# Chances of -1, 0 and 1, and what is added to each: every mean after the addition is exactly 0.
FAIR: list[tuple[tuple[Fraction, Fraction, Fraction], Fraction]] = [
    ((Fraction(1, 3), Fraction(1, 3), Fraction(1, 3)), Fraction(0)),
    ((Fraction(1, 20), Fraction(9, 10), Fraction(1, 20)), Fraction(0)),
    ((Fraction(1, 2), Fraction(0), Fraction(1, 2)), Fraction(0)),
    ((Fraction(3, 8), Fraction(1, 2), Fraction(1, 8)), Fraction(1, 4)),
    ((Fraction(1, 8), Fraction(1, 2), Fraction(3, 8)), Fraction(-1, 4)),
]


def naive(gains: Sequence[Fraction], worst: Fraction) -> Iterator[Fraction]:
    """The capital after each row by the formula, in exact numbers."""
    capital = Fraction(1)
    for i, gain in enumerate(gains):
        total, squares = sum(gains[:i], Fraction(0)), sum((g * g for g in gains[:i]), Fraction(0))
        stake = min(max(total / (Fraction(1, 4) + squares), Fraction(0)), Fraction(1, 2) / worst)
        capital *= 1 + stake * gain
        yield capital


def floats(values: Sequence[Fraction]) -> np.ndarray:
    return np.array([float(v) for v in values])


def worlds(rows: int, chances: Sequence[Fraction]) -> Iterator[tuple[Fraction, list[Fraction]]]:
    """Every sequence of so many outcomes, with its probability."""
    for picked in product(range(3), repeat=rows):
        yield (
            math.prod((chances[i] for i in picked), start=Fraction(1)),
            [OUTCOMES[i] for i in picked],
        )


@pytest.mark.parametrize("chances_and_shift", FAIR, ids=["even", "rare", "coin", "worse", "better"])
@pytest.mark.parametrize("rows", [1, 2, 5, 8])
def test_the_expected_capital_is_one_where_the_mean_is_zero(
    rows: int, chances_and_shift: tuple[tuple[Fraction, Fraction, Fraction], Fraction]
) -> None:
    """Over all 3^n outcomes of a fair game the capital is 1 on average, stopped early or not."""
    chances, shift = chances_and_shift
    worst = float(1 - shift)
    mean, stopped = 0.0, 0.0
    for chance, outcome in worlds(rows, chances):
        gains = floats([x + shift for x in outcome])
        mean += float(chance) * math.exp(play(Bet(), gains, worst, NEVER)[0].log_capital)
        stopped += float(chance) * math.exp(play(Bet(), gains, worst, 0.7)[0].log_capital)
    assert mean == pytest.approx(1.0, abs=1e-12)
    assert stopped == pytest.approx(1.0, abs=1e-12)


def test_the_expected_capital_is_below_one_where_the_mean_is_negative() -> None:
    """A game that is worse than fair loses capital on average."""
    chances = (Fraction(1, 2), Fraction(1, 4), Fraction(1, 4))
    played = (
        (c, play(Bet(), floats(outcome), 1.0, NEVER)[0].log_capital)
        for c, outcome in worlds(8, chances)
    )
    assert sum(float(c) * math.exp(log) for c, log in played) < 0.99


@pytest.mark.parametrize("alpha", [0.8, 0.5, 0.2])
def test_the_chance_of_ever_reaching_the_limit_is_at_most_alpha(alpha: float) -> None:
    """Summed over all outcomes of 8 fair rows, those that stop weigh at most alpha (Ville)."""
    chances = FAIR[0][0]
    reached = (
        float(c) for c, o in worlds(8, chances) if play(Bet(), floats(o), 1.0, alpha)[1] is not None
    )
    assert sum(reached) <= alpha


@pytest.mark.parametrize("shift", [Fraction(0), Fraction(1, 100), Fraction(-1, 4)])
def test_capital_follows_the_formula(shift: Fraction) -> None:
    """After every row the log capital is that of the naive product in exact fractions."""
    rng = np.random.default_rng(1)
    gains = [OUTCOMES[i] + shift for i in rng.choice(3, size=60, p=[0.2, 0.5, 0.3])]
    worst = 1 - shift
    for rows, capital in enumerate(naive(gains, worst), start=1):
        bet, _ = play(Bet(), floats(gains[:rows]), float(worst), NEVER)
        assert bet.log_capital == pytest.approx(math.log(capital), abs=1e-12)
        assert (bet.n, bet.total) == (rows, pytest.approx(float(sum(gains[:rows]))))


def test_a_bet_stops_exactly_where_the_limit_is_first_reached() -> None:
    """It stops at the first row whose capital is 1 / alpha, and takes in nothing after it."""
    gains = [Fraction(int(v)) for v in np.random.default_rng(2).choice([-1, 0, 1, 1], size=200)]
    capitals = list(naive(gains, Fraction(1)))
    for alpha in (0.5, 0.1, 0.01):
        first = next(i for i, k in enumerate(capitals, start=1) if k >= 1 / alpha)
        bet, rows = play(Bet(), floats(gains), 1.0, alpha)
        assert rows == first == bet.n
        assert bet == play(Bet(), floats(gains[:first]), 1.0, alpha)[0]
        assert play(Bet(), floats(gains[: first - 1]), 1.0, alpha)[1] is None
        assert bet.log_capital == pytest.approx(math.log(capitals[first - 1]))


def test_no_row_can_ruin_the_capital() -> None:
    """However well it went before, the worst row costs at most half of the capital."""
    for worst in (0.5, 1.0, 1.5):
        won = play(Bet(), np.full(500, 0.2), worst, NEVER)[0]
        lost = play(won, np.array([-worst]), worst, NEVER)[0]
        assert lost.log_capital - won.log_capital == pytest.approx(math.log(0.5))


def test_the_labels_needed_are_what_it_takes() -> None:
    """On rows like those so far the limit is reached within a factor of two of the estimate."""
    rng = np.random.default_rng(3)
    for mean in (0.05, 0.1):
        estimates, taken = [], []
        for _ in range(40):
            rows = rng.choice([1.0, 0.0, -1.0], size=20_000, p=[0.1 + mean, 0.8, 0.1 - mean])
            bet, _ = play(Bet(), rows[:300], 1.0, NEVER)
            needed = labels_needed(bet, 1e-8)
            more = play(bet, rows[300:], 1.0, 1e-8)[1]
            if needed is not None and more is not None:
                estimates.append(needed)
                taken.append(more)
        assert len(taken) >= 35
        assert 0.5 < np.median(estimates) / np.median(taken) < 2


def test_nothing_is_estimated_where_nothing_grows() -> None:
    """Without rows, or with a mean of at most 0, no number of labels would do."""
    assert labels_needed(Bet(), 0.05) is None
    for gains in ([-1.0, 0.0], [0.0], [1e-300], [1e-12]):
        assert labels_needed(play(Bet(), np.array(gains), 1.0, NEVER)[0], 0.05) is None


def test_candidates_surround_the_centre() -> None:
    """They ascend, hold the centre itself, and stand ever farther apart."""
    for centre in (0.0, -0.01, 0.3, -0.999):
        means = candidates(centre)
        assert (np.diff(means) > 0).all()
        assert centre in means.tolist()
        assert -1 < means.min() < -0.85
        assert 0.75 < means.max() < 1
        above = means[means > centre] - centre
        np.testing.assert_allclose(above[1:] / above[:-1], 1.15)


def test_bounds_follow_the_bets_against_each_candidate() -> None:
    """The lower bound is the last candidate up to which `play` refutes all; so is the upper one."""
    rng = np.random.default_rng(4)
    for centre, mean in ((0.0, 0.3), (0.05, 0.0), (-0.02, -0.2)):
        values = np.clip(rng.normal(mean, 0.3, size=400), -1, 1)
        low, high = interval(widen(Bounds(), values, centre), centre, 0.05)
        means, limit = candidates(centre).tolist(), math.log(20)
        over = [play(Bet(), values - m, 1 + m, NEVER)[0].log_capital >= limit for m in means]
        under = [play(Bet(), m - values, 1 - m, NEVER)[0].log_capital >= limit for m in means]
        refuted = next(i for i, yes in enumerate([*over, False]) if not yes)
        assert low == ([-1.0, *means][refuted])
        refuted = next(i for i, yes in enumerate([*under[::-1], False]) if not yes)
        assert high == ([1.0, *means[::-1]][refuted])
        assert low < values.mean() < high


def test_without_rows_anything_is_possible() -> None:
    """Before the first row the bounds are the whole range."""
    assert interval(Bounds(), 0.0, 0.05) == (-1.0, 1.0)
