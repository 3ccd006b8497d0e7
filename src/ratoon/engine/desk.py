"""The desk: checks what comes in, stores it, and lets the conductor go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import RLock
from typing import Any, TypeAlias

import numpy as np

from ratoon.core import wire
from ratoon.core.errors import (
    ColumnsMismatch,
    LengthMismatch,
    LoopNotStarted,
    LoopStarted,
    TrainingFailed,
    VersionUnknown,
)
from ratoon.core.events import REQUESTED, ROLLBACK_REQUESTED
from ratoon.core.schema import Schema
from ratoon.core.versions import ModelVersion
from ratoon.core.wire import Json
from ratoon.engine.answering import (
    answer_columns,
    answered_before,
    check_features,
    feature_columns,
)
from ratoon.engine.checking import (
    check_judges,
    check_settings,
    checked_ids,
    checked_kinds,
)
from ratoon.engine.conductor import Conductor
from ratoon.engine.counter import Counter, told
from ratoon.engine.definition import Definition
from ratoon.engine.evidence import features
from ratoon.engine.results import Predictions
from ratoon.engine.scoring import grown, score
from ratoon.engine.training import Ports, probe
from ratoon.metrics.protocol import columns_read
from ratoon.policies import Policy
from ratoon.stores.protocol import Columns, Draft, Receipt, Store
from ratoon.stores.vault import Vault
from ratoon.windows.intake import read_rows, read_times
from ratoon.windows.judged import Judged, Scalar, Scored, Target
from ratoon.windows.labels import decode, encode, extended, infer_target, read_labels
from ratoon.windows.rows import Rows, narrowed
from ratoon.windows.snapshot import digest

_Values: TypeAlias = tuple[Scalar, ...]


class Desk:
    """An open loop.

    Threads may share it. One of them at a time takes in what arrived and decides; rows are stored,
    and answers given by a model, by many at once.
    """

    def __init__(self, definition: Definition, store: Store, vault: Vault) -> None:
        """Open the loop where it was left, and take in what arrived meanwhile."""
        self.store = store
        self._lock = RLock()  # on all but the store, which has its own
        self._definition = definition
        self._vault = vault
        self._clock = definition.clock
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
        return self.store.stale or (self._conductor is not None and self._conductor.stale)

    def close(self) -> None:
        """Let go of the store."""
        try:
            if self._conductor is not None:
                self._conductor.close()
        finally:
            self.store.close()

    def fit(self, rows: object, labels: object, times: object) -> ModelVersion:
        """Train the first champion on history."""
        with self._lock:
            conductor = self._with_history(rows, labels, times)
            conductor.begin("the first fit")
            return self._champion(conductor)

    def adopt(self, model: Any, rows: object, labels: object, times: object) -> ModelVersion:
        """Take a model that exists as the first champion."""
        with self._lock:
            table, values, target = self._history(rows, labels)
            probe(model, table, target)
            target = grown(target, model)
            said = score(model, table, target)
            policy = self._policy(target)
            read = narrowed(table, columns_read(policy.metrics))
            labelled = encode(target, values)
            judged = Judged(target=target, labels=labelled, scored=said, features=read)
            check_judges(policy, judged)
            conductor = self._with_history(table, values, times)
            conductor.take(model)
            return self._champion(conductor)

    def predict(self, rows: object, ids: Sequence[str] | None, times: object) -> Predictions:
        """Let the champion answer, and keep what it answered."""
        conductor = self._started()
        table = read_rows(rows, conductor.schema)
        moments = read_times(times, len(table), self._clock.now())
        names: tuple[str, ...] = () if ids is None else checked_ids(ids, len(table))
        with self._lock:
            conductor.converge()
            served, target = conductor.deployer.served(), conductor.target
        assert served is not None  # a started loop has a champion to converge to
        scored = score(served.model, table, target)
        columns = answer_columns(table, moments, scored, served.version)
        known: Mapping[str, Columns] = self.store.predictions(names) if names else {}
        new = [row for row, name in enumerate(names) if name not in known]
        for row, name in enumerate(names):
            if name in known:
                check_features(name, known[name], columns, row)
        if new or ids is None:
            draft = Draft(
                kind="predictions",
                at=self._clock.now(),
                ids=tuple(names[row] for row in new),
                nameless=len(table) if ids is None else 0,
                columns={name: column[new] for name, column in columns.items()}
                if known
                else columns,
            )
            names = self.store.append(draft).ids or names
        version = served.version
        if known:
            scored = answered_before(scored, known, names, target)
            version = version if new else int(next(iter(known.values()))["version"][0])
        self._go_on()
        return Predictions(
            ids=names,
            outputs=np.array(decode(target, scored.outputs)),
            scores=scored.scores,
            classes=target.classes,
            version=version,
        )

    def record(
        self,
        rows: object,
        outputs: object,
        scores: object,
        ids: object,
        times: object,
        version: int | None,
    ) -> Receipt:
        """Keep predictions that were made elsewhere."""
        conductor = self._started()
        if version is None:
            version = self.store.alias("champion") or 0
        else:
            conductor.models.version(version)  # it must be one that is known
        draft = self._counter(conductor).predictions(
            rows,
            outputs,
            self._clock.now(),
            scores=scores,
            ids=ids,
            times=times,
            version=version,
        )
        if scores is None:
            said = Scored(outputs=draft.columns["output"][:1])
            table = features(draft.columns, conductor.schema)
            read = narrowed(table, columns_read(conductor.policy.metrics))
            first = None if read is None else read.take(slice(0, 1))
            one = Judged(target=conductor.target, labels=said.outputs, scored=said, features=first)
            check_judges(conductor.policy, one)
        receipt = self._taken(draft)
        return receipt if receipt.ids else replace(receipt, ids=draft.ids)

    def label(self, ids: object, labels: object, times: object, source: str | None) -> Receipt:
        """Take labels."""
        counter, now = self._counter(self._started()), self._clock.now()
        return self._taken(counter.labels(ids, labels, now, times=times, source=source))

    def feedback(
        self,
        ids: Sequence[str],
        ratings: Sequence[float] | None,
        corrections: Sequence[object] | None,
    ) -> Receipt:
        """Take users' feedback."""
        counter = self._counter(self._started())
        return self._taken(counter.feedback(ids, ratings, corrections, self._clock.now()))

    def emit(
        self,
        kind: str,
        data: Mapping[str, Json] | None,
        subject: str | None,
        origin: tuple[str, str | None],
    ) -> Receipt:
        """Take an event from outside."""
        with self._lock:  # so that no two events get the same id
            self._started()
            made_of = (self._definition.name, kind, self.store.last_seq() + 1)
            return self._taken(told((kind, data, subject), origin, self._clock.now(), made_of))

    def ask_to_retrain(self, reason: str, by: str) -> Receipt:
        """Take a person's wish for a retraining."""
        data: dict[str, Json] = {"reason": reason, "by": by}
        return self.emit(REQUESTED, data, self._definition.name, ("person", None))

    def rollback(self, to: int | None, reason: str, by: str) -> int:
        """Take a person's wish for a rollback; return the version that answers then."""
        with self._lock:
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
        with self._lock:
            conductor = self._conductor
            if conductor is None:
                return
            conductor.advance()
            if conductor.check_time():
                self._taken(Draft(kind="tick", at=self._clock.now()))

    def _history(self, rows: object, labels: object) -> tuple[Rows, _Values, Target]:
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

    def _target(self, values: _Values) -> Target:
        """Tell what is predicted from the first labels, unless the task was said."""
        task, target = self._definition.task, infer_target(values)
        if task == "regression":
            return Target(task="regression")
        return target if task is None else Target(task=task, classes=target.classes)

    def _policy(self, target: Target) -> Policy:
        """Return the policy for the task that the first labels had.

        A class that comes later makes two classes three, and nothing of the policy.
        """
        first = self.store.saved().first_target
        return self._definition.policy(target if first is None else wire.loads(Target, first))

    def _with_history(self, rows: object, labels: object, times: object) -> Conductor:
        """Store the rows that a loop begins with, once, and open its conductor."""
        if self.store.alias("champion") is not None:
            raise LoopStarted(self._definition.name)
        table, values, target = self._history(rows, labels)
        moments = read_times(times, len(table), self._clock.now())
        policy = self._policy(target)
        check_settings(policy, target, table)
        note: dict[str, Json] = {"digest": digest(table, values)}
        columns = {**feature_columns(table), "time": moments}
        if self._is_new(columns, note["digest"]):
            now = self._clock.now()
            self.store.append(
                Draft(kind="history", at=now, values=values, columns=columns, note=note)
            )
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
            rulebook=definition.rulebook(),
        )
        return Conductor(policy, ports, schema, target)

    def _started(self) -> Conductor:
        with self._lock:
            if self._conductor is None or self._conductor.state.reign is None:
                raise LoopNotStarted(self._definition.name)
            self._conductor.advance()
            return self._conductor

    def _champion(self, conductor: Conductor) -> ModelVersion:
        number = self.store.alias("champion")
        if number is None:
            raise TrainingFailed("the first training brought no champion")
        return conductor.models.version(number).version

    def _taken(self, draft: Draft) -> Receipt:
        """Store what arrived, then let everything follow that follows from it."""
        receipt = self.store.append(draft)
        self._go_on()
        return receipt

    def _go_on(self) -> None:
        """Let everything follow that follows from what arrived."""
        with self._lock:
            if self._conductor is not None:
                self._conductor.advance()

    def _counter(self, conductor: Conductor) -> Counter:
        return Counter(
            store=self.store,
            schema=conductor.schema,
            target=conductor.target,
            task=self._definition.task,
        )
