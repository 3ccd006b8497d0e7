"""The desk: checks what comes in, stores it, and lets the conductor go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ratoon.core import wire
from ratoon.core.errors import (
    ColumnsMismatch,
    LengthMismatch,
    LoopNotStarted,
    LoopStarted,
    RowsRefused,
    SettingInvalid,
    TrainingFailed,
    ValueForbidden,
    VersionUnknown,
)
from ratoon.core.events import REQUESTED, ROLLBACK_REQUESTED, Event
from ratoon.core.ids import derive
from ratoon.core.schema import Schema
from ratoon.core.versions import ModelVersion
from ratoon.core.wire import Json
from ratoon.engine.answering import (
    answer_columns,
    answered_before,
    check_features,
    feature_columns,
    given_scores,
)
from ratoon.engine.checking import (
    check_judges,
    check_settings,
    checked_event,
    checked_ids,
    checked_kinds,
    checked_ratings,
)
from ratoon.engine.conductor import Conductor
from ratoon.engine.definition import Definition
from ratoon.engine.results import Predictions
from ratoon.engine.scoring import grown, score
from ratoon.engine.training import Ports, probe
from ratoon.policies import Policy
from ratoon.stores.protocol import Columns, Draft, Receipt, Store
from ratoon.stores.vault import Vault
from ratoon.windows.intake import read_rows, read_times
from ratoon.windows.judged import Judged, Scored, Target
from ratoon.windows.labels import Labels, decode, encode, extended, infer_target, read_labels
from ratoon.windows.rows import Rows
from ratoon.windows.snapshot import digest


class Desk:
    """An open loop."""

    def __init__(self, definition: Definition, store: Store, vault: Vault) -> None:
        """Open the loop where it was left, and take in what arrived meanwhile."""
        self.store = store
        self._definition = definition
        self._vault = vault
        self._clock = definition.clock
        self._made = 0
        self._epoch = store.last_seq()
        self._conductor: Conductor | None = None
        saved = store.saved()
        if saved.schema is not None and saved.target is not None:
            schema = wire.loads(Schema, saved.schema)
            target: Target = wire.loads(Target, saved.target)
            self._conductor = self._conducted(self._policy(target), schema, target)
            self._conductor.advance()

    @property
    def stale(self) -> bool:
        """Whether it may know less than its store, so that it must be opened anew."""
        return self._conductor is not None and self._conductor.stale

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def fit(self, rows: object, labels: object, times: object) -> ModelVersion:
        """Train the first champion on history."""
        conductor = self._with_history(rows, labels, times)
        conductor.begin("the first fit")
        return self._champion(conductor)

    def adopt(self, model: Any, rows: object, labels: object, times: object) -> ModelVersion:
        """Take a model that exists as the first champion."""
        table, values, target = self._history(rows, labels)
        probe(model, table, target)
        target = grown(target, model)
        said = score(model, table, target)
        judged = Judged(target=target, labels=encode(target, values), scored=said)
        check_judges(self._policy(target), judged)
        conductor = self._with_history(table, values, times)
        conductor.take(model)
        return self._champion(conductor)

    def predict(self, rows: object, ids: Sequence[str] | None, times: object) -> Predictions:
        """Let the champion answer, and keep what it answered."""
        conductor = self._started()
        table = read_rows(rows, conductor.schema)
        moments = read_times(times, len(table), self._clock.now())
        names = self._made_ids(len(table)) if ids is None else checked_ids(ids, len(table))
        conductor.converge()
        served = conductor.deployer.served()
        assert served is not None  # a started loop has a champion to converge to
        scored = score(served.model, table, conductor.target)
        columns = answer_columns(table, moments, scored, served.version)
        known: Mapping[str, Columns] = {} if ids is None else self.store.predictions(names)
        new = [row for row, name in enumerate(names) if name not in known]
        for row, name in enumerate(names):
            if name in known:
                check_features(name, known[name], columns, row)
        if new:
            self._append(
                Draft(
                    kind="predictions",
                    at=self._clock.now(),
                    ids=tuple(names[row] for row in new),
                    columns={name: column[new] for name, column in columns.items()},
                )
            )
        version = served.version
        if known:
            scored = answered_before(scored, known, names, conductor.target)
            version = version if new else int(known[names[0]]["version"][0])
        conductor.advance()
        outputs = np.array(decode(conductor.target, scored.outputs))
        return Predictions(
            ids=names,
            outputs=outputs,
            scores=scored.scores,
            classes=conductor.target.classes,
            version=version,
        )

    def record(
        self, rows: object, outputs: object, scores: object, ids: Sequence[str], times: object
    ) -> Receipt:
        """Keep predictions that the champion made elsewhere."""
        conductor = self._started()
        table = read_rows(rows, conductor.schema)
        moments = read_times(times, len(table), self._clock.now())
        names = checked_ids(ids, len(table))
        values = read_labels(outputs, conductor.target.task)
        if len(values) != len(table):
            raise LengthMismatch("the batch", len(table), "outputs", len(values))
        target = extended(conductor.target, values)
        if target != conductor.target and target.classes != conductor.target.classes:
            unknown = next(v for v in values if v not in conductor.target.classes)
            rule = f"one of the classes {list(conductor.target.classes)}"
            raise ValueForbidden("output", rule, unknown, values.index(unknown))
        scored = Scored(
            outputs=encode(target, values), scores=given_scores(scores, len(table), target)
        )
        if scored.scores is None:
            one = Judged(target=target, labels=scored.outputs[:1], scored=scored.take(slice(0, 1)))
            check_judges(conductor.policy, one)
        champion = self.store.alias("champion")
        columns = answer_columns(table, moments, scored, champion or 0)
        draft = Draft(kind="predictions", at=self._clock.now(), ids=names, columns=columns)
        return self._taken(draft)

    def label(self, ids: Sequence[str], labels: object) -> Receipt:
        """Take labels."""
        conductor = self._started()
        values = read_labels(labels, conductor.target.task)
        checked_kinds(values, conductor.target, self._definition.task)
        names = checked_ids(ids, len(values))
        return self._taken(Draft(kind="labels", at=self._clock.now(), ids=names, values=values))

    def feedback(
        self,
        ids: Sequence[str],
        ratings: Sequence[float] | None,
        corrections: Sequence[object] | None,
    ) -> Receipt:
        """Take users' feedback."""
        conductor = self._started()
        if ratings is None and corrections is None:
            raise RowsRefused("feedback needs ratings or corrections", hint="ratings=[-1, 1]")
        names = checked_ids(ids, len(list(ids)))
        rated = [None] * len(names) if ratings is None else checked_ratings(ratings)
        wanted = (None,) * len(names)
        if corrections is not None:
            wanted = read_labels(list(corrections), conductor.target.task)
            checked_kinds(wanted, conductor.target, self._definition.task, "correction")
        for what, found in (("ratings", rated), ("corrections", wanted)):
            if len(found) != len(names):
                raise LengthMismatch("ids", len(names), what, len(found))
        known = self.store.predictions(names)
        said: list[str] = []
        negative: list[str] = []
        for name, rating, correction in zip(names, rated, wanted, strict=True):
            said.append(wire.dumps({"rating": rating, "correction": correction}))
            answered = self._answer(known[name], conductor.target) if name in known else None
            corrected = correction is not None and correction != answered
            if (rating is not None and rating < 0) or corrected:
                negative.append(name)
        return self._taken(
            Draft(
                kind="feedback",
                at=self._clock.now(),
                ids=names,
                values=tuple(said),
                note={"negative": negative},
            )
        )

    def emit(
        self,
        kind: str,
        data: Mapping[str, Json] | None,
        subject: str | None,
        origin: tuple[str, str | None],
    ) -> Receipt:
        """Take an event from outside."""
        self._started()
        return self._taken(self._told(kind, data, subject, origin))

    def ask_to_retrain(self, reason: str, by: str) -> Receipt:
        """Take a person's wish for a retraining."""
        data: dict[str, Json] = {"reason": reason, "by": by}
        return self.emit(REQUESTED, data, self._definition.name, ("person", None))

    def rollback(self, to: int | None, reason: str, by: str) -> int:
        """Take a person's wish for a rollback; return the version that answers then."""
        conductor = self._started()
        before = self._champion(conductor)
        to = before.parent if to is None else to
        if to is None:
            raise VersionUnknown(self._definition.name, None, (before.number,))
        conductor.models.of_version(to)  # it must be there, and whole
        data: dict[str, Json] = {"to": to, "reason": reason, "by": by}
        self.emit(ROLLBACK_REQUESTED, data, self._definition.name, ("person", None))
        return self._champion(conductor).number

    def tick(self) -> None:
        """Let time pass."""
        conductor = self._conductor
        if conductor is None:
            return
        conductor.advance()
        if conductor.check_time():
            self._taken(Draft(kind="tick", at=self._clock.now()))

    def _history(self, rows: object, labels: object) -> tuple[Rows, Labels, Target]:
        """Read the rows that a loop begins with; after a fit that failed they must look alike."""
        definition, known = self._definition, self._conductor
        schema = None if known is None else known.schema
        table = read_rows(rows, schema, frame=definition.frame)
        values = read_labels(labels, definition.task if known is None else known.target.task)
        if len(values) != len(table):
            raise LengthMismatch("the batch", len(table), "labels", len(values))
        target = self._target(values) if known is None else extended(known.target, values)
        checked_kinds(values, target, definition.task)
        return table, values, target

    def _target(self, values: Labels) -> Target:
        """Tell what is predicted from the first labels, unless the task was said."""
        task, target = self._definition.task, infer_target(values)
        if task == "regression":
            return Target(task="regression")
        return target if task is None else Target(task=task, classes=target.classes)

    def _policy(self, target: Target) -> Policy:
        """Return the policy for the task that the first labels had.

        A class that comes later makes two classes three, and nothing of the policy.
        """
        first = next(iter(self.store.entries(0)), None)
        return self._definition.policy(
            target if first is None else self._target(first.draft.values)
        )

    def _with_history(self, rows: object, labels: object, times: object) -> Conductor:
        """Store the rows that a loop begins with, once, and open its conductor."""
        if self.store.alias("champion") is not None:
            raise LoopStarted(self._definition.name)
        table, values, target = self._history(rows, labels)
        moments = read_times(times, len(table), self._clock.now())
        policy = self._policy(target)
        check_settings(policy, target)
        note: dict[str, Json] = {"digest": digest(table, values)}
        columns = {**feature_columns(table), "time": moments}
        if self._is_new(columns, note["digest"]):
            now = self._clock.now()
            self._append(Draft(kind="history", at=now, values=values, columns=columns, note=note))
        self._conductor = self._conducted(policy, table.schema, target)
        return self._conductor

    def _is_new(self, columns: Columns, digest: Json) -> bool:
        """Tell whether rows of history are not stored yet; they must look like those that are."""
        for entry in self.store.entries(0):
            if entry.draft.note.get("digest") == digest:
                return False
            before = entry.draft.columns
            if entry.draft.kind == "history" and set(before) != set(columns):
                missing, extra = before.keys() - columns.keys(), columns.keys() - before.keys()
                raise ColumnsMismatch(tuple(sorted(missing)), tuple(sorted(extra)))
        return True

    def _conducted(self, policy: Policy, schema: Schema, target: Target) -> Conductor:
        definition = self._definition
        ports = Ports(
            store=self.store,
            vault=self._vault,
            executor=definition.executor,
            clock=definition.clock,
            trainer=definition.trainer,
            notifier=definition.notifier,
        )
        return Conductor(policy, ports, schema, target)

    def _started(self) -> Conductor:
        if self._conductor is None or self._conductor.state.reign is None:
            raise LoopNotStarted(self._definition.name)
        self._conductor.advance()
        return self._conductor

    def _champion(self, conductor: Conductor) -> ModelVersion:
        number = self.store.alias("champion")
        if number is None:
            raise TrainingFailed("the first training brought no champion")
        return conductor.models.version(number).version

    def _append(self, draft: Draft) -> Receipt:
        return self.store.append(draft)

    def _taken(self, draft: Draft) -> Receipt:
        """Store what arrived, then let everything follow that follows from it."""
        receipt = self._append(draft)
        if self._conductor is not None:
            self._conductor.advance()
        return receipt

    def _told(
        self,
        kind: str,
        data: Mapping[str, Json] | None,
        subject: str | None,
        origin: tuple[str, str | None],
    ) -> Draft:
        now, (source, event_id) = self._clock.now(), origin
        found = event_id or derive("event", self._definition.name, kind, self.store.last_seq() + 1)
        if data is not None and not isinstance(data, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
            raise SettingInvalid("event data", "a mapping of names to JSON values", data)
        event = Event(
            id=found, source=source, type=kind, time=now, subject=subject, data=dict(data or {})
        )
        return Draft(kind="event", at=now, note={"event": checked_event(event)})

    def _made_ids(self, rows: int) -> tuple[str, ...]:
        """Make the ids of a batch."""
        first = self._made
        self._made += rows
        return tuple(f"{self._epoch:x}-{n}" for n in range(first, first + rows))

    def _answer(self, columns: Columns, target: Target) -> object:
        return decode(target, columns["output"])[0]
