"""Where models lie: files named by their digest, or memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ratoon.core.errors import ArtifactCorrupt
from ratoon.core.versions import Artifact
from ratoon.log import disk
from ratoon.stores import formats

_RESTORE = "restore the file from a backup, or roll back to another version"


class Vault(Protocol):
    """Keeps models; what is kept is never changed."""

    def keep_model(self, model: Any, /) -> Artifact:
        """Keep a model, durably, and return where."""
        ...

    def model(self, artifact: Artifact, /) -> Any:
        """Read a model; its digest is checked before a byte is parsed (`ArtifactCorrupt`)."""
        ...


@dataclass(slots=True)
class MemoryVault:
    """Keeps models as they are."""

    _models: dict[str, Any] = field(default_factory=dict[str, Any])

    def keep_model(self, model: Any, /) -> Artifact:
        """Keep a model."""
        name = f"model-{len(self._models) + 1}"
        self._models[name] = model
        return Artifact(sha256=name, size=0, format="memory")

    def model(self, artifact: Artifact, /) -> Any:
        """Return a model."""
        return self._models[artifact.sha256]


@dataclass(frozen=True, slots=True)
class FileVault:
    """Keeps models as files below one folder."""

    home: Path

    def keep_model(self, model: Any, /) -> Artifact:
        """Write the model's bytes under their SHA-256."""
        body, kind = formats.dump(model)
        name = hashlib.sha256(body).hexdigest()
        disk.write_durably(self._model_path(name), body)
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
