"""`ratoon emit` and `ratoon retrain`, beside a loop and with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ratoon.core.events import REQUESTED, ROLLBACK_REQUESTED
from ratoon.engine import Loop, Records
from ratoon.stores.folder import FolderLock

Run = Callable[..., str]
Read = Callable[..., Any]


def test_emit_beside(run: Run, read: Read, home: Path, records: Records) -> None:
    """`emit` stores an event once, and leaves it for the loop's next call."""
    args = ("emit", "fraud", "shop.closed", "--data", '{"in": "Rome"}', "--id", "e1")
    found = read(*args, "--source", "shop", "--subject", "south", "--home", home)
    assert (found["stored"], found["taken_in"]) == (True, False)
    again = run(*args, "--source", "shop", "--home", home)
    assert "known already" in again
    [event] = [event for event in records.events() if event.source == "shop"]
    assert (event.id, event.subject, dict(event.data)) == ("e1", "south", {"in": "Rome"})
    assert read("status", "fraud", "--home", home)["not_taken_in"] == 1
    assert "pending" in run("status", "fraud", "--home", home)


@pytest.mark.parametrize(
    ("data", "rule"),
    [("{", "this is no JSON"), ("[1]", "must be an object"), ('{"x": NaN}', "NaN is no JSON")],
)
def test_emit_bad_data(run: Run, home: Path, records: Records, data: str, rule: str) -> None:
    """Data that is no JSON object is refused with exit code 2, and nothing is stored."""
    before = len(records.events())
    assert rule in run("emit", "fraud", "a.b", "--data", data, "--home", home, code=2)
    assert len(records.events()) == before


def test_emit_own_type(run: Run, home: Path) -> None:
    """Types that Ratoon makes itself cannot be emitted: their data would not be checked."""
    told = run("emit", "fraud", ROLLBACK_REQUESTED, "--home", home, code=2)
    assert "ratoon rollback" in told or "ratoon retrain" in told


def test_retrain_beside(run: Run, home: Path, records: Records, loop: Loop) -> None:
    """`retrain` leaves the same event as `loop.retrain()`, which makes the loop retrain later."""
    text = run("retrain", "fraud", "--reason", "audit", "--by", "Ana", "--home", home)
    assert "at its next call" in text
    runs = len(records.runs())
    with loop:
        loop.tick()
        assert len(loop.runs()) == runs + 1
    event = next(e for e in records.events() if dict(e.data) == {"reason": "audit", "by": "Ana"})
    assert (event.type, event.source, event.subject) == (REQUESTED, "person", "fraud")


def test_emit_to_the_loop(run: Run, read: Read, home: Path, target: str) -> None:
    """With --app the loop is opened and acts at once; what it prints stays out of the answer."""
    found = read("emit", "fraud", "pricing.changed", "--app", target)
    assert (found["stored"], found["taken_in"]) == (True, True)
    assert found["decisions"][0]["causes"][0]["event_type"] == "pricing.changed"
    assert "nothing followed" in run("emit", "fraud", "other.thing", "--app", target)
    assert read("status", "fraud", "--home", home)["not_taken_in"] == 0


def test_retrain_the_loop(run: Run, home: Path, target: str) -> None:
    """`retrain --app` trains now; --home names another folder than the definition's."""
    text = run("retrain", "fraud", "--app", target, "--home", home)
    assert "  retrain: " in text
    assert "The champion is fraud@" in text


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("nocolon", "not of the form module:name"),
        ("no_such_module:loop", "there is no module 'no_such_module'"),
        ("MODULE:absent", "its loops are ['loop']"),
        ("MODULE:number", "it is a int, not a Loop"),
        ("broken:loop", "ZeroDivisionError"),
        ("lacking:loop", "No module named 'not_installed'"),
    ],
)
def test_bad_app(run: Run, tmp_path: Path, target: str, wrong: str, why: str) -> None:
    """What does not lead to a loop is an error that says where the way ended."""
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "lacking.py").write_text("import not_installed\n")
    asked = wrong.replace("MODULE", target.partition(":")[0])
    assert why in run("emit", "fraud", "a.b", "--app", asked, code=1)


def test_app_of_another_name(run: Run, target: str) -> None:
    """An app whose loop has another name than LOOP is an error."""
    assert "is called 'fraud', not 'spam'" in run("retrain", "spam", "--app", target, code=1)


def test_busy(read: Read, home: Path, target: str) -> None:
    """With --app a loop that another process runs is an error, told as JSON where asked."""
    lock = FolderLock(home, "fraud")
    found = read("emit", "fraud", "a.b", "--app", target, code=1)
    lock.release()
    assert found["error"]["type"] == "LoopBusy"
    assert "beside it" in found["error"]["hint"]
