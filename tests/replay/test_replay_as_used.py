"""Replay as people use it: tables, policies by name, and trainings that take time."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

import ratoon as rt
from ratoon.core.deciding import Retrain
from ratoon.core.errors import RowsRefused, SettingInvalid
from ratoon.core.events import PROMOTED
from ratoon.engine import VirtualClock
from ratoon.engine.replay import drive
from ratoon.executors import Delayed
from ratoon.stores import MemoryStore, MemoryVault


def loop(**changes: Any) -> rt.Loop:
    settings: dict[str, Any] = {
        "trainer": lambda data: LogisticRegression().fit(data.X, data.y),
        "retrain_when": rt.triggers.Degraded(by=0.2),
        "limits": rt.Limits(retry=100),
        "rollout": rt.rollouts.Direct(watch=300),
        "window": 50,
    }
    return rt.Loop("turning", **{**settings, **changes})


def table(rows: int = 3000) -> dict[str, Any]:
    """A year of rows, hour by hour of it, whose concept turns around twice."""
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=rows), rng.normal(size=rows)
    turned = (np.arange(rows) // 1000) % 2 == 1
    y = (a + 0.3 * rng.normal(size=rows) > 0) != turned
    at = np.datetime64("2026-01-01T00", "us") + np.arange(rows) * np.timedelta64(3, "h")
    return {"a": a, "b": b, "at": at, "y": np.where(y, "bad", "good")}


READ: dict[str, Any] = {"target": "y", "time": "at", "label_delay": "12h"}


def test_a_table_is_a_history_whatever_it_comes_in() -> None:
    """pandas, polars, pyarrow, a dict, and the History made of them: the same figures."""
    rows = table(2200)
    given = [rows, pd.DataFrame(rows), pl.DataFrame(rows), pa.table(rows)]
    found = [rt.replay(loop(), one, **READ) for one in given]
    found.append(rt.replay(loop(), rt.History.of_table(rows, **READ)))
    assert len({str(report.rows[0].record()) for report in found}) == 1
    assert found[0]["turning"].retrainings > 0


def test_policies_of_one_loop_are_triggers_loops_and_texts() -> None:
    """A mapping by name, or a list of texts; each becomes a policy of the loop."""
    rows = table(2200)
    report = rt.replay(
        loop(),
        rows,
        policies={
            "never": rt.triggers.Never(),
            "as it is": loop(),
            "monthly": "every:30d",
        },
        **READ,
    )
    assert [row.name for row in report.rows] == ["never", "as it is", "monthly"]
    assert report["never"].retrainings == 0
    again = rt.replay(loop(), rows, policies=["never", "loop"], **READ)
    assert again["loop"].record() == report["as it is"].record()


def test_regret_is_above_the_cheapest_of_those_replayed() -> None:
    """The cheapest has none; cost, regret, frontier and recommendation agree with one another."""
    report = rt.replay(
        loop(), table(), policies=["never", "loop", "every:20d"], retrain_cost=5, **READ
    )
    costs = {row.name: row.cost for row in report.rows}
    least = min(costs, key=lambda name: costs[name])
    assert report.recommendation is not None
    assert report.recommendation.best == least
    assert report.regret[least] == 0
    assert least in report.frontier
    for row in report.rows:
        assert row.cost == pytest.approx(row.losses.sum() + 5 * row.fits)
        assert row.fits == sum(row.paid.values())
    here = [s for s in report.cheapest if s.low <= 5 and (s.high is None or s.high > 5)]
    assert [s.name for s in here] == [least]


def test_the_record_holds_everything() -> None:
    """Figures, regret, frontier, prices and recommendation, as JSON values."""
    report = rt.replay(loop(), table(), policies=["never", "loop"], retrain_cost=5, **READ)
    found: Any = report.record()
    assert set(found["policies"]) == {"never", "loop"}
    assert found["policies"]["loop"]["retrain_when"] == "Degraded(by=0.2)"
    assert found["recommendation"]["best"] in found["policies"]
    assert found["cheapest"][0]["from"] == 0
    assert found["rows"] == 2700
    assert "cost least of the 2 policies" in str(report)
    assert report._repr_html_().startswith("<iframe srcdoc=")


def test_a_training_takes_its_time() -> None:
    """A challenger exists so long after the decision and no sooner; the first model is there."""
    slow = rt.replay(loop(), table(), training_takes="2d", **READ)["turning"]
    fast = rt.replay(loop(), table(), **READ)["turning"]
    decided = {d.id: d.at for d in slow.decisions if isinstance(d, Retrain)}
    runs = {run.id: run for run in slow.runs}
    promoted = [e for e in slow.events if e.type == PROMOTED][1:]
    assert promoted
    for event in promoted:
        began = decided[runs[str(event.data["run"])].decision_id]
        assert event.time >= began + timedelta(days=2)
    first = [event.time for event in fast.events if event.type == PROMOTED][1]
    assert promoted[0].time >= first + timedelta(days=2)
    assert slow.versions[0].created_at == fast.versions[0].created_at


def test_a_training_of_no_time_is_none() -> None:
    """With no time told the decisions are those of an executor that trains at once."""
    plain = rt.replay(loop(), table(), **READ)["turning"]
    told = rt.replay(loop(), table(), training_takes="0s", **READ)["turning"]
    assert told.decisions == plain.decisions


@pytest.mark.parametrize("takes", ["1h", "30h", "9d"])
def test_a_loop_whose_trainings_take_time_is_replayed_decision_by_decision(takes: str) -> None:
    """Live with an executor that takes time, and replayed with that time: the same."""
    history = rt.History.of_table(table(), **READ)
    clock = VirtualClock(history.at)
    delayed = Delayed(clock, takes)
    live = loop(clock=clock, executor=delayed, store=MemoryStore(), vault=MemoryVault())
    for _ in drive(live, history, clock, delayed.next_end):
        pass
    again = rt.replay(live, history, training_takes=takes)["turning"]
    assert list(again.decisions) == list(live.decisions())
    assert list(again.events) == list(live.events())
    assert sum(isinstance(d, Retrain) for d in again.decisions) > 1
    moments = [event.time for event in again.events]
    assert all(a <= b for a, b in pairwise(moments))


def test_loops_of_different_losses_do_not_compare() -> None:
    """Where one loses errors and the other log loss there is no recommendation."""
    error = loop(metrics=[rt.metrics.Accuracy()])
    report = rt.replay({"log loss": loop(), "accuracy": error}, table(2200), **READ)
    if report.comparable:
        pytest.fail("accuracy and log loss are not the same loss")
    assert report.recommendation is None
    assert report.frontier == ()
    assert "do not compare" in str(report)
    assert "Costs do not compare" in report.to_html()


def test_what_is_asked_wrongly_is_told() -> None:
    """A missing target, settings of a table without one, and no policies."""
    rows = table(400)
    with pytest.raises(SettingInvalid, match="target"):
        rt.replay(loop(), rows)
    with pytest.raises(SettingInvalid, match="no table"):
        rt.replay(loop(), rt.History.of_table(rows, **READ), target="y")
    with pytest.raises(SettingInvalid, match="at least one"):
        rt.replay(loop(), rows, policies=[], **READ)
    with pytest.raises(SettingInvalid, match="of one loop"):
        rt.replay({"a": loop()}, rows, policies=["never"], **READ)
    with pytest.raises(SettingInvalid, match="training_takes"):
        rt.replay(loop(), rows, training_takes="soon", **READ)
    with pytest.raises(RowsRefused, match="'z'"):
        rt.replay(loop(), rows, target="z")


def test_the_only_column_of_times_says_when_the_rows_were() -> None:
    """It is no feature then; where there are two, or the times go back, all are features."""
    days = np.datetime64("2024-03-01") + np.arange(60)
    table: dict[str, Any] = {"at": days, "x": np.arange(60.0), "y": np.arange(60) % 2}
    told = rt.History.of_table(table, target="y")
    assert told.rows.schema.names == ("x",)
    assert told.times[0] == np.datetime64("2024-03-01")
    for more in ({"seen": days}, {"at": days[::-1]}):
        told = rt.History.of_table({**table, **more}, target="y")
        assert "at" in told.rows.schema.names
        assert told.times[0] == np.datetime64("2025-01-01")
    told = rt.History.of_table({**table, "seen": days}, target="y", ignore=("seen",))
    assert told.rows.schema.names == ("x",)
