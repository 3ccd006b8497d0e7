"""Fits and answers that are the same in many replays: done once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import narwhals as nw
import numpy as np

from ratoon.core import wire
from ratoon.core.errors import ArtifactCorrupt
from ratoon.core.times import micros
from ratoon.core.versions import Artifact
from ratoon.core.wire import to_json
from ratoon.engine import steps
from ratoon.engine.probing import answers
from ratoon.executors import Trainer
from ratoon.log import disk
from ratoon.stores.vault import FileVault
from ratoon.windows.rows import Array
from ratoon.windows.snapshot import DatasetSnapshot

_MODELS = 200  # in memory, with what they answered
_ANSWERS = 128 << 20  # bytes of answers in memory, of all models
_FILES = 2 << 30  # bytes of models in the folder; no more are written then
_INDEX = ".json"


class Answering:
    """A model that remembers what it answered, by the bytes of the rows.

    All but `predict` and `predict_proba` is that of the model itself.
    """

    def __init__(self, model: Any, known: _Answers) -> None:
        """Hold the model, and where its answers are kept."""
        self._model = model
        self._known = known
        self._number = known.number()

    def __getattr__(self, name: str) -> Any:
        """Return what the model has."""
        if name.startswith("__"):  # what Python asks of a copy that is not made yet
            raise AttributeError(name)
        found = getattr(self._model, name)
        if name in ("predict", "predict_proba") and callable(found):
            return _Remembered(found, self._known, (self._number, name))
        return found


class _Remembered:
    """A method of a model, asked once for the same rows."""

    def __init__(
        self, method: Callable[[Any], Any], known: _Answers, place: tuple[int, str]
    ) -> None:
        self._method = method
        self._known = known
        self._place = place

    def __call__(self, rows: Any) -> Any:
        """Answer rows."""
        key = (*self._place, _of_frame(rows))
        found = self._known.get(key)
        if found is None:
            found = np.asarray(self._method(rows))
            found.flags.writeable = False
            self._known.put(key, found)
        return found


class _Answers:
    """Answers of models, the latest ones, up to a number of bytes."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[int, str, bytes], Array] = OrderedDict()
        self._bytes = 0
        self._models = 0

    def number(self) -> int:
        """Return a number that no other model has."""
        self._models += 1
        return self._models

    def get(self, key: tuple[int, str, bytes]) -> Array | None:
        """Return an answer, if it is known."""
        if key in self._found:
            self._found.move_to_end(key)
        return self._found.get(key)

    def put(self, key: tuple[int, str, bytes], answer: Array) -> None:
        """Keep an answer, and let go of the oldest where there are too many."""
        self._found[key] = answer
        self._bytes += answer.nbytes
        while self._bytes > _ANSWERS:
            self._bytes -= self._found.popitem(last=False)[1].nbytes


class Reusing:
    """A trainer that fits once for each snapshot.

    A snapshot is known by its digest, its target and window, and the kind of frame that models
    are given; so a trainer must not look at anything else of it, such as its plan, and give the
    same model for the same rows. The first fit is done twice to see that; where the answers to
    some training rows differ, nothing is reused.

    Args:
        trainer: the user's own.
        folder: where models are kept for the next time, and for other processes; None keeps them
            in memory alone.
    """

    def __init__(self, trainer: Trainer, folder: Path | None = None) -> None:
        """Begin with none, but for those in the folder."""
        self.own = trainer
        self._folder = folder
        self._code = (steps.code_digest(trainer) or "") + _plain(trainer)
        self._models: OrderedDict[str, Any] = OrderedDict()
        self._known = _Answers()
        self._steady: bool | None = None
        self._bytes = 0 if folder is None else _size(folder)
        self.fitted = 0
        self.reused = 0

    @property
    def deterministic(self) -> bool | None:
        """Whether it gave the same model twice; None before the first fit."""
        return self._steady

    def __call__(self, snapshot: DatasetSnapshot) -> Any:
        """Return the model of a snapshot."""
        if self._steady is False:
            self.fitted += 1
            return self.own(snapshot)
        key = self._key(snapshot)
        model = self._models.get(key)
        if model is None:
            model = self._read(key)
        if model is not None:
            self.reused += 1
            self._models[key] = model
            self._models.move_to_end(key)
            return model
        return self._fitted(key, snapshot)

    def _fitted(self, key: str, snapshot: DatasetSnapshot) -> Any:
        model = self.own(snapshot)
        self.fitted += 1
        if model is None:
            return None
        if self._steady is None:
            self._steady = self._same(model, snapshot)
            if not self._steady:
                return model
        self._write(key, model)
        return self._keep(key, model)

    def _same(self, model: Any, snapshot: DatasetSnapshot) -> bool:
        """Tell whether a second fit answers alike."""
        return answers(model, snapshot) == answers(self.own(snapshot), snapshot)

    def _keep(self, key: str, model: Any) -> Any:
        kept = Answering(model, self._known)
        self._models[key] = kept
        while len(self._models) > _MODELS:
            self._models.popitem(last=False)
        return kept

    def _key(self, snapshot: DatasetSnapshot) -> str:
        window = snapshot.window
        parts = {
            "digest": snapshot.digest,
            "target": to_json(snapshot.target),
            "window": [micros(window.start), micros(window.end)],
            "frame": snapshot.schema.frame,
            "code": self._code,
            "environment": steps.environment(),
        }
        return hashlib.sha256(wire.dumps(parts).encode()).hexdigest()

    def _read(self, key: str) -> Any:
        """Return a model that was kept in the folder; None where none is there and whole."""
        if self._folder is None or not (path := self._path(key)).exists():
            return None
        try:
            artifact = wire.loads(Artifact, path.read_text())
            model = FileVault(self._folder).model(artifact)
        except (ArtifactCorrupt, ValueError, KeyError):  # it is trained anew
            return None
        self._steady = True  # it was written after a fit had been done twice
        return self._keep(key, model)

    def _write(self, key: str, model: Any) -> None:
        if self._folder is None or self._bytes > _FILES:
            return
        try:
            artifact = FileVault(self._folder).keep_model(model)
        except Exception:  # noqa: BLE001 - a model that cannot be written is kept in memory alone
            return
        self._bytes += artifact.size
        disk.write_durably(self._path(key), wire.dumps(artifact).encode())

    def _path(self, key: str) -> Path:
        assert self._folder is not None  # asked where there is one
        return self._folder / "fits" / f"{key}{_INDEX}"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "models").glob("*/*"))


def _plain(value: object) -> str:
    """Return a representation without addresses in memory."""
    return repr(value).split(" at 0x", 1)[0]


def _of_frame(rows: Any) -> bytes:
    """Return a digest of rows as a model is given them, whatever kind of frame they are."""
    found = hashlib.blake2b(digest_size=16)
    if isinstance(rows, np.ndarray):
        _add(found, cast("Array", rows))
    else:
        for column in nw.from_native(rows, eager_only=True).iter_columns():
            found.update(column.name.encode())
            _add(found, column.to_numpy())
    return found.digest()


def _add(found: Any, values: Array) -> None:
    found.update(f"{values.dtype.str}{values.shape}".encode())
    plain = values.dtype.kind != "O"
    found.update(np.ascontiguousarray(values).view(np.uint8).data if plain and values.size else b"")
    if not plain:
        found.update(repr(values.tolist()).encode())
