"""A training done again from its pin, and compared with the model that came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ratoon.core import wire
from ratoon.core.errors import RatoonError, RunUnknown, SnapshotEmpty, TrainingFailed
from ratoon.core.measuring import RowRange
from ratoon.core.running import Run
from ratoon.core.versions import Artifact
from ratoon.core.wire import Json
from ratoon.engine import steps
from ratoon.engine.pinning import unpinned
from ratoon.engine.probing import ROWS, answers
from ratoon.stores.formats import digest_of
from ratoon.stores.protocol import Store
from ratoon.windows.pins import Pin
from ratoon.windows.snapshot import DatasetSnapshot

Trainer = Callable[[DatasetSnapshot], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What came of a training that was done again."""

    run_id: str
    version: int | None  # that the run registered
    snapshot: str  # digest of the rows; they were read again, and are the same
    rows: int  # that it was trained on now
    erased: int  # rows of the snapshot that are gone since, at a person's wish
    same_bytes: bool  # the model is the same file
    largest_difference: float | None  # between the answers to the probe rows; None where unknown
    probed: int  # rows, of those that are still there
    code_changed: bool | None  # None where the trainer has no source to compare
    environment: Mapping[str, tuple[Json, Json]]  # what differs: then, now

    @property
    def same(self) -> bool:
        """Whether the model answers the probe rows as the registered one did, to the last bit.

        Where rows were erased it is another training, whatever it answers, and this is false.
        """
        return not self.erased and (self.same_bytes or self.largest_difference == 0.0)


def reproduce(store: Store, trainer: Trainer, run_id: str) -> Reproduction:
    """Train again what a run trained, on the rows of its pin, and compare.

    Nothing is stored. A trainer that draws chance without a seed comes to another model; the
    largest difference says how far from the first. Where rows were erased since, it trains on those
    that are left, compares the answers to the probe rows that are left, and says how many are gone.

    Raises:
        RunUnknown: there is no such run.
        TrainingFailed: the run trained no model, or its trainer fails now.
        SnapshotEmpty: all of its rows were erased.
        SnapshotCorrupt: the rows of the pin are not what they were.
    """
    run = store.run(run_id)
    if run is None:
        raise RunUnknown(run_id)
    pin = store.pin(str(steps.wrote(run, "train", "snapshot")))
    if pin is None:
        raise TrainingFailed(f"run {run_id} has trained no model from a snapshot")
    if pin.erased >= pin.count:
        raise SnapshotEmpty(pin.rows[0].start, pin.rows[-1].stop)
    snapshot = unpinned(pin, store)
    model = _trained(trainer, snapshot)
    left = _left(pin, store, whole=len(snapshot) == pin.count)
    before, now = _told(run, left), answers(model, snapshot, len(left))
    artifact = wire.from_json(Artifact, steps.wrote(run, "train", "artifact"))
    return Reproduction(
        run_id=run_id,
        version=run.version,
        snapshot=pin.digest,
        rows=len(snapshot),
        erased=pin.count - len(snapshot),
        same_bytes=digest_of(model) == artifact.sha256,
        largest_difference=_difference(before, now),
        probed=len(now),
        code_changed=_code_changed(run, trainer),
        environment=_differences(run),
    )


def _trained(trainer: Trainer, snapshot: DatasetSnapshot) -> Any:
    try:
        return trainer(snapshot)
    except RatoonError:
        raise
    except Exception as error:  # the trainer is a person's own code
        raise TrainingFailed(f"the trainer raised {type(error).__name__}: {error}") from error


def _left(pin: Pin, store: Store, *, whole: bool) -> list[int]:
    """Return which of the probe rows are still there, by their place in the snapshot."""
    parts = (np.arange(r.start, min(r.stop, r.start + ROWS)) for r in pin.rows[:ROWS])
    probed = np.concatenate(list(parts))[:ROWS]
    if whole:
        return list(range(len(probed)))
    found = store.labelled(RowRange(start=int(probed[0]), stop=int(probed[-1]) + 1))
    return np.flatnonzero(np.isin(probed, found.ordinals)).tolist()


def _told(run: Run, rows: list[int]) -> Any:
    """Return what the registered model answered to some of the probe rows."""
    said: Any = steps.wrote(run, "train", "probe")
    return None if said is None else [said[row] for row in rows if row < len(said)]


def _difference(before: Any, now: list[list[float]]) -> float | None:
    if not before or np.shape(before) != np.shape(now):
        return None
    return float(np.max(np.abs(np.array(before) - np.array(now))))


def _code_changed(run: Run, trainer: Trainer) -> bool | None:
    then, now = steps.wrote(run, "train", "code"), steps.code_digest(trainer)
    return None if then is None or now is None else then != now


def _differences(run: Run) -> Mapping[str, tuple[Json, Json]]:
    then: Mapping[str, Json] = steps.wrote(run, "train", "environment") or {}
    now = steps.environment()
    names = dict.fromkeys((*then, *now))
    pairs = {name: (then.get(name), now.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
