"""A run from its decision to its model: collect, check, prepare, train, evaluate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ratoon.core import wire
from ratoon.core.errors import ModelUnusable, TrainingFailed
from ratoon.core.measuring import RowRange
from ratoon.core.running import Run
from ratoon.core.schema import Schema
from ratoon.core.times import Clock
from ratoon.core.versions import Artifact
from ratoon.core.wire import Json, to_json
from ratoon.engine import steps
from ratoon.engine.evidence import Evidence, features
from ratoon.engine.models import Models
from ratoon.engine.scoring import aligned, grown, score
from ratoon.executors import Executor, StepState, Trainer, TrainStep
from ratoon.metrics.shift import summarise
from ratoon.policies import PolicyState
from ratoon.policies import state as policy_state
from ratoon.policies.turn import Reported
from ratoon.stores.protocol import Record, Store
from ratoon.stores.vault import Vault
from ratoon.windows.judged import Judged, Target
from ratoon.windows.labels import encode, extended
from ratoon.windows.snapshot import DatasetSnapshot

_PROBED = 5  # rows that a new model must be able to score


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What an engine works with."""

    store: Store
    vault: Vault
    executor: Executor
    clock: Clock
    trainer: Trainer


class Training:
    """Carries runs to their models. Each step is recorded when it is done, and done once."""

    def __init__(self, ports: Ports, models: Models, schema: Schema) -> None:
        """Begin with no run submitted."""
        self._ports = ports
        self._models = models
        self._schema = schema
        self._submitted: dict[str, DatasetSnapshot] = {}

    def go_on(self, training: policy_state.Training, target: Target) -> Run | None:
        """Go on with a run; return it when its training has ended, well or not."""
        run = self._run(training)
        if run.error is not None or steps.wrote(run, "train", "artifact") is not None:
            return run
        try:
            if run.id not in self._submitted:
                run = self._submit(run, training, target)
            return self._poll(run)
        except TrainingFailed as error:
            return self._failed(run, error.fact, None)

    def adopt(self, training: policy_state.Training, model: Any, target: Target) -> None:
        """Take a finished model in the place of a training."""
        run, now = self._run(training), self._ports.clock.now()
        rows = self._ports.store.labelled(training.plan.holdout)
        probe(model, features(rows.columns, self._schema), target)
        artifact = self._models_keep(model)
        wrote: dict[str, Json] = {
            "artifact": to_json(artifact),
            "environment": steps.environment(),
            "adopted": True,
        }
        self._keep(steps.done(run, "train", now, now, wrote=wrote, decided="adopted"))

    def target_of(self, run: Run, target: Target) -> Target:
        """Return the target with the classes that the run's model knows."""
        if run.error is not None:
            return target
        return grown(target, self._models.of(self._artifact(run)))

    def report(self, run: Run, state: PolicyState, target: Target) -> Reported:
        """Evaluate a run's model beside the champion on rows that neither was trained on."""
        now, training = self._ports.clock.now(), state.training
        if run.error is not None or training is None:
            return Reported(at=now, run_id=run.id, error=run.error)
        store, plan = self._ports.store, training.plan
        held_out = RowRange(start=plan.holdout.start, stop=max(state.rows, plan.holdout.stop))
        rows = store.labelled(held_out)
        table = features(rows.columns, self._schema)
        target = extended(target, rows.values)
        labels = encode(target, rows.values)
        try:
            scored = score(self._models.of(self._artifact(run)), table, target)
        except ModelUnusable as error:
            failed = self._failed(run, error.fact, None)
            return Reported(at=now, run_id=run.id, error=failed.error)
        champion = None
        if state.reign is not None:
            evidence = Evidence(store, self._models, self._schema)
            evidence.cover(held_out)
            champion = evidence.judged(held_out, state.reign.standing.version, target)
        trained = store.labelled(plan.train) if plan.train else rows
        return Reported(
            at=now,
            run_id=run.id,
            trained_rows=plan.train.stop or plan.holdout.stop,
            challenger=Judged(target=target, labels=labels, scored=aligned(scored, target)),
            champion=champion,
            held_out=held_out,
            times=rows.columns["time"],
            reference=summarise(features(trained.columns, self._schema)),
        )

    def _submit(self, run: Run, training: policy_state.Training, target: Target) -> Run:
        """Collect, check and prepare the data, and begin the training."""
        clock, plan = self._ports.clock, training.plan
        started = clock.now()
        found = self._ports.store.labelled(plan.train)
        snapshot = steps.collect(found, self._schema, target, plan)
        self._ports.vault.keep_snapshot(snapshot)
        read: dict[str, Json] = {"rows": to_json(plan.train), "rule": plan.rule}
        run = steps.done(run, "collect", started, clock.now(), read=read, wrote=steps.pinned(snapshot))
        self._keep(run)
        started = clock.now()
        decided = steps.check(snapshot)
        run = steps.done(run, "check", started, clock.now(), decided=decided)
        held: dict[str, Json] = {"held_out": to_json(plan.holdout)}
        run = steps.done(run, "prepare", started, clock.now(), wrote=held)
        self._keep(run)
        step = TrainStep(id=f"{run.id}/train", trainer=self._ports.trainer, snapshot=snapshot)
        self._ports.executor.submit(step)
        self._submitted[run.id] = snapshot
        return run

    def _poll(self, run: Run) -> Run | None:
        state: StepState = self._ports.executor.poll(f"{run.id}/train")
        if state.status == "running":
            return None
        snapshot, now = self._submitted.pop(run.id), self._ports.clock.now()
        if state.status == "failed":
            return self._failed(run, state.error or "the training failed", state.log)
        probe(state.model, snapshot.features, snapshot.target)
        artifact = self._models_keep(state.model)
        wrote: dict[str, Json] = {
            "artifact": to_json(artifact),
            "environment": steps.environment(),
            "code": steps.code_digest(self._ports.trainer),
        }
        read: dict[str, Json] = {"snapshot": snapshot.digest}
        return self._keep(steps.done(run, "train", now, now, read=read, wrote=wrote))

    def _models_keep(self, model: Any) -> Artifact:
        artifact = self._ports.vault.keep_model(model)
        self._models.keep(artifact, model)
        return artifact

    def _artifact(self, run: Run) -> Artifact:
        return wire.from_json(Artifact, steps.wrote(run, "train", "artifact"))

    def _failed(self, run: Run, error: str, log: str | None) -> Run:
        now = self._ports.clock.now()
        wrote: dict[str, Json] = {"error": error, "log": log}
        run = steps.done(run, "train", now, now, wrote=wrote, decided="failed")
        return self._keep(steps.ended(run, "failed", error))

    def _run(self, training: policy_state.Training) -> Run:
        run = self._ports.store.run(training.run_id)
        assert run is not None  # noqa: S101 - the run is stored with the state that names it
        return run

    def _keep(self, run: Run) -> Run:
        self._ports.store.commit(Record(saved=self._ports.store.saved(), runs=(run,)))
        return run


def probe(model: Any, rows: Any, target: Target) -> None:
    """Refuse a model that cannot score some of its own training rows."""
    if target.task == "regression" or hasattr(model, "classes_"):
        score(model, rows.take(slice(0, _PROBED)), grown(target, model))
        return
    if not callable(getattr(model, "predict", None)):
        score(model, rows, target)
    raise ModelUnusable(
        f"the task is {target.task} but a {type(model).__name__} has no classes_",
        hint="an unfitted classifier has none; a regressor needs Loop(task='regression')",
    )
