"""The models that matter, loaded once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ratoon.core.errors import VersionUnknown
from ratoon.core.versions import Artifact
from ratoon.stores.protocol import Kept, Store
from ratoon.stores.vault import Vault

_WARM = 6  # models kept in memory


class Models:
    """Loads models by their artifact, and keeps the last ones warm."""

    def __init__(self, store: Store, vault: Vault, loop: str) -> None:
        """Begin with none loaded."""
        self._store = store
        self._vault = vault
        self._loop = loop
        self._warm: OrderedDict[str, Any] = OrderedDict()

    def version(self, number: int) -> Kept:
        """Return a kept version, or raise `VersionUnknown`."""
        kept = self._store.version(number)
        if kept is None:
            numbers = tuple(known.version.number for known in self._store.versions())
            raise VersionUnknown(self._loop, number, numbers)
        return kept

    def of_version(self, number: int) -> Any:
        """Return the model of a version."""
        return self.of(self.version(number).version.artifact)

    def of(self, artifact: Artifact) -> Any:
        """Return the model of an artifact."""
        if artifact.sha256 in self._warm:
            self._warm.move_to_end(artifact.sha256)
            return self._warm[artifact.sha256]
        return self.keep(artifact, self._vault.model(artifact))

    def keep(self, artifact: Artifact, model: Any) -> Any:
        """Keep a model warm."""
        self._warm[artifact.sha256] = model
        while len(self._warm) > _WARM:
            self._warm.popitem(last=False)
        return model
