"""Laws of the bets, the bounds and the gates."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ratoon.core import wire
from ratoon.core.measuring import Measurement, Window
from ratoon.core.times import EPOCH
from ratoon.gates import Better, NotWorse
from ratoon.gates.betting import Bet, Bounds, candidates, interval, play, widen
from ratoon.windows.judged import Floats, Judged, Scored, Target

Errors: TypeAlias = tuple[Floats, Floats]
NUMBER = Target(task="regression")
BASELINE = {
    "mae": Measurement(metric="mae", window=Window(start=EPOCH, end=EPOCH), value=0.5, n=100)
}
GATES: list[Better | NotWorse] = [
    Better("mae", alpha=0.3, patience=40),
    Better("mae", by=0.1, alpha=0.2, patience=25),
    NotWorse("mae", margin=0.3, alpha=0.3, patience=40),
]
GAINS = st.lists(st.floats(-1.0, 1.0), max_size=40).map(np.array)
EXAMPLES = settings(max_examples=50)


@st.composite
def pairs(draw: DrawFn) -> Errors:
    """Errors of a champion and a challenger on the same rows, one of them often the better."""
    rows = draw(st.integers(1, 60))
    errors = st.lists(st.floats(0.0, 4.0), min_size=rows, max_size=rows).map(np.array)
    champion, challenger = draw(errors), draw(errors)
    scale = draw(st.sampled_from([(1.0, 1.0), (1.0, 0.2), (0.2, 1.0)]))
    return champion * scale[0], challenger * scale[1]


@st.composite
def pieces(draw: DrawFn, rows: int) -> list[slice]:
    """The batches that rows come in."""
    cuts = draw(st.lists(st.integers(0, rows), max_size=6))
    edges = [0, *sorted(cuts), rows]
    return [slice(a, b) for a, b in pairwise(edges)]


def judged(errors: Floats) -> Judged:
    return Judged(target=NUMBER, labels=np.zeros(len(errors)), scored=Scored(outputs=errors))


def restarted(gate: Better | NotWorse, state: Any) -> Any:
    return gate.load(json.loads(wire.dumps(state)))


@given(gains=GAINS, data=st.data(), worst=st.floats(1.0, 2.0), alpha=st.floats(0.05, 0.9))
@EXAMPLES
def test_a_bet_that_is_split_is_the_same_bet(
    gains: Floats, data: st.DataObject, worst: float, alpha: float
) -> None:
    """Rows in batches of any size give the same bet, bit by bit, and stop at the same row."""
    whole, reached = play(Bet(), gains, worst, alpha)
    bet, taken = Bet(), 0
    for piece in data.draw(pieces(len(gains))):
        bet, rows = play(bet, gains[piece], worst, alpha)
        taken += len(gains[piece]) if rows is None else rows
        if rows is not None:
            break
    assert bet == whole
    assert taken == (len(gains) if reached is None else reached)


@given(gains=GAINS, later=GAINS, worst=st.floats(1.0, 2.0))
@EXAMPLES
def test_stakes_know_only_the_past(gains: Floats, later: Floats, worst: float) -> None:
    """Whatever rows come later, the capital of earlier rows and where it stopped stay the same."""
    rows = len(gains)
    before, _ = play(Bet(), gains, worst, 1e-300)
    short, reached = play(Bet(), gains, worst, 0.8)
    for rest in (later, -later):
        long, reached_too = play(Bet(), np.concatenate([gains, rest]), worst, 0.8)
        if reached is not None:
            assert (long, reached_too) == (short, reached)
        else:
            assert reached_too is None or reached_too > rows
    up, down = (play(before, np.array([g]), worst, 1e-300)[0].log_capital for g in (0.5, -0.5))
    staked = math.expm1(up - before.log_capital) / 0.5
    assert math.expm1(down - before.log_capital) == pytest.approx(-0.5 * staked, abs=1e-9)
    assert 0 <= staked <= 0.5 / worst + 1e-9


@given(values=GAINS, data=st.data(), centre=st.floats(-0.5, 0.5))
@EXAMPLES
def test_bounds_that_are_split_are_the_same_bounds(
    values: Floats, data: st.DataObject, centre: float
) -> None:
    """Values in batches of any size give the same confidence sequence, bit by bit."""
    bounds = Bounds()
    for piece in data.draw(pieces(len(values))):
        bounds = widen(bounds, values[piece], centre)
        bounds = wire.loads(Bounds, wire.dumps(bounds))
    assert bounds == widen(Bounds(), values, centre)


@given(values=GAINS, centre=st.floats(-0.5, 0.5), alpha=st.floats(0.01, 0.5))
@EXAMPLES
def test_bounds_agree_with_the_bets(values: Floats, centre: float, alpha: float) -> None:
    """The centre lies outside of the bounds exactly where `play` refutes it now."""
    low, high = interval(widen(Bounds(), values, centre), centre, alpha)
    assert low >= -1
    assert high <= 1
    above = play(Bet(), values - centre, 1 + centre, 1e-300)[0].log_capital
    below = play(Bet(), centre - values, 1 - centre, 1e-300)[0].log_capital
    if abs(above + math.log(alpha)) > 1e-6:
        assert (low >= centre) == (above >= -math.log(alpha))
    if abs(below + math.log(alpha)) > 1e-6:
        assert (high <= centre) == (below >= -math.log(alpha))
    if centre not in (low, high):
        assert {low, high} <= {-1.0, 1.0, *candidates(centre).tolist()}


@pytest.mark.parametrize("gate", GATES, ids=str)
@given(errors=pairs(), data=st.data())
@EXAMPLES
def test_rows_in_batches_are_judged_as_rows_at_once(
    gate: Better | NotWorse, errors: Errors, data: st.DataObject
) -> None:
    """Batches of any size, with a restart between them, give the same verdict at the same row."""
    champion, challenger = (judged(e) for e in errors)
    whole, looked = gate.step(gate.init(BASELINE, NUMBER), champion, challenger)
    state, taken, verdict = gate.init(BASELINE, NUMBER), 0, None
    for piece in data.draw(pieces(len(champion))):
        state, found = gate.step(
            restarted(gate, state), champion.take(piece), challenger.take(piece)
        )
        taken, verdict = taken + found.rows, found.verdict
        if verdict.outcome != "inconclusive":
            break
    assert (state, taken, verdict) == (whole, looked.rows, looked.verdict)


@pytest.mark.parametrize("gate", GATES, ids=str)
@given(errors=pairs())
@EXAMPLES
def test_verdicts_agree_with_their_numbers(gate: Better | NotWorse, errors: Errors) -> None:
    """A pass has the margin below its bounds, a refutation above; undecided has it within."""
    champion, challenger = (judged(e) for e in errors)
    _, looked = gate.step(gate.init(BASELINE, NUMBER), champion, challenger)
    verdict = looked.verdict
    margin = gate.by if isinstance(gate, Better) else -gate.margin
    low, high, evidence = verdict.low, verdict.high, verdict.evidence
    assert low is not None
    assert high is not None
    assert evidence is not None
    passed, undecided = verdict.outcome == "pass", "still undecided" in verdict.reason
    assert (low >= margin - 1e-12) == passed
    assert (high <= margin + 1e-12) == (verdict.outcome == "fail" and not undecided)
    assert (evidence >= (1 - 1e-9) / gate.alpha) == passed
    assert verdict.n == looked.rows <= gate.patience
    assert (verdict.outcome == "inconclusive") == (verdict.needed is not None)
    gains = np.clip(errors[0] - errors[1], -2.5, 2.5)[: looked.rows]
    assert verdict.effect == pytest.approx(gains.mean(), abs=1e-9)


@given(errors=pairs())
@EXAMPLES
def test_exchanging_the_sides_exchanges_pass_and_fail(errors: Errors) -> None:
    """What passes one way is refuted the other way, at the same row, with the opposite effect."""
    gate, (one, other) = GATES[0], (judged(e) for e in errors)
    _, there = gate.step(gate.init(BASELINE, NUMBER), one, other)
    _, back = gate.step(gate.init(BASELINE, NUMBER), other, one)
    assert there.rows == back.rows
    assert (there.verdict.outcome == "pass") == ("not good enough" in back.verdict.reason)
    assert there.verdict.effect == pytest.approx(-(back.verdict.effect or 0.0), abs=1e-12)
