"""`ratoon rollback`: with no process, beside one, and with the loop itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ratoon.core.deciding import Rollback
from ratoon.core.events import ROLLBACK_REQUESTED
from ratoon.engine import Loop, Records

Run = Callable[..., str]
Read = Callable[..., Any]


def test_rollback_without_a_process(
    run: Run, read: Read, home: Path, records: Records, loop: Loop
) -> None:
    """`rollback` moves the champion at once; a loop that is opened later comes to the same."""
    leaves = records.version()
    assert leaves.parent is not None
    text = run("rollback", "fraud", "--reason", "audit", "--home", home, input="y\n")
    assert f"fraud@{leaves.parent} is the champion, in place of fraud@{leaves.number}" in text
    assert records.champion() == leaves.parent
    stands = read("status", "fraud", "--home", home)
    assert (stands["not_taken_in"], stands["since"]) == (1, None)
    with loop:
        assert loop.predict({"a": [0.0], "b": [0.0]}).version == leaves.parent
        [decision] = [d for d in loop.decisions() if isinstance(d, Rollback)]
        assert (decision.to, decision.leaves) == (leaves.parent, leaves.number)
        assert loop.status().rollbacks == 1
    assert records.champion() == leaves.parent
    assert read("status", "fraud", "--home", home)["since"] is not None


def test_rollback_beside_a_process(read: Read, home: Path, records: Records, loop: Loop) -> None:
    """A loop that runs answers with the earlier version from its next call on."""
    with loop:
        before = loop.predict({"a": [0.0], "b": [0.0]}).version
        found = read("rollback", "fraud@1", "--yes", "--home", home)
        assert (found["from"], found["to"], found["champion"]) == (before, 1, 1)
        assert (found["stored"], found["taken_in"]) == (True, False)
        assert loop.predict({"a": [0.1], "b": [0.0]}).version == 1
        assert records.champion() == 1


def test_rollback_behind_what_is_not_taken_in(
    run: Run, home: Path, records: Records, loop: Loop
) -> None:
    """What came before the wish and is taken in with it does not undo the rollback."""
    run("retrain", "fraud", "--home", home)
    run("rollback", "fraud@1", "--yes", "--home", home)
    with loop:
        loop.tick()
        assert loop.status().run != records.runs()[0]
        assert loop.predict({"a": [0.0], "b": [0.0]}).version == 1
    assert (records.champion(), records.challenger()) == (1, None)


def test_rollback_of_the_loop(read: Read, target: str, records: Records) -> None:
    """`rollback --app` carries it out whole."""
    found = read("rollback", "fraud@1", "--yes", "--app", target)
    assert (found["taken_in"], found["champion"]) == (True, 1)
    assert [decision["decision"] for decision in found["decisions"]] == ["roll back"]
    assert isinstance(records.decisions()[-1], Rollback)


def test_rollback_twice(run: Run, read: Read, home: Path, records: Records) -> None:
    """A rollback to the champion changes nothing; before the first version there is none."""
    run("rollback", "fraud@1", "--yes", "--home", home)
    events = len(records.events())
    assert "already" in run("rollback", "fraud@1", "--yes", "--home", home)
    assert read("rollback", "fraud@1", "--yes", "--home", home)["stored"] is False
    assert "there is none before it" in run("rollback", "fraud", "--yes", "--home", home, code=1)
    assert len(records.events()) == events


def test_rollback_asks(run: Run, read: Read, home: Path, records: Records) -> None:
    """Without --yes it asks, on stderr; a no and an end of the input change nothing."""
    champion = records.champion()
    asked = run("rollback", "fraud", "--home", home, input="n\n", code=1)
    assert f"the champion in place of fraud@{champion}?" in asked
    found = read("rollback", "fraud", "--home", home, code=1)
    assert found["error"]["type"] == "Aborted"
    assert records.champion() == champion
    assert not [event for event in records.events() if event.type == ROLLBACK_REQUESTED]
