"""Where models and snapshots lie: files named by their digest, or memory."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from ratoon.core import wire
from ratoon.core.deciding import SnapshotPlan
from ratoon.core.errors import ArtifactCorrupt, SnapshotCorrupt
from ratoon.core.measuring import Window
from ratoon.core.schema import Schema
from ratoon.core.versions import Artifact
from ratoon.stores import columns as codec
from ratoon.stores import formats
from ratoon.windows.judged import Target
from ratoon.windows.rows import Rows
from ratoon.windows.snapshot import DatasetSnapshot, digest

_RESTORE = "restore the file from a backup, or roll back to another version"


class Vault(Protocol):
    """Keeps models and snapshots; what is kept is never changed."""

    def keep_model(self, model: Any, /) -> Artifact:
        """Keep a model, durably, and return where."""
        ...

    def model(self, artifact: Artifact, /) -> Any:
        """Read a model; its digest is checked before a byte is parsed (`ArtifactCorrupt`)."""
        ...

    def keep_snapshot(self, snapshot: DatasetSnapshot, /) -> None:
        """Keep a snapshot, durably, under its digest."""
        ...

    def snapshot(self, digest: str, /) -> DatasetSnapshot:
        """Read a snapshot; its rows must have the digest (`SnapshotCorrupt`)."""
        ...


@dataclass(slots=True)
class MemoryVault:
    """Keeps models and snapshots as they are."""

    _models: dict[str, Any] = field(default_factory=dict[str, Any])
    _snapshots: dict[str, DatasetSnapshot] = field(default_factory=dict[str, DatasetSnapshot])

    def keep_model(self, model: Any, /) -> Artifact:
        """Keep a model."""
        name = f"model-{len(self._models) + 1}"
        self._models[name] = model
        return Artifact(sha256=name, size=0, format="memory")

    def model(self, artifact: Artifact, /) -> Any:
        """Return a model."""
        return self._models[artifact.sha256]

    def keep_snapshot(self, snapshot: DatasetSnapshot, /) -> None:
        """Keep a snapshot."""
        self._snapshots[snapshot.digest] = snapshot

    def snapshot(self, digest: str, /) -> DatasetSnapshot:
        """Return a snapshot."""
        return self._snapshots[digest]


@dataclass(frozen=True, slots=True)
class FileVault:
    """Keeps models and snapshots as files below one folder."""

    home: Path

    def keep_model(self, model: Any, /) -> Artifact:
        """Write the model's bytes under their SHA-256."""
        body, kind = formats.dump(model)
        name = hashlib.sha256(body).hexdigest()
        write_durably(self._model_path(name), body)
        return Artifact(sha256=name, size=len(body), format=kind)

    def model(self, artifact: Artifact, /) -> Any:
        """Read a model."""
        path = self._model_path(artifact.sha256)
        if not path.exists():
            raise ArtifactCorrupt(f"{path} is missing", hint=_RESTORE)
        body = path.read_bytes()
        found = hashlib.sha256(body).hexdigest()
        if found != artifact.sha256:
            raise ArtifactCorrupt(
                f"{path} has SHA-256 {found}, not that of its name", hint=_RESTORE
            )
        return formats.load(body, artifact.format)

    def _model_path(self, name: str) -> Path:
        return self.home / "models" / name[:2] / name

    def keep_snapshot(self, snapshot: DatasetSnapshot, /) -> None:
        """Write the rows as Parquet, and beside them what is known of them.

        The file is called by the digest of the rows and the SHA-256 of its bytes.
        """
        import pyarrow as pa  # noqa: PLC0415 - slow to import
        import pyarrow.parquet as pq  # noqa: PLC0415

        columns = {f"feature:{name}": c for name, c in snapshot.features.columns.items()}
        batch = codec.to_batch(columns)
        about = {
            "snapshot": wire.dumps(snapshot.record()),
            "target": wire.dumps(snapshot.target),
            "labels": wire.dumps(snapshot.labels),
        }
        table = pa.Table.from_batches([batch]).replace_schema_metadata(about)
        sink = pa.BufferOutputStream()
        cast("Any", pq).write_table(table, sink, compression="zstd", write_page_checksum=True)
        body = sink.getvalue().to_pybytes()
        name = f"{snapshot.digest}.{hashlib.sha256(body).hexdigest()}.parquet"
        write_durably(self.home / "snapshots" / name, body)

    def snapshot(self, digest: str, /) -> DatasetSnapshot:
        """Read a snapshot: the first file of that digest whose bytes are those of its name."""
        import pyarrow as pa  # noqa: PLC0415 - slow to import
        import pyarrow.parquet as pq  # noqa: PLC0415

        paths = sorted((self.home / "snapshots").glob(f"{digest}.*.parquet"))
        for path in paths:
            body = path.read_bytes()
            if path.name != f"{digest}.{hashlib.sha256(body).hexdigest()}.parquet":
                continue
            table = cast("Any", pq).read_table(
                pa.BufferReader(body), page_checksum_verification=True
            )
            about = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
            return _snapshot(path, digest, codec.from_table(table), about)
        what = (
            f"{paths[0]} does not have the SHA-256 of its name" if paths else "its file is missing"
        )
        raise SnapshotCorrupt(f"snapshot {digest} cannot be read: {what}", hint=_RESTORE)


def _snapshot(
    path: Path, name: str, columns: codec.Columns, about: dict[str, str]
) -> DatasetSnapshot:
    record = wire.loads(dict[str, Any], about["snapshot"])
    labels = tuple(wire.loads(list[Any], about["labels"]))
    schema: Schema = wire.from_json(Schema, record["schema"])
    features = Rows(
        schema=schema,
        columns={key.removeprefix("feature:"): column for key, column in columns.items()},
    )
    if digest(features, labels) != name:
        raise SnapshotCorrupt(f"{path} does not hold the rows of its digest")
    return DatasetSnapshot(
        digest=name,
        features=features,
        labels=labels,
        target=wire.loads(Target, about["target"]),
        window=wire.from_json(Window, record["window"]),
        plan=wire.from_json(SnapshotPlan, record["plan"]),
    )


def write_durably(path: Path, body: bytes) -> None:
    """Write aside, flush to the disk, rename, flush the folder; an equal file stays as it is."""
    if path.exists() and path.read_bytes() == body:
        return
    _make_folder(path.parent)
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        with aside.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _make_folder(folder: Path) -> None:
    """Make a folder with its parents, each of them on the disk before something is in it."""
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for part in reversed(missing):
        _flush_folder(part.parent)


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # pragma: no cover - Windows cannot open a folder to flush it
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
