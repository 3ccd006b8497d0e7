"""A run from its decision to its model: collect, check, prepare, train, evaluate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from ratoon.core import wire
from ratoon.core.deciding import SnapshotPlan
from ratoon.core.errors import DataUnfit, ModelUnusable, RatoonError, TrainingFailed
from ratoon.core.measuring import RowRange
from ratoon.core.running import Run
from ratoon.core.schema import Schema
from ratoon.core.times import Clock
from ratoon.core.versions import Artifact
from ratoon.core.wire import Json, to_json
from ratoon.engine import steps
from ratoon.engine.evidence import Evidence, features, stored_names, whole
from ratoon.engine.fits import (
    Collector,
    Fit,
    Task,
    Work,
    choices_of,
    decide,
    hull,
    pinnable,
    tasks,
)
from ratoon.engine.models import Models
from ratoon.engine.notifying import Notifier
from ratoon.engine.pinning import pinned_at, usable
from ratoon.engine.probing import answers
from ratoon.engine.referring import references_of
from ratoon.engine.scoring import aligned, grown, score
from ratoon.engine.vetting import Vetted, Vetting
from ratoon.executors import Executor, Trainer, TrainStep
from ratoon.metrics.protocol import Metric, columns_read
from ratoon.policies import PolicyState
from ratoon.policies import state as policy_state
from ratoon.policies.turn import Reported
from ratoon.stores.protocol import LabelledRows, Record, Store
from ratoon.stores.rulebook import RuleBook
from ratoon.stores.vault import Vault
from ratoon.windows.choices import TrainOn
from ratoon.windows.choices_own import functions_of
from ratoon.windows.judged import Floats, Judged, Target
from ratoon.windows.labels import encode, extended
from ratoon.windows.pins import Pin
from ratoon.windows.rows import Rows, narrowed

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
    rulebook: RuleBook | None = None  # None: no data checks


class Training:
    """Carries runs to their models. Each step is recorded when it is done, and done once."""

    def __init__(
        self,
        ports: Ports,
        models: Models,
        schema: Schema,
        metrics: tuple[Metric, ...],
        train_on: TrainOn | None = None,
    ) -> None:
        """Begin with no run submitted; functions that choose rows are those of `train_on`."""
        self._ports = ports
        self._models = models
        self._schema = schema
        self._metrics = metrics
        self._functions = functions_of(train_on)
        self._vetting = Vetting(ports.store, schema, ports.rulebook, ports.clock)
        self._work: dict[str, Work] = {}

    def go_on(self, training: policy_state.Training, target: Target) -> Run | None:
        """Go on with a run; return it when its training has ended, well or not."""
        run = self._run(training)
        if run.error is not None or steps.wrote(run, "train", "artifact") is not None:
            return run
        try:
            if run.id not in self._work:
                run = self._submit(run, training.plan, target)
            return self._poll(run, target)
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
            labelled = self._ports.store.labelled
            evidence = Evidence(labelled, self._models, self._schema, self._metrics)
            evidence.cover(held_out)
            champion = evidence.judged(paired, standing.version, challenger.target)
        read: dict[str, Json] = {"rows": to_json(held_out), "beside_champion": to_json(paired)}
        if run.steps[-1].name != "evaluate":
            self._keep(steps.done(run, "evaluate", now, now, read=read))
        return Reported(
            at=now,
            run_id=run.id,
            trained_rows=plan.train.stop or plan.holdout.stop,
            challenger=challenger,
            champion=champion,
            held_out=held_out,
            times=whole(self._ports.store.labelled(held_out)).columns["time"],
            references=references_of(self._trained_on(run, plan, held_out, target), challenger),
        )

    def _trained_on(self, run: Run, plan: SnapshotPlan, held_out: RowRange, target: Target) -> Rows:
        """Return the features that a run trained on; of an adopted model those that judge it."""
        trained: Any = steps.wrote(run, "train", "rows")
        rows = held_out if trained is None else wire.from_json(RowRange, trained)
        number: int | None = steps.wrote(run, "train", "choice")
        if number is not None and plan.choices[number].function is not None:
            task = Task(number=number, choice=replace(plan.choices[number], rows=rows))
            collector = Collector(self._usable(rows), self._schema, self._functions)
            return collector.fit(plan, task, target).snapshot.features
        found = self._ports.store.labelled(rows, columns=stored_names(self._schema))
        return features(found.columns, self._schema)

    def unjudged(self, run: Run, why: str) -> Reported:
        """End a run whose model cannot be judged."""
        failed = self._failed(run, f"the model cannot be judged: {why}", None)
        return Reported(at=self._ports.clock.now(), run_id=run.id, error=failed.error)

    def _judged(self, model: Any, rows: RowRange, target: Target) -> Judged:
        found = whole(self._ports.store.labelled(rows))
        target = extended(target, found.values)
        table = features(found.columns, self._schema)
        return Judged(
            target=target,
            labels=encode(target, found.values),
            scored=aligned(score(model, table, target), target),
            features=narrowed(table, columns_read(self._metrics)),
        )

    def _submit(self, run: Run, plan: SnapshotPlan, target: Target) -> Run:
        """Collect, check and prepare the data, and begin a training on each choice of rows."""
        attempt: int = (steps.wrote(run, "prepare", "attempt") or 0) + 1
        if attempt > _ATTEMPTS:
            raise TrainingFailed(f"the process ended in each of {_ATTEMPTS} attempts to train")
        clock, run = self._ports.clock, replace(run, steps=())
        work = Work(plan=plan, final=None if plan.blocks else 0)
        planned = tasks(plan)
        vetted = self._vetted(run, plan, target)
        collector = Collector(vetted.found, self._schema, self._functions)
        pins: list[Pin] = []
        for task in planned:
            started = clock.now()
            try:
                fit = collector.fit(plan, task, target)
                found = steps.check(fit.snapshot)
            except DataUnfit as error:
                work.leave_out(task.number, error.fact)
                found = f"left out: {error.fact}"
                run = steps.done(run, "check", started, clock.now(), decided=found)
                continue
            work.fits.append(fit)
            read = {"rows": to_json(task.choice.rows), "rule": task.choice.rule}
            pinned = steps.pinned(fit.snapshot)
            run = steps.done(run, "collect", started, clock.now(), read=read, wrote=pinned)
            told = "; ".join(part for part in (found, vetted.said) if part)
            wrote = vetted.record
            run = steps.done(run, "check", started, clock.now(), wrote=wrote, decided=told)
            if pinnable(plan, task):
                pins.append(self._pin(fit, run, started))
        now = clock.now()
        held: dict[str, Json] = {"attempt": attempt, "chosen_on": to_json(plan.chosen_on)}
        held |= {"held_out": to_json(plan.holdout)}
        run = self._keep(steps.done(run, "prepare", now, now, wrote=held), tuple(pins), vetted)
        work.fits = [fit for fit in work.fits if fit.task.number not in work.left_out]
        if not work.fits:
            raise DataUnfit(next(iter(work.left_out.values())))
        for number in range(len(work.fits)):
            self._begin(run, work, number)
        self._work[run.id] = work
        return run

    def _usable(self, rows: RowRange) -> LabelledRows:
        store = self._ports.store
        return usable(store.labelled(rows), store.quarantined())

    def _vetted(self, run: Run, plan: SnapshotPlan, target: Target) -> Vetted:
        """Read rows to train on, but for those that the data checks set aside."""
        fitted = [task.choice.rows for task in tasks(plan)]
        rows = hull([*fitted, *(choice.rows for choice in choices_of(plan))])
        champion = self._ports.store.alias("champion")
        kept = None if champion is None else self._ports.store.version(champion)
        reference = None if kept is None else kept.version.snapshot
        return self._vetting.vet(run, rows, plan.holdout, target, reference)

    def _pin(self, fit: Fit, run: Run, at: datetime) -> Pin:
        return pinned_at(fit.snapshot, fit.ordinals, at, run.id, self._ports.store)

    def _begin(self, run: Run, work: Work, number: int) -> None:
        self._ports.executor.submit(
            TrainStep(
                id=f"{run.id}/train-{number}",
                trainer=self._ports.trainer,
                snapshot=work.fits[number].snapshot,
            )
        )

    def _poll(self, run: Run, target: Target) -> Run | None:
        """Take in the trainings that have ended; return the run when all have."""
        work = self._work[run.id]
        while self._taken_in(run, work):
            if len(work.left_out) == len(choices_of(work.plan)):
                return self._failed(run, next(iter(work.left_out.values())), work.log)
            if work.final is not None:
                return self._trained(run, work, work.final)
            run = self._choose(run, work, target)
        return None

    def _taken_in(self, run: Run, work: Work) -> bool:
        """Take in trainings in their order; tell whether none of them runs any more."""
        while len(work.models) < len(work.fits):
            fit, number = work.fits[len(work.models)], len(work.models)
            state = self._ports.executor.poll(f"{run.id}/train-{number}")
            if state.status == "running":
                return False
            work.models.append(state.model)
            if state.status == "failed":
                work.log = state.log
                work.leave_out(fit.task.number, state.error or "the training failed")
                continue
            try:
                probe(state.model, fit.snapshot.features, fit.snapshot.target)
            except ModelUnusable as error:
                work.leave_out(fit.task.number, error.fact)
        return True

    def _choose(self, run: Run, work: Work, target: Target) -> Run:
        """Choose by the losses on the blocks, and train the winner once more if it is wanted."""
        losses = self._losses(work)
        if not losses:
            raise ModelUnusable(next(iter(work.left_out.values())))
        work.winner = decide(work, losses)
        number, now = work.winner.number, self._ports.clock.now()
        if not work.plan.refit:
            work.final = max(n for n, f in enumerate(work.fits) if f.task.number == number)
            return run
        task = Task(number=number, choice=work.plan.choices[number])
        collector = Collector(self._usable(task.choice.rows), self._schema, self._functions)
        fit = collector.fit(work.plan, task, target)
        read = {"rows": to_json(task.choice.rows), "rule": task.choice.rule}
        pinned = steps.pinned(fit.snapshot)
        run = steps.done(run, "collect", now, self._ports.clock.now(), read=read, wrote=pinned)
        run = self._keep(run, (self._pin(fit, run, now),))
        work.fits.append(fit)
        work.final = len(work.fits) - 1
        self._begin(run, work, work.final)
        return run

    def _losses(self, work: Work) -> dict[int, Floats]:
        """Return the losses of each choice on all blocks; one that cannot be judged is left out."""
        parts: dict[int, list[Floats]] = {}
        for fit, model in zip(work.fits, work.models, strict=True):
            number, block = fit.task.number, fit.task.block
            if number in work.left_out or block is None:
                continue
            try:
                judged = self._judged(model, block, grown(fit.snapshot.target, model))
                parts.setdefault(number, []).append(_row_losses(self._metrics, judged))
            except ModelUnusable as error:
                work.leave_out(number, error.fact)
        known = (number for number in parts if number not in work.left_out)
        return {number: np.concatenate(parts[number]) for number in known}

    def _trained(self, run: Run, work: Work, final: int) -> Run:
        """Keep the run's model, and record what it came of."""
        del self._work[run.id]
        now, fit, model = self._ports.clock.now(), work.fits[final], work.models[final]
        wrote: dict[str, Json] = {
            "artifact": to_json(self._keep_model(model)),
            "snapshot": fit.snapshot.digest,
            "rows": to_json(fit.snapshot.plan.train),
            "fits": len(work.models),
            "probe": to_json(answers(model, fit.snapshot)),
            "environment": steps.environment(),
            "code": steps.code_digest(self._ports.trainer),
        }
        if work.plan.choices:
            wrote["choice"] = fit.task.number
        decided = f"trained on {work.plan.rule}"
        if work.winner is not None:
            wrote["losses"], decided = to_json(work.winner.losses), work.winner.why
        return self._keep(steps.done(run, "train", now, now, wrote=wrote, decided=decided))

    def _keep_model(self, model: Any) -> Artifact:
        artifact = self._ports.vault.keep_model(model)
        self._models.keep(artifact, model)
        return artifact

    def _failed(self, run: Run, error: str, log: str | None) -> Run:
        now = self._ports.clock.now()
        self._work.pop(run.id, None)
        wrote: dict[str, Json] = {"error": error, "log": log}
        run = steps.done(run, "train", now, now, wrote=wrote, decided="failed")
        return self._keep(steps.ended(run, "failed", error))

    def _run(self, training: policy_state.Training) -> Run:
        run = self._ports.store.run(training.run_id)
        assert run is not None  # the run is stored with the state that names it
        return run

    def _keep(self, run: Run, pins: tuple[Pin, ...] = (), vetted: Vetted | None = None) -> Run:
        aside = () if vetted is None or vetted.aside is None else (vetted.aside,)
        events = () if vetted is None or vetted.event is None else (vetted.event,)
        self._ports.store.commit(
            Record(
                saved=self._ports.store.saved(),
                runs=(run,),
                pins=pins,
                quarantined=aside,
                events=events,
            )
        )
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


def _artifact(run: Run) -> Artifact:
    return wire.from_json(Artifact, steps.wrote(run, "train", "artifact"))


def _row_losses(metrics: tuple[Metric, ...], judged: Judged) -> Floats:
    """Return the row losses of the first metric that has some; else all rows cost nothing."""
    try:
        found = (metric.losses(judged) for metric in metrics)
        losses = next((loss for loss in found if loss is not None), None)
    except RatoonError:
        raise
    except Exception as error:  # a metric may be a person's own code
        raise ModelUnusable(f"a metric raised {type(error).__name__}: {error}") from error
    return np.zeros(len(judged)) if losses is None else losses
