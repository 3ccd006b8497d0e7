"""A run from its decision to its model: collect, check, prepare, train, evaluate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ratoon.core import wire
from ratoon.core.deciding import SnapshotPlan
from ratoon.core.errors import ModelUnusable, RatoonError, TrainingFailed
from ratoon.core.measuring import RowRange
from ratoon.core.running import Run
from ratoon.core.schema import Schema
from ratoon.core.times import Clock
from ratoon.core.versions import Artifact
from ratoon.core.wire import Json, to_json
from ratoon.engine import steps
from ratoon.engine.evidence import Evidence, features
from ratoon.engine.models import Models
from ratoon.engine.notifying import Notifier
from ratoon.engine.scoring import aligned, grown, score
from ratoon.executors import Executor, Trainer, TrainStep
from ratoon.metrics.protocol import Metric
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
_ATTEMPTS = 3  # to train, where the process ends meanwhile: it may be the training that ends it


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What an engine works with."""

    store: Store
    vault: Vault
    executor: Executor
    clock: Clock
    trainer: Trainer
    notifier: Notifier | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Candidate:
    """A model that was trained, and on what."""

    snapshot: DatasetSnapshot
    model: Any


class Training:
    """Carries runs to their models. Each step is recorded when it is done, and done once."""

    def __init__(
        self, ports: Ports, models: Models, schema: Schema, metrics: tuple[Metric, ...]
    ) -> None:
        """Begin with no run submitted."""
        self._ports = ports
        self._models = models
        self._schema = schema
        self._metrics = metrics
        self._submitted: dict[str, list[DatasetSnapshot]] = {}
        self._ended: dict[str, list[_Candidate]] = {}

    def go_on(self, training: policy_state.Training, target: Target) -> Run | None:
        """Go on with a run; return it when its training has ended, well or not."""
        run = self._run(training)
        if run.error is not None or steps.wrote(run, "train", "artifact") is not None:
            return run
        try:
            if run.id not in self._submitted:
                run = self._submit(run, training.plan, target)
            return self._poll(run, training.plan)
        except RatoonError as error:
            return self._failed(run, error.fact, None)

    def adopt(self, run: Run, model: Any) -> Run:
        """Return a run with a finished model in the place of a training."""
        now = self._ports.clock.now()
        wrote: dict[str, Json] = {
            "artifact": to_json(self._keep_model(model)),
            "environment": steps.environment(),
            "adopted": True,
        }
        return steps.done(run, "train", now, now, wrote=wrote, decided="adopted")

    def target_of(self, run: Run, target: Target) -> Target:
        """Return the target with the classes that the run's model knows."""
        if run.error is not None:
            return target
        return grown(target, self._models.of(_artifact(run)))

    def report(self, run: Run, state: PolicyState, target: Target) -> Reported:
        """Evaluate a run's model beside the champion on rows that neither was trained on."""
        now, training = self._ports.clock.now(), state.training
        if run.error is not None or training is None:
            return Reported(at=now, run_id=run.id, error=run.error)
        plan = training.plan
        held_out = RowRange(start=plan.holdout.start, stop=max(state.rows, plan.holdout.stop))
        try:
            challenger = self._judged(self._models.of(_artifact(run)), held_out, target)
        except ModelUnusable as error:
            return Reported(at=now, run_id=run.id, error=self._failed(run, error.fact, None).error)
        champion, paired = None, held_out
        if state.reign is not None:
            standing = state.reign.standing
            start = min(held_out.stop, max(held_out.start, standing.trained_rows))
            paired = RowRange(start=start, stop=held_out.stop)
            evidence = Evidence(self._ports.store, self._models, self._schema)
            evidence.cover(held_out)
            champion = evidence.judged(paired, standing.version, challenger.target)
        read: dict[str, Json] = {"rows": to_json(held_out), "beside_champion": to_json(paired)}
        if run.steps[-1].name != "evaluate":
            self._keep(steps.done(run, "evaluate", now, now, read=read))
        trained: Any = steps.wrote(run, "train", "rows")
        known = self._ports.store.labelled(
            held_out if trained is None else wire.from_json(RowRange, trained)
        )
        return Reported(
            at=now,
            run_id=run.id,
            trained_rows=plan.train.stop or plan.holdout.stop,
            challenger=challenger,
            champion=champion,
            held_out=held_out,
            times=self._ports.store.labelled(held_out).columns["time"],
            reference=summarise(features(known.columns, self._schema)),
        )

    def unjudged(self, run: Run, why: str) -> Reported:
        """End a run whose model cannot be judged."""
        failed = self._failed(run, f"the model cannot be judged: {why}", None)
        return Reported(at=self._ports.clock.now(), run_id=run.id, error=failed.error)

    def _judged(self, model: Any, rows: RowRange, target: Target) -> Judged:
        found = self._ports.store.labelled(rows)
        target = extended(target, found.values)
        scored = score(model, features(found.columns, self._schema), target)
        labels = encode(target, found.values)
        return Judged(target=target, labels=labels, scored=aligned(scored, target))

    def _submit(self, run: Run, plan: SnapshotPlan, target: Target) -> Run:
        """Collect, check and prepare the data, and begin the training on each choice of rows."""
        attempt: int = (steps.wrote(run, "prepare", "attempt") or 0) + 1
        if attempt > _ATTEMPTS:
            raise TrainingFailed(f"the process ended in each of {_ATTEMPTS} attempts to train")
        clock, run = self._ports.clock, replace(run, steps=())
        snapshots: list[DatasetSnapshot] = []
        for rows in (plan.train, *plan.others):
            started, one = clock.now(), replace(plan, train=rows, others=())
            found = self._ports.store.labelled(rows)
            snapshot = steps.collect(found, self._schema, target, one)
            self._ports.vault.keep_snapshot(snapshot)
            snapshots.append(snapshot)
            read: dict[str, Json] = {"rows": to_json(rows), "rule": plan.rule}
            pinned = steps.pinned(snapshot)
            run = steps.done(run, "collect", started, clock.now(), read=read, wrote=pinned)
            run = steps.done(run, "check", started, clock.now(), decided=steps.check(snapshot))
        now = clock.now()
        held: dict[str, Json] = {"attempt": attempt, "chosen_on": to_json(plan.chosen_on)}
        held |= {"held_out": to_json(plan.holdout)}
        run = self._keep(steps.done(run, "prepare", now, now, wrote=held))
        for choice, snapshot in enumerate(snapshots):
            self._ports.executor.submit(
                TrainStep(
                    id=f"{run.id}/train-{choice}", trainer=self._ports.trainer, snapshot=snapshot
                )
            )
        self._submitted[run.id] = snapshots
        self._ended[run.id] = []
        return run

    def _poll(self, run: Run, plan: SnapshotPlan) -> Run | None:
        """Take in the trainings that have ended; return the run when all have."""
        snapshots, ended = self._submitted[run.id], self._ended[run.id]
        while len(ended) < len(snapshots):
            state = self._ports.executor.poll(f"{run.id}/train-{len(ended)}")
            if state.status == "running":
                return None
            if state.status == "failed":
                return self._failed(run, state.error or "the training failed", state.log)
            snapshot = snapshots[len(ended)]
            probe(state.model, snapshot.features, snapshot.target)
            ended.append(_Candidate(snapshot=snapshot, model=state.model))
        del self._submitted[run.id], self._ended[run.id]
        chosen, why = self._choose(ended, plan)
        now = self._ports.clock.now()
        wrote: dict[str, Json] = {
            "artifact": to_json(self._keep_model(chosen.model)),
            "snapshot": chosen.snapshot.digest,
            "rows": to_json(chosen.snapshot.plan.train),
            "fits": len(ended),
            "environment": steps.environment(),
            "code": steps.code_digest(self._ports.trainer),
        }
        return self._keep(steps.done(run, "train", now, now, wrote=wrote, decided=why))

    def _choose(self, trained: list[_Candidate], plan: SnapshotPlan) -> tuple[_Candidate, str]:
        """Choose the model with the lowest loss on the rows that are there for that."""
        if len(trained) == 1 or plan.chosen_on is None:
            return trained[0], f"trained on {plan.rule}"
        losses: list[float] = []
        for candidate in trained:
            target = grown(candidate.snapshot.target, candidate.model)
            judged = self._judged(candidate.model, plan.chosen_on, target)
            losses.append(_mean_loss(self._metrics, judged))
        best = min(range(len(losses)), key=losses.__getitem__)
        rows = trained[best].snapshot.plan.train
        others = ", ".join(_measured(one, loss) for one, loss in zip(trained, losses, strict=True))
        return trained[best], f"chose rows {rows.start} to {rows.stop} of {others}"

    def _keep_model(self, model: Any) -> Artifact:
        artifact = self._ports.vault.keep_model(model)
        self._models.keep(artifact, model)
        return artifact

    def _failed(self, run: Run, error: str, log: str | None) -> Run:
        now = self._ports.clock.now()
        self._submitted.pop(run.id, None)
        wrote: dict[str, Json] = {"error": error, "log": log}
        run = steps.done(run, "train", now, now, wrote=wrote, decided="failed")
        return self._keep(steps.ended(run, "failed", error))

    def _run(self, training: policy_state.Training) -> Run:
        run = self._ports.store.run(training.run_id)
        assert run is not None  # the run is stored with the state that names it
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


def _measured(candidate: _Candidate, loss: float) -> str:
    rows = candidate.snapshot.plan.train
    return f"{rows.start} to {rows.stop} (loss {loss:.4g})"


def _artifact(run: Run) -> Artifact:
    return wire.from_json(Artifact, steps.wrote(run, "train", "artifact"))


def _mean_loss(metrics: tuple[Metric, ...], judged: Judged) -> float:
    try:
        found = (metric.losses(judged) for metric in metrics)
        losses = next((loss for loss in found if loss is not None), None)
    except RatoonError:
        raise
    except Exception as error:  # a metric may be a person's own code
        raise ModelUnusable(f"a metric raised {type(error).__name__}: {error}") from error
    return 0.0 if losses is None or not len(losses) else float(losses.mean())
