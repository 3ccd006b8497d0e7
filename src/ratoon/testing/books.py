"""Checks of what a store keeps of a loop's turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ratoon.core.deciding import (
    Alternative,
    Decision,
    Firing,
    Hold,
    Retrain,
    Rollback,
    SnapshotPlan,
    Wait,
)
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement, RowRange, Window
from ratoon.core.running import Run, Step
from ratoon.core.versions import Artifact, ModelVersion, Verdict
from ratoon.stores.protocol import Kept, Record, Saved, Store
from ratoon.testing.comparing import expect_entries, expect_equal, expect_raised
from ratoon.testing.drafts import StoreMaker, event, history, labels, moment, predictions

_WINDOW = Window(start=moment(), end=moment(5), rows=RowRange(start=0, stop=9))
_SAVED = Saved(
    cursor=4, begun=True, state='{"rows":9}', definition="Policy()", schema="{}", target="{}"
)


def check_commit(make: StoreMaker) -> None:
    """A turn's record is read back equal: where the loop is, and all that was recorded."""
    store = make("commit")
    record = _full_record()
    store.commit(record)
    expect_equal("saved", store.saved(), record.saved)
    expect_equal("delays", store.delays(), record.delays)
    for name in ("measurements", "events", "decisions", "runs", "versions"):
        expect_equal(name, list(getattr(store, name)()), list(getattr(record, name)))
    expect_equal("run", store.run("r1"), record.runs[0])
    expect_equal("version", store.version(2), record.versions[1])
    expect_equal("no such version", store.version(3), None)
    expect_equal("champion", store.alias("champion"), 1)
    expect_equal("challenger", store.alias("challenger"), 2)


def check_commits_add_up(make: StoreMaker) -> None:
    """Later records come behind earlier ones; runs, versions and aliases change in place."""
    store = make("commits-add-up")
    record = _full_record()
    store.commit(record)
    ended = replace(record.runs[0], status="settled", version=1)
    third = _run("r3")
    moved = replace(record.versions[0], standing='{"rows":12}')
    late = _hold("d9")
    store.commit(
        Record(
            saved=replace(_SAVED, cursor=5, begun=False),
            measurements=(_measurement(0.5),),
            decisions=(late,),
            runs=(third, ended),
            versions=(moved,),
            aliases={"challenger": None},
        )
    )
    expect_equal("saved", store.saved(), replace(_SAVED, cursor=5, begun=False))
    expect_equal("delays stay", store.delays(), record.delays)
    expect_equal("decisions", list(store.decisions()), [*record.decisions, late])
    expect_equal("measurements", list(store.measurements())[-1], _measurement(0.5))
    expect_equal("runs", list(store.runs()), [ended, record.runs[1], third])
    expect_equal("versions", list(store.versions()), [moved, record.versions[1]])
    expect_equal("champion stays", store.alias("champion"), 1)
    expect_equal("challenger is gone", store.alias("challenger"), None)


def check_events_of_records(make: StoreMaker) -> None:
    """Events of records and events from outside stand in one list, each (source, id) once."""
    store = make("events-of-records")
    store.append(event("e1", "shop"))
    own = _event("e1", "/ratoon/x")
    store.commit(Record(saved=_SAVED, events=(own, own)))
    store.commit(Record(saved=_SAVED, events=(replace(own, type="other"),)))
    again = store.append(event("e1", "/ratoon/x"))
    expect_equal("an event that a turn stored", again.repeated, 1)
    found = [(told.source, told.id, told.type) for told in store.events()]
    expected = [("shop", "e1", "pricing.changed"), ("/ratoon/x", "e1", "ratoon.test")]
    expect_equal("events", found, expected)


def check_commit_is_whole(make: StoreMaker) -> None:
    """A record that cannot be stored to its end leaves no trace."""
    store = make("commit-is-whole")
    store.commit(Record(saved=_SAVED, aliases={"champion": 1}))
    for name in ("measurements", "events", "decisions", "runs", "versions"):
        whole = replace(_full_record(), saved=replace(_SAVED, cursor=99), aliases={"champion": 2})
        broken: Sequence[Any] = _Breaking(list(getattr(whole, name)))
        record = replace(whole, **{name: broken})
        expect_raised(f"{name} that break", _Broke, lambda r=record: store.commit(r))
        expect_equal(f"saved after {name} broke", store.saved(), _SAVED)
        for kept in ("measurements", "events", "decisions", "runs", "versions"):
            expect_equal(f"{kept} after {name} broke", list(getattr(store, kept)()), [])
        expect_equal(f"champion after {name} broke", store.alias("champion"), 1)


def check_loops_apart(make: StoreMaker) -> None:
    """Two loops in one database do not see each other, though ids and numbers are the same."""
    one, other = make("apart-one"), make("apart-other")
    for store, value in ((one, "left"), (other, "right")):
        store.append(history([value, value]))
        store.append(predictions(["a"]))
        store.append(labels(["a", "parked"], [value, value]))
        store.append(event("e1"))
        store.commit(replace(_full_record(), saved=replace(_SAVED, state=value)))
    one.append(predictions(["parked"]))
    one.commit(Record(saved=_SAVED, aliases={"champion": 7}))
    expect_equal("counts of one", one.counts().labelled, 4)
    expect_equal("counts of the other", other.counts().labelled, 3)
    expect_equal("parked at the other", other.counts().parked, 1)
    expect_equal("last_seq of the other", other.last_seq(), 4)
    rows = other.labelled(RowRange(start=0, stop=9))
    expect_equal("labels of the other", list(rows.values), ["right"] * 3)
    expect_equal("predictions of the other", sorted(other.predictions(["a", "parked"])), ["a"])
    expect_equal("state of the other", other.saved().state, "right")
    expect_equal("champion of the other", other.alias("champion"), 1)
    expect_equal("runs of the other", len(other.runs()), 2)
    expect_equal("a third", make("apart-third").last_seq(), 0)


def check_reopened(make: StoreMaker) -> None:
    """A store that is closed and opened again reads the same, and goes on where it was."""
    store = make("reopened")
    for draft in (history([0, 1]), predictions(["a", "b"]), labels(["b", "late"], [1, 0])):
        store.append(draft)
    store.append(event("e1"))
    store.commit(_full_record())
    before = _read(store)
    entries = list(store.entries(0))
    store.close()
    again = make("reopened")
    expect_equal("what is read", _read(again), before)
    expect_entries("the journal", list(again.entries(0)), entries)
    receipt = again.append(predictions(["late"]))
    expect_equal("the next entry", receipt.seq, 5)
    rows = again.labelled(RowRange(start=3, stop=4))
    expect_equal("the label that was parked", (rows.ids, rows.values), (("late",), (0,)))


def _read(store: Store) -> dict[str, object]:
    names = (
        "last_seq",
        "saved",
        "counts",
        "events",
        "decisions",
        "measurements",
        "runs",
        "versions",
    )
    found: dict[str, object] = {name: getattr(store, name)() for name in names}
    rows = store.labelled(RowRange(start=0, stop=99))
    aliases = (store.alias("champion"), store.alias("challenger"))
    return found | {"ids": rows.ids, "values": rows.values, "aliases": aliases}


class _Broke(Exception):
    """A record that cannot be read to its end."""


class _Breaking(list[Any]):
    """A sequence that breaks behind its last item."""

    def __iter__(self) -> Iterator[Any]:
        yield from self[:]
        raise _Broke


def _full_record() -> Record:
    plan = SnapshotPlan(
        train=RowRange(start=0, stop=80),
        holdout=RowRange(start=80, stop=100),
        rule="all labelled rows",
        since=moment(2),
    )
    decisions: tuple[Decision, ...] = (
        Retrain(id="d1", loop="x", at=moment(), causes=(_firing(),), plan=plan),
        Wait(id="d2", loop="x", at=moment(), causes=(), reason="few", until=moment(60)),
        _hold("d3"),
        Rollback(id="d4", loop="x", at=moment(), causes=(), reason="worse", to=1, leaves=2),
    )
    return Record(
        saved=_SAVED,
        measurements=(_measurement(0.25), _measurement(None)),
        events=(_event("e1", "/ratoon/x"), _event("e2", "/ratoon/x")),
        decisions=decisions,
        runs=(_run("r1"), _run("r2")),
        versions=(_kept(1), _kept(2)),
        aliases={"champion": 1, "challenger": 2},
        delays='{"seq":4}',
    )


def _hold(decision_id: str) -> Hold:
    refused = (Alternative(what="retrain", why="it is under test"),)
    return Hold(id=decision_id, loop="x", at=moment(), causes=(), reason="busy", refused=refused)


def _firing() -> Firing:
    return Firing(
        trigger="Drift()",
        event_type="ratoon.drift.concept",
        reason="mae drifted",
        at=moment(),
        since=moment(-60),
        since_row=40,
        evidence={"statistic": 4.5, "rows": [1, 2], "unknown": None},
        event_id="e1",
    )


def _measurement(value: float | None) -> Measurement:
    return Measurement(metric="mae", window=_WINDOW, value=value, n=9, stderr=value)


def _event(event_id: str, source: str) -> Event:
    data = {"reason": "ü", "limit": 0.5, "since": None}
    return Event(id=event_id, source=source, type="ratoon.test", time=moment(), data=data)


def _run(run_id: str) -> Run:
    step = Step(
        name="collect",
        started_at=moment(),
        ended_at=moment() + timedelta(seconds=1),
        read={"rows": [0, 80]},
        wrote={"snapshot": "abc"},
        decided="enough",
    )
    return Run(
        id=run_id, loop="x", decision_id="d1", status="testing", started_at=moment(), steps=(step,)
    )


def _kept(number: int) -> Kept:
    verdict = Verdict(gate="Better()", outcome="pass", reason="lower", metric="mae", n=50, low=-0.5)
    version = ModelVersion(
        loop="x",
        number=number,
        created_at=moment(),
        artifact=Artifact(sha256="ab" * 32, size=10, format="skops"),
        snapshot="cd" * 32,
        run_id="r1",
        parent=None if number == 1 else number - 1,
        baseline=(_measurement(0.25),),
        verdict=verdict,
        environment={"python": "3.11"},
    )
    return Kept(version=version, standing='{"rows":9}')
