"""Which rows a snapshot plan chooses, and which of several candidates is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratoon.core import wire
from ratoon.core.deciding import RowChoice, SnapshotPlan
from ratoon.core.errors import ChoiceInvalid, DataUnfit, SettingInvalid
from ratoon.core.measuring import RowRange
from ratoon.policies.retraining import shifted
from ratoon.windows import (
    AgeWeighted,
    By,
    Chosen,
    Everything,
    Last,
    SinceChange,
    TrainableRows,
    TrainOn,
)
from ratoon.windows.choices import best
from ratoon.windows.choices_own import chosen, functions_of
from ratoon.windows.weights import effective, packed, unpacked, weights_of

SINCE = datetime(2026, 3, 1, tzinfo=UTC)


def span(start: int, stop: int) -> RowRange:
    """Return a range of rows."""
    return RowRange(start=start, stop=stop)


@pytest.mark.parametrize(
    ("rule", "train", "holdout", "since"),
    [
        (Everything(), span(0, 1600), span(1600, 2000), None),
        (Everything(holdout_most=100), span(0, 1900), span(1900, 2000), None),
        (Last(rows=500), span(1500, 1900), span(1900, 2000), None),
        (Last(rows=5000), span(0, 1600), span(1600, 2000), None),
        (SinceChange(), span(1500, 1900), span(1900, 2000), SINCE),
    ],
    ids=repr,
)
def test_the_plain_rules(rule: TrainOn, train: RowRange, holdout: RowRange, since: Any) -> None:
    """They train on a range and judge on the newest fifth of it, at most 500 rows."""
    plan = rule.plan(2000, 1500, SINCE)
    assert (plan.train, plan.holdout, plan.since) == (train, holdout, since)
    assert (plan.choices, plan.others, plan.blocks) == ((), (), ())


def test_rows_by_their_age() -> None:
    """A half-life in rows leaves out what counts for nothing; one in time takes all rows."""
    plan = AgeWeighted(half_life=50).plan(5000, 4000, SINCE)
    assert (plan.train, plan.holdout) == (span(3500, 4500), span(4500, 5000))
    assert plan.choices[0].half_life_rows == 50
    assert plan.choices[0].rule == plan.rule
    assert plan.rule == "all labelled rows, of half the weight every 50 rows"
    for month in ("30d", timedelta(days=30), "720h"):
        plan = AgeWeighted(half_life=month).plan(5000, None, None)
        assert (plan.train, plan.choices[0].half_life_s) == (span(0, 4500), 30 * 86400)
        assert plan.rule == "all labelled rows, of half the weight every 30 d"
    assert AgeWeighted(half_life=50, least=70).needed(4000) == 70


def test_weights_halve_with_age() -> None:
    """The newest row weighs 1; so many rows, or so long, before it weighs half, and none 0."""
    choice = RowChoice(rows=span(0, 5), rule="", half_life_rows=2)
    times = np.array(["2026-01-04", "2026-01-02", "2026-01-05", "2026-01-01", "2026-01-05"])
    moments = times.astype("datetime64[us]")
    by_rows = weights_of(choice, moments)
    assert by_rows is not None
    np.testing.assert_allclose(by_rows, [0.25, 2**-1.5, 0.5, 2**-0.5, 1.0])
    by_time = weights_of(RowChoice(rows=span(0, 5), rule="", half_life_s=86400.0), moments)
    assert by_time is not None
    np.testing.assert_allclose(by_time, [0.5, 0.125, 1.0, 0.0625, 1.0])
    assert weights_of(RowChoice(rows=span(0, 5), rule=""), moments) is None
    faint = weights_of(
        RowChoice(rows=span(0, 5000), rule="", half_life_rows=1), moments.repeat(1000)
    )
    assert faint is not None
    assert faint.min() > 0.0


def test_weighted_rows_amount_to_fewer() -> None:
    """Kish's effective number: equal weights count in full, a half-life as 2.9 times itself."""
    assert effective(7, None) == 7.0
    assert effective(4, np.full(4, 0.3)) == pytest.approx(4.0)
    choice = RowChoice(rows=span(0, 9000), rule="", half_life_rows=100)
    weights = weights_of(choice, np.zeros(9000, "datetime64[us]"))
    assert effective(9000, weights) == pytest.approx(2 / np.log(2) * 100, rel=0.001)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=50))
def test_weights_are_packed_to_the_last_bit(weights: list[float]) -> None:
    """What is unpacked is what was packed."""
    assert unpacked(packed(np.array(weights))).tolist() == weights


def test_nothing_to_choose() -> None:
    """Without a change point, or with too few rows since, one model is trained as before."""
    whole = Everything().plan(2000, None, None)
    assert Chosen().plan(2000, None, None) == whole
    assert Chosen().plan(2000, 0, SINCE) == whole
    assert Chosen().plan(2000, 1801, SINCE) == whole
    assert Chosen(candidates=(Everything(), Last(rows=1600))).plan(2000, None, None) == whole
    assert Chosen(candidates=(Last(rows=9000), Everything())).plan(2000, None, None).choices == ()
    assert Chosen(candidates=(SinceChange(),)).plan(2000, None, None) == whole


def test_two_candidates() -> None:
    """All rows or those since: one half of the held-out rows chooses, the other one judges."""
    plan = Chosen().plan(2000, 1500, SINCE)
    assert plan.train == span(0, 1900)
    assert plan.others == (span(1500, 1900),)
    assert (plan.chosen_on, plan.holdout) == (span(1900, 1950), span(1950, 2000))
    assert plan.blocks == (span(1900, 1950),)
    assert plan.rule == "all labelled rows, or the rows since the change point"
    assert (plan.since, plan.since_row, plan.refit) == (SINCE, 1500, False)
    assert Chosen(least=70).needed(1500) == 1570
    assert Chosen(least=70, candidates=(Everything(), Last(rows=99))).needed(1500) == 70


def test_folds() -> None:
    """Before each block the candidates are trained anew; a winner that is refitted knows them."""
    rule = Chosen(candidates=(Everything(), Last(rows=300)), folds=3, refit=True)
    plan = rule.plan(2000, 1500, SINCE)
    assert plan.blocks == (span(1200, 1400), span(1400, 1600), span(1600, 1800))
    assert (plan.chosen_on, plan.holdout) == (span(1200, 1800), span(1800, 2000))
    assert [choice.rows for choice in plan.choices] == [span(0, 1800), span(1500, 1800)]
    assert plan.choices[1].folds == (span(900, 1200), span(1100, 1400), span(1300, 1600))
    assert (plan.refit, plan.since) == (True, None)
    once = Chosen(candidates=(Everything(), Last(rows=300)), folds=2).plan(2000, None, None)
    assert [choice.rows.stop for choice in once.choices] == [1600, 1600]
    assert once.blocks[-1] == span(1600, 1800)


def test_folds_need_rows_before_them() -> None:
    """There are no more blocks than leave half of the least rows since the change before them."""
    plan = Chosen(folds=9).plan(2000, 1500, SINCE)
    assert len(plan.blocks) == 7
    assert plan.choices[1].folds[0] == span(1500, 1600)
    assert len(Chosen(folds=9).plan(2000, 1790, SINCE).blocks) == 4


def test_a_plan_is_read_again() -> None:
    """Plans with choices are JSON, and move with the first row of a loop."""
    rule = Chosen(candidates=(Everything(), Last(rows=99), By(len), AgeWeighted(half_life="9h")))
    plan = rule.plan(2000, 1500, SINCE)
    assert wire.loads(SnapshotPlan, wire.dumps(plan)) == plan
    moved = shifted(plan, 10)
    assert moved.choices[1].folds == (span(1511, 1610),)
    assert (moved.blocks, moved.since_row) == ((span(1610, 1810),), 1510)
    assert moved.others == tuple(span(r.start + 10, r.stop + 10) for r in plan.others)
    assert shifted(moved, -10) == plan


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Last(rows=1), "rows must be a whole number"),
        (lambda: Last(rows=9, holdout=1.0), "holdout must be"),
        (lambda: AgeWeighted(half_life=0), "half_life must be a whole number"),
        (lambda: AgeWeighted(half_life="0s"), "half_life must be longer than nothing"),
        (lambda: AgeWeighted(half_life="soon"), "half_life must be a length of time"),
        (lambda: AgeWeighted(half_life=2.5), "half_life must be a whole number"),
        (lambda: By("recent"), "function must be a function that takes TrainableRows"),
        (lambda: By(len, least=1), "least must be"),
        (lambda: Chosen(candidates=()), "candidates must be Everything, Last"),
        (lambda: Chosen(candidates=(Chosen(),)), "candidates must be Everything, Last"),
        (lambda: Chosen(folds=0), "folds must be"),
        (lambda: Chosen(sure=-1), "sure must be"),
        (lambda: Chosen(candidates=(By(len), By(len))), "functions with names of their own"),
    ],
    ids=[str(n) for n in range(13)],
)
def test_settings_out_of_range(make: Any, told: str) -> None:
    """A setting that breaks its rule is refused by name."""
    with pytest.raises(SettingInvalid, match=told):
        make()


LOW, HIGH = np.tile([0.1, 0.3], 50), np.tile([0.2, 0.3], 50)
NOISY = np.tile([0.0, 0.3, 0.0, 0.5], 25)


@pytest.mark.parametrize(
    ("losses", "rows", "sure", "kept"),
    [
        ([HIGH, LOW], [900, 100], 3.0, 1),
        ([HIGH, LOW], [100, 900], 3.0, 1),
        ([LOW, LOW], [100, 900], 3.0, 1),
        ([LOW, LOW], [900, 900], 3.0, 0),
        ([LOW, NOISY], [100, 900], 3.0, 1),
        ([LOW + 0.001, NOISY], [900, 100], 3.0, 0),
        ([NOISY + 0.01, LOW], [900, 100], 0.0, 1),
        ([HIGH, LOW, NOISY + 0.01], [900, 100, 300], 3.0, 2),
    ],
)
def test_which_candidate_is_kept(losses: Any, rows: Any, sure: float, kept: int) -> None:
    """The lowest loss, but of those that are not surely worse the one with the most rows."""
    assert best(losses, rows, sure) == kept


def test_a_single_row_decides_nothing_against_more_rows() -> None:
    """One row has no standard error: only an equal loss lets more rows win."""
    assert best([np.array([0.4]), np.array([0.3])], [900, 100], 3.0) == 1
    assert best([np.array([0.3]), np.array([0.3])], [100, 900], 3.0) == 1


ROWS = TrainableRows(
    times=np.zeros(4, "datetime64[us]"),
    columns={"x": np.arange(4.0)},
    labels=np.arange(4),
    ordinals=np.arange(10, 14),
)


def asked(answer: Any) -> tuple[list[int], list[float] | None]:
    """Return the positions and weights that come of a function's answer."""
    choice = RowChoice(rows=span(10, 14), rule="", function="mine")
    positions, after = chosen(choice, ROWS, {"mine": lambda _: answer})
    assert positions is not None
    weights = None if after.weights is None else unpacked(after.weights).tolist()
    return positions.tolist(), weights


@pytest.mark.parametrize(
    ("answer", "positions", "weights"),
    [
        ([True, False, True, False], [0, 2], None),
        (np.array([True, True, True, True]), [0, 1, 2, 3], None),
        ([3, 0], [0, 3], None),
        (np.array([2], dtype=np.uint8), [2], None),
        ([0.5, 0.0, 2.0, 1e-9], [0, 2, 3], [0.5, 2.0, 1e-9]),
        (np.ones(4, dtype=np.float32), [0, 1, 2, 3], [1.0] * 4),
    ],
    ids=repr,
)
def test_what_a_function_may_answer(answer: Any, positions: Any, weights: Any) -> None:
    """Truths, positions or weights, as an array or a list."""
    assert asked(answer) == (positions, weights)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({0, 1}, r"mine returned a set of shape \(\) for 4 rows"),
        (None, r"mine returned a NoneType of shape \(\) for 4 rows"),
        ([[True]], r"mine returned a list of shape \(1, 1\) for 4 rows"),
        ([[True], [1, 2]], "mine returned a list for 4 rows"),
        (["a", "b"], "mine returned values such as .*'a'"),
        ([True, False], "mine returned 2 truths for 4 rows"),
        ([0.1], "mine returned 1 weights for 4 rows"),
        ([4], "mine returned the position 4 of 4 rows"),
        ([-1], "mine returned the position -1 of 4 rows"),
        ([1, 1, 2], "mine returned the same position more than once"),
        ([0.1, float("nan"), 1.0, 1.0], "mine gave row 1 the weight nan"),
        ([0.1, 1.0, -0.5, 1.0], "mine gave row 2 the weight -0.5"),
        ([], "mine returned 0 weights for 4 rows"),
    ],
    ids=repr,
)
def test_what_a_function_may_not_answer(answer: Any, told: str) -> None:
    """Anything else is refused, and the message says what it was."""
    with pytest.raises(ChoiceInvalid, match=told):
        asked(answer)


@pytest.mark.parametrize("answer", [[False] * 4, [0.0] * 4], ids=repr)
def test_a_function_that_chooses_nothing(answer: Any) -> None:
    """No row at all is a sound answer, on which nothing can be trained."""
    with pytest.raises(DataUnfit, match="mine chose none of the 4 rows") as caught:
        asked(answer)
    assert not isinstance(caught.value, ChoiceInvalid)


def test_a_function_that_fails() -> None:
    """What it raised is told; one that is not there is missed by its name."""
    choice = RowChoice(rows=span(10, 14), rule="", function="mine")

    def fails(rows: TrainableRows) -> Any:
        return rows.columns["y"]

    with pytest.raises(ChoiceInvalid, match="mine raised KeyError: 'y'"):
        chosen(choice, ROWS, {"mine": fails})
    with pytest.raises(DataUnfit, match="were to be chosen by mine, which the loop's"):
        chosen(choice, ROWS, {})
    assert chosen(RowChoice(rows=span(10, 14), rule=""), ROWS, {})[0] is None


def test_functions_are_called_by_their_names() -> None:
    """A function's own name, or another one; those of candidates are found too."""
    own = By(lambda rows: rows.labels > 0, name="positives")
    assert own.plan(1000, None, None).rule == "the rows that positives chooses"
    assert own.plan(1000, 300, SINCE).choices[0].function == "positives"
    assert (own.plan(1000, 300, SINCE).since_row, own.needed(300)) == (300, 200)
    found = functions_of(Chosen(candidates=(Everything(), own, By(len))))
    assert set(found) == {"positives", "len"}
    assert set(functions_of(By(np.flatnonzero))) == {"flatnonzero"}
    assert functions_of(Everything()) == {}
