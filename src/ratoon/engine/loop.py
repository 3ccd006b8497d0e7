"""The loop: one object around a fit function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from threading import RLock
from typing import Any, Self

from ratoon.core.deciding import Decision
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement
from ratoon.core.running import Run
from ratoon.core.versions import ModelVersion
from ratoon.core.wire import Json
from ratoon.engine.data import Data
from ratoon.engine.definition import Definition
from ratoon.engine.desk import Desk
from ratoon.engine.history import History
from ratoon.engine.records import Records
from ratoon.engine.reproducing import Reproduction, reproduce
from ratoon.engine.results import Predictions, Status
from ratoon.stores.folder import open_folder
from ratoon.stores.protocol import Receipt
from ratoon.stores.vault import FileVault


class _Held:
    """What an open loop holds."""

    def __init__(self) -> None:
        self.desk: Desk | None = None
        self.lock = RLock()  # on opening and closing


@dataclass(frozen=True, slots=True, eq=False)
class Loop(Definition):
    """Keeps one model accurate: predicts, takes labels, decides, retrains, promotes, rolls back.

    It reads as the flow: retrain when …, accept if …. All of it is settings but the folder that
    it lives in; nothing is opened before the first call.

    Threads may share a loop: `predict`, `record`, `label`, `feedback`, `emit` and all the others
    may be called by several at once, but for `close`, behind which nobody may be at work. They
    wait for the disk together, and a model is asked by several threads at once, so that it must
    bear that (models of scikit-learn do). What follows from the rows happens in one thread at a
    time: where that is a training, the others wait for it.

    Args:
        name: what the loop is called; one name, one loop below `home`.
        trainer: a function that fits a model on a `DatasetSnapshot` and returns it.
        metrics: what is measured, the first is the primary one; by default the task's usual ones.
        retrain_when: by default a drift of the primary metric, or 10 % worse than at validation.
        accept_if: by default a challenger must be better, by a paired test on the same new labels.
        rollout: how traffic moves, and how long labels may undo it.
        train_on: which labelled rows; by default all, or those since the change point, whichever
            makes the better model.
        limits: cooldown, budget of retrainings a day, pause after one that brought nothing.
        autonomy: "automatic", or "observe": only record what it would do.
        window: labelled rows a measurement.
        input_window: predictions a measurement of the inputs.
        task: "binary", "multiclass" or "regression"; by default told from the first labels.
        frame: what models are given: "numpy", "pandas", "polars" or "arrow"; by default what the
            loop was fitted with.
        home: the folder of the embedded store.
        checks: whether rows are checked before a training, by rules that are inferred from what
            the champion was trained on and kept in `rules_file`, to be read and edited; batches
            that fail are set aside.
        tables: where the tables of rows lie, if not in `home`: another folder, or a place in an
            object store (s3://bucket/ratoon; keys and endpoint come from the environment).
        store: another store, e.g. `MemoryStore()`; then `vault` too.
        vault: where models and snapshots lie.
        executor: where trainings run.
        clock: where time comes from.
        notifier: told of every event and decision that the loop makes.

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> from ratoon.stores import MemoryStore, MemoryVault
        >>> loop = Loop(
        ...     "demo",
        ...     trainer=lambda data: LogisticRegression().fit(data.X, data.y),
        ...     store=MemoryStore(),
        ...     vault=MemoryVault(),
        ... )
        >>> loop.fit({"x": range(400)}, ["low"] * 200 + ["high"] * 200).number
        1
        >>> p = loop.predict({"x": [3, 390]})
        >>> loop.label(p.ids, ["low", "high"]).stored
        2
    """

    _held: _Held = field(default_factory=_Held, init=False, repr=False)

    # The model in use

    def fit(self, rows: object, labels: object, *, times: object = None) -> ModelVersion:
        """Train the first champion on history, and judge it on the newest part of that.

        Args:
            rows: the features, in order of time: a frame, a dict of columns, a list of dicts or
                an array.
            labels: one label a row.
            times: event times, aware; by default now.

        Raises:
            RowsRefused: the data is not what it must be; nothing is stored.
            TrainingFailed: no usable model came of it; the rows are kept.
        """
        return self._open().fit(rows, labels, times)

    def adopt(
        self, model: Any, rows: object, labels: object, *, times: object = None
    ) -> ModelVersion:
        """Take a model that exists as the first champion, judged on rows that are new to it.

        Raises:
            RowsRefused: the data is not what it must be; nothing is stored.
            ModelUnusable: the model cannot score the rows.
        """
        return self._open().adopt(model, rows, labels, times)

    def predict(
        self, rows: object, *, ids: Sequence[str] | None = None, times: object = None
    ) -> Predictions:
        """Let the champion answer, and keep what it answered.

        Args:
            rows: the features, as for `fit`, columns in any order.
            ids: one text a row, to label it by; by default Ratoon makes them.
            times: event times, aware; by default now.

        Raises:
            LoopNotStarted: there is no champion yet.
            RowsRefused: a batch that the model was not made for; nothing of it is stored.
        """
        return self._open().predict(rows, ids, times)

    def record(
        self,
        rows: object,
        outputs: object,
        *,
        ids: Sequence[str] | None = None,
        scores: object = None,
        times: object = None,
        version: int | None = None,
    ) -> Receipt:
        """Keep predictions that were made elsewhere.

        Args:
            rows: the features.
            outputs: what was answered: numbers or classes.
            ids: one text a row, to label it by; by default Ratoon makes them (`Receipt.ids`).
            scores: probabilities, shape (rows, classes), classes in the order of
                `Predictions.classes`; needed where the loop measures what rests on them, as the
                usual metrics of classes do.
            times: event times, aware; by default now.
            version: which version answered; by default the champion.

        Raises:
            MetricNeedsColumn: there are no scores, and a metric of the loop needs them.
            IdConflict: an id is known with another content; nothing of the batch is stored.
            VersionUnknown: that version is not kept.
        """
        return self._open().record(rows, outputs, scores, ids, times, version)

    def label(
        self,
        ids: Sequence[str],
        labels: object,
        *,
        times: object = None,
        source: str | None = None,
    ) -> Receipt:
        """Take labels, hours or weeks later; what follows from them happens now.

        A label whose prediction has not come yet is parked and joins it when it comes.

        Args:
            ids: of the predictions.
            labels: what was true, one a row.
            times: when it was observed, aware; kept beside the labels.
            source: where the labels come from, kept beside them. Labels of the source "model"
                were made by a model: they are kept, and neither judge a model nor train one.

        Raises:
            IdConflict: an id was labelled otherwise before; nothing of the batch is stored.
            ValueForbidden: a label that is missing or that the task forbids.
        """
        return self._open().label(ids, labels, times, source)

    def feedback(
        self,
        ids: Sequence[str],
        *,
        ratings: Sequence[float] | None = None,
        corrections: Sequence[object] | None = None,
    ) -> Receipt:
        """Take users' feedback on predictions; a prediction takes it once.

        Args:
            ids: of predictions that the loop knows.
            ratings: numbers, one an id; below 0 is a complaint.
            corrections: what the answers should have been, one an id; one that is not what was
                answered is a complaint. Rows with a rating and rows with a correction go in two
                calls where not every row has both.

        Raises:
            PredictionsUnknown: a prediction is not known; nothing of the batch is stored.
            IdConflict: something else was said of a prediction before.
        """
        return self._open().feedback(ids, ratings, corrections)

    def emit(
        self,
        type: str,
        data: Mapping[str, Json] | None = None,
        *,
        subject: str | None = None,
        id: str | None = None,
        source: str = "python",
    ) -> Receipt:
        """Tell of a business event; the same id from the same source is taken once."""
        return self._open().emit(type, data, subject, (source, id))

    def retrain(self, reason: str = "", *, by: str = "a person") -> Receipt:
        """Ask for a retraining: cooldown, budget and waiting do not hold it up."""
        return self._open().ask_to_retrain(reason, by)

    def rollback(self, to: int | None = None, *, reason: str = "", by: str = "a person") -> int:
        """Make an earlier version champion again, without training; by default the one before.

        Raises:
            VersionUnknown: that version is not kept.
        """
        return self._open().rollback(to, reason, by)

    def tick(self) -> None:
        """Let time pass: schedules and what waits are looked at."""
        self._open().tick()

    # What it knows

    @property
    def records(self) -> Records:
        """Everything that is on record, for reading."""
        return Records(self._open().store, self.name)

    def status(self) -> Status:
        """Return how the loop stands."""
        return self.records.status()

    def events(self) -> Sequence[Event]:
        """Return all events."""
        return self.records.events()

    def decisions(self) -> Sequence[Decision]:
        """Return all decisions."""
        return self.records.decisions()

    def runs(self) -> Sequence[Run]:
        """Return all runs."""
        return self.records.runs()

    def versions(self) -> Sequence[ModelVersion]:
        """Return all versions."""
        return self.records.versions()

    def measurements(self) -> Sequence[Measurement]:
        """Return all measurements."""
        return self.records.measurements()

    def why(self, version: int | None = None) -> str:
        """Tell why a version is live, or why it was: who or what caused it, and the evidence."""
        return self.records.why(version)

    @property
    def data(self) -> Data:
        """The data under the loop: snapshots, rows set aside, what rows have touched, erasure."""
        return Data(self._open().store, self.name, self.clock)

    def reproduce(self, run_id: str) -> Reproduction:
        """Train again what a run trained, on the same rows, and compare the models.

        Nothing is stored.

        Raises:
            RunUnknown: there is no such run.
            TrainingFailed: the run trained no model, or its trainer fails now.
            SnapshotCorrupt: the rows are not what they were.
        """
        return reproduce(self._open().store, self.trainer, run_id)

    def history(self) -> History:
        """Return all that arrived, as it arrived: what `ratoon.replay` runs other policies on."""
        return History.of_store(self._open().store, self.name)

    # Its life

    def settings(self, **changes: Any) -> Loop:
        """Return a loop that is not open, with the same settings but for `changes`."""
        kept = {f.name: getattr(self, f.name) for f in fields(Definition)}
        return Loop(**{**kept, **changes})

    def close(self) -> None:
        """Let go of the folder; the loop opens again at the next call."""
        with self._held.lock:
            if self._held.desk is not None:
                self._held.desk.close()
                self._held.desk = None

    def __enter__(self) -> Self:
        """Return the loop itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _open(self) -> Desk:
        with self._held.lock:
            if self._held.desk is not None and self._held.desk.stale:
                self.close()
            if self._held.desk is None:
                try:
                    self._held.desk = self._opened()
                except BaseException:
                    self.close()
                    raise
            return self._held.desk

    def _opened(self) -> Desk:
        if self.store is not None and self.vault is not None:
            return Desk(self, self.store, self.vault)
        home = Path(self.home)
        store = open_folder(home, self.name, tables=self.tables)
        try:
            return Desk(self, store, FileVault(home))
        except BaseException:
            store.close()
            raise
