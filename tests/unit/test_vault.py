"""Models lie in files that are whole, durable and checked before they are parsed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from ratoon.core.errors import ArtifactCorrupt
from ratoon.core.versions import Artifact
from ratoon.log.disk import write_durably
from ratoon.stores import FileVault, MemoryVault, Vault, formats


def model() -> LinearRegression:
    """Return a fitted model."""
    return LinearRegression().fit(np.arange(8.0).reshape(-1, 1), np.arange(8.0))


def files(home: Path) -> list[Path]:
    """Return all files below `home`, hidden ones too."""
    return sorted(path for path in home.rglob("*") if path.is_file())


@pytest.fixture(params=["memory", "files"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    """Return a vault of each kind."""
    return MemoryVault() if request.param == "memory" else FileVault(tmp_path)


def test_model_reads_back(vault: Vault) -> None:
    """A model that was kept predicts as it did."""
    artifact = vault.keep_model(model())
    rows = np.array([[3.0], [9.5]])
    assert vault.model(artifact).predict(rows).tolist() == model().predict(rows).tolist()


def test_model_is_checked_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model's file with one byte changed is refused, and no reader ever sees its bytes."""
    vault = FileVault(tmp_path)
    artifact = vault.keep_model(model())
    (path,) = files(tmp_path)
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    parsed: list[bytes] = []
    monkeypatch.setattr(formats, "load", lambda body, _kind: parsed.append(body))
    with pytest.raises(ArtifactCorrupt, match=artifact.sha256) as caught:
        vault.model(artifact)
    assert "hint: restore the file" in str(caught.value)
    assert parsed == []


def test_missing_model(tmp_path: Path) -> None:
    """A model whose file is gone is named with its path."""
    artifact = Artifact(sha256="ab" * 32, size=1, format="skops")
    with pytest.raises(ArtifactCorrupt, match=r"models/ab/(ab)+ is missing"):
        FileVault(tmp_path).model(artifact)


def test_equal_content_is_written_once(tmp_path: Path) -> None:
    """The same model kept again touches no file."""
    vault = FileVault(tmp_path)
    first = vault.keep_model(model())
    before = [(path, path.stat().st_ino, path.stat().st_mtime_ns) for path in files(tmp_path)]
    assert vault.keep_model(model()) == first
    assert len(before) == 1
    assert [(p, p.stat().st_ino, p.stat().st_mtime_ns) for p in files(tmp_path)] == before


def test_damaged_file_is_replaced(tmp_path: Path) -> None:
    """Keeping a model again heals its file where that was damaged."""
    vault = FileVault(tmp_path)
    artifact = vault.keep_model(model())
    (path,) = files(tmp_path)
    path.write_bytes(b"torn")
    vault.keep_model(model())
    assert vault.model(artifact).predict([[2.0]]) == pytest.approx([2.0])


def test_written_aside_flushed_and_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are on the disk before they get their name, and the name before the call ends."""
    happened: list[str] = []
    flush, rename = os.fsync, Path.replace

    def flushed(opened: int) -> None:
        happened.append("folder" if stat.S_ISDIR(os.fstat(opened).st_mode) else "file")
        flush(opened)

    def renamed(path: Path, target: Path) -> Path:
        happened.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", renamed)
    write_durably(tmp_path / "new" / "folder" / "file", b"body")
    assert happened == ["folder", "folder", "file", "rename", "folder"]
    happened.clear()
    write_durably(tmp_path / "new" / "folder" / "file", b"body")
    assert happened == []


@pytest.mark.parametrize("stops", ["fsync", "replace"])
def test_nothing_is_left_by_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: str
) -> None:
    """A write that fails leaves neither a file of that name nor one beside it."""

    def fail(*_: object) -> None:
        raise OSError("no space left")

    (tmp_path / "models").mkdir()
    monkeypatch.setattr(*((os, "fsync", fail) if stops == "fsync" else (Path, "replace", fail)))
    with pytest.raises(OSError, match="no space left"):
        write_durably(tmp_path / "models" / "file", b"body")
    assert files(tmp_path) == []


def test_a_failed_rewrite_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file cannot be replaced, the old one stays whole."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_durably(path, b"new")
    assert [(found, found.read_bytes()) for found in files(tmp_path)] == [(path, b"old")]
