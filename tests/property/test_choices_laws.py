"""Laws of snapshot plans: what judges was never trained on, nor what chooses before it is time."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ratoon.core import wire
from ratoon.core.deciding import SnapshotPlan
from ratoon.windows import AgeWeighted, By, Chosen, Everything, Last, SinceChange, TrainOn
from ratoon.windows.choices import best

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
HELD = {
    "least": st.integers(2, 300),
    "holdout": st.floats(0.01, 0.9),
    "holdout_most": st.integers(1, 600),
}
CANDIDATES = st.one_of(
    st.just(Everything()),
    st.just(SinceChange()),
    st.builds(Last, rows=st.integers(2, 1500)),
    st.builds(AgeWeighted, half_life=st.integers(1, 900)),
    st.just(AgeWeighted(half_life="3d")),
    st.just(By(len)),
)
RULES = st.one_of(
    st.builds(Everything, **HELD),
    st.builds(Last, rows=st.integers(2, 1500), **HELD),
    st.builds(AgeWeighted, half_life=st.integers(1, 900), **HELD),
    st.builds(By, st.just(len), **HELD),
    st.builds(
        Chosen,
        candidates=st.lists(CANDIDATES, min_size=1, max_size=5, unique=True).map(tuple),
        folds=st.integers(1, 5),
        refit=st.booleans(),
        **HELD,
    ),
)


@given(rule=RULES, rows=st.integers(5, 3000), data=st.data())
def test_no_row_judges_what_knows_it(rule: TrainOn, rows: int, data: st.DataObject) -> None:
    """Rows to train on come before those to choose on, and those before the rows that judge."""
    since_row = data.draw(st.none() | st.integers(0, rows - 1))
    if rows < rule.needed(since_row):
        return
    plan = rule.plan(rows, since_row, SINCE)
    assert wire.loads(SnapshotPlan, wire.dumps(plan)) == plan
    assert plan.holdout.stop == rows
    assert len(plan.holdout) >= 1
    assert 0 <= plan.train.start < plan.train.stop <= plan.holdout.start
    assert all(choice.rows.stop == plan.train.stop for choice in plan.choices)
    assert not plan.choices or plan.choices[0].rows == plan.train
    if not plan.blocks:
        assert plan.chosen_on is None
        assert len(plan.choices) <= 1
        return
    assert plan.chosen_on is not None
    assert (plan.blocks[0].start, plan.blocks[-1].stop) == (
        plan.chosen_on.start,
        plan.chosen_on.stop,
    )
    assert plan.chosen_on.stop == plan.holdout.start
    assert all(one.stop == other.start for one, other in pairwise(plan.blocks))
    assert len({len(block) for block in plan.blocks}) == 1
    assert plan.train.stop == (plan.holdout if plan.refit else plan.blocks[-1]).start
    assert len({(c.rows, c.folds, c.half_life_rows, c.function) for c in plan.choices}) >= 2
    for choice in plan.choices:
        assert len(choice.folds) == len(plan.blocks)
        for trained, block in zip(choice.folds, plan.blocks, strict=True):
            assert trained.stop == block.start
            assert trained.start < trained.stop


@given(
    losses=st.lists(st.lists(st.floats(0, 9), min_size=3, max_size=3), min_size=1, max_size=5),
    sure=st.floats(0, 5),
    data=st.data(),
)
def test_the_kept_candidate_is_not_surely_worse(
    losses: list[list[float]], sure: float, data: st.DataObject
) -> None:
    """It has more rows than the one of the lowest loss, or it is that one."""
    many = len(losses)
    rows = data.draw(st.lists(st.integers(1, 999), min_size=many, max_size=many))
    found = [np.array(one) for one in losses]
    kept = best(found, rows, sure)
    lowest = min(range(many), key=lambda n: float(found[n].mean()))
    assert rows[kept] >= rows[lowest]
    gaps = found[kept] - found[lowest]
    assert gaps.mean() <= sure * gaps.std(ddof=1) / np.sqrt(3) + 1e-12
