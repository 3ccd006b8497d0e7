"""Data checks before a training: a bad upload is set aside, and the rest is trained on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import ratoon as rt
from ratoon.engine import VirtualClock
from ratoon.stores import MemoryStore, MemoryVault

CHANCE_SEED = 7
START = datetime(2026, 1, 1, tzinfo=UTC)


def batch(rng: np.random.Generator, rows: int) -> tuple[dict[str, Any], list[str]]:
    """Return rows whose labels follow their features but for chance."""
    amount, age = rng.gamma(2, 50, rows), rng.normal(40, 10, rows)
    noise = rng.normal(0, 40, rows)
    labels = ["yes" if value > 0 else "no" for value in amount - 2 * age + 40 + noise]
    return {"amount": amount, "age": age}, labels


def loop_of(**settings: Any) -> rt.Loop:
    """Return a loop that trains on all rows when it is told to."""
    usual: dict[str, Any] = {
        "trainer": lambda data: LogisticRegression(max_iter=500).fit(data.X, data.y),
        "retrain_when": rt.triggers.On("now"),
        "train_on": rt.windows.Everything(least=100),
        "accept_if": rt.gates.Untested(),
        "rollout": rt.rollouts.Direct(watch=0),
    }
    if "home" not in settings:
        usual |= {"store": MemoryStore(), "vault": MemoryVault()}
    return rt.Loop("checked", **{**usual, **settings})


def lived(loop: rt.Loop, *, spoilt: bool) -> list[str]:
    """Let a loop take five uploads, the third of which has another unit; return its ids."""
    rng = np.random.default_rng(CHANCE_SEED)
    loop.fit(*batch(rng, 2000))
    bad: list[str] = []
    for upload in range(5):
        rows, labels = batch(rng, 600)
        if spoilt and upload == 2:
            rows["amount"] = rows["amount"] * 1000
        ids = [f"u{upload}-{row}" for row in range(600)]
        loop.predict(rows, ids=ids)
        loop.label(ids, labels)
        bad += ids if upload == 2 else []
    loop.emit("now")
    return bad


@pytest.mark.parametrize("where", ["memory", "folder"])
def test_a_bad_upload_is_set_aside(where: str, tmp_path: Path) -> None:
    """An upload in another unit is set aside by its rows; all others are trained on."""
    loop = loop_of(**({"home": tmp_path} if where == "folder" else {}))
    bad = lived(loop, spoilt=True)
    [aside] = loop.data.quarantined()
    assert sum(len(part) for part in aside.rows) == len(bad)
    assert aside.rows == loop.data.blame(bad).ordinals
    assert any("1,000" in reason or "1000" in reason for reason in aside.reasons)
    run, pin = loop.runs()[-1], loop.data.snapshots()[-1]
    assert run.status != "failed"
    assert aside.run_id == run.id
    assert not any(
        part.start < r.stop and r.start < part.stop for part in pin.rows for r in aside.rows
    )
    [told] = [event for event in loop.events() if event.type == "ratoon.data.quarantined"]
    assert told.data["rows"] == len(bad)
    check = next(step for step in run.steps if step.name == "check")
    assert check.wrote["set_aside"] == len(bad)
    loop.close()


def test_good_uploads_are_trained_on() -> None:
    """Where nothing is wrong nothing is set aside, and the run says what it checked by."""
    loop = loop_of()
    lived(loop, spoilt=False)
    assert loop.data.quarantined() == []
    check = next(step for step in loop.runs()[-1].steps if step.name == "check")
    assert check.wrote["set_aside"] == 0
    loop.close()


def test_released_rows_are_not_set_aside_again() -> None:
    """Rows that a person lets go of are trained on, whatever the rules say of them."""
    loop = loop_of()
    lived(loop, spoilt=True)
    [aside] = loop.data.quarantined()
    before = loop.data.snapshots()[-1].count
    loop.data.release(aside.id, by="ann")
    loop.retrain("the unit was right")
    assert [q.id for q in loop.data.quarantined() if q.released_at is None] == []
    assert loop.data.snapshots()[-1].count > before
    loop.close()


def test_a_person_edits_the_rules(tmp_path: Path) -> None:
    """The rules are a file; what a person says there is heeded at the next training."""
    loop = loop_of(home=tmp_path)
    lived(loop, spoilt=False)
    text = loop.rules_file.read_text()
    assert "amount" in text
    loop.rules_file.write_text(text.replace("version = 1", "version = 0"))
    loop.retrain("again")
    run = loop.runs()[-1]
    assert run.status == "failed"
    assert "version" in str(run.error)
    loop.close()


def test_checks_can_be_left_out() -> None:
    """Without checks every labelled row is trained on."""
    loop = loop_of(checks=False)
    lived(loop, spoilt=True)
    assert loop.data.quarantined() == []
    loop.close()


def reasons_of(loop: rt.Loop) -> str:
    """Return why rows were set aside, and what else the last check found."""
    check = next(step for step in loop.runs()[-1].steps if step.name == "check")
    return f"{[q.reasons for q in loop.data.quarantined()]} {check.decided}"


@pytest.mark.parametrize("where", ["memory", "folder"])
def test_events_that_are_later_than_their_rows(where: str, tmp_path: Path) -> None:
    """A batch whose events had not happened when it came is set aside, though they are past now."""
    clock = VirtualClock(START)
    loop = loop_of(clock=clock, **({"home": tmp_path} if where == "folder" else {}))
    rng, late = np.random.default_rng(CHANCE_SEED), START + timedelta(days=30)
    loop.fit(*batch(rng, 2000))
    for upload in range(4):
        clock.advance(timedelta(days=1))
        rows, labels = batch(rng, 600)
        ids = [f"u{upload}-{row}" for row in range(600)]
        loop.predict(rows, ids=ids, times=[late] * 600 if upload == 1 else None)
        loop.label(ids, labels)
    clock.set(START + timedelta(days=60))
    loop.emit("now")
    assert "later than the row came" in reasons_of(loop)
    bad = [f"u1-{row}" for row in range(600)]
    [aside] = loop.data.quarantined()
    assert aside.rows == loop.data.blame(bad).ordinals
    loop.close()


def test_labels_that_are_older_than_their_events() -> None:
    """Labels that were there before what they are about had happened are set aside."""
    clock = VirtualClock(START)
    loop = loop_of(clock=clock)
    rng = np.random.default_rng(CHANCE_SEED)
    loop.fit(*batch(rng, 2000))
    for upload in range(4):
        clock.advance(timedelta(days=1))
        rows, labels = batch(rng, 600)
        ids = [f"u{upload}-{row}" for row in range(600)]
        if upload == 1:
            loop.label(ids, labels)
            clock.advance(timedelta(hours=5))
        loop.predict(rows, ids=ids)
        if upload != 1:
            loop.label(ids, labels)
    loop.emit("now")
    assert "older than the event" in reasons_of(loop)
    [aside] = loop.data.quarantined()
    assert aside.rows == loop.data.blame([f"u1-{row}" for row in range(600)]).ordinals
    loop.close()


def test_people_on_both_sides_of_the_split(tmp_path: Path) -> None:
    """Training rows of people by whom a model is judged are left out once, and stay good."""
    loop = loop_of(home=tmp_path)
    rng = np.random.default_rng(CHANCE_SEED)

    def people(start: int, rows: int) -> tuple[dict[str, Any], list[str]]:
        known, labels = batch(rng, rows)
        return known | {"person": [float(start + row) for row in range(rows)]}, labels

    loop.fit(*people(0, 2000))
    for upload in range(4):
        rows, labels = people(2000 + 600 * upload, 600)
        if upload == 3:
            rows["person"][-300:] = [float(2000 + row) for row in range(300)]
        loop.label(loop.predict(rows).ids, labels)
    loop.emit("now")
    text = loop.rules_file.read_text()
    loop.rules_file.write_text(text.replace("version = 1", 'version = 1\nentity = "person"', 1))
    loop.retrain("with people apart")
    run = loop.runs()[-1]
    check = next(step for step in run.steps if step.name == "check")
    assert "300 training rows are about entities" in str(check.decided)
    assert check.wrote["left_out"] == 300
    assert check.wrote["set_aside"] == 0
    assert loop.data.quarantined() == []
    loop.close()
