"""A table's log after an unclean end, on the local disk.

`deltalake` does not flush what it writes. So after each commit the log is flushed here, and then
a mark is set: up to this version all is durable, and so is this checkpoint. A commit is begun when
the one before it is durable; so what a cut of the power can tear is the newest commit, behind the
mark, and the newest checkpoint. Both are taken back when the table is opened to be written to:
the rows of the commit stand in the write-ahead log still.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ratoon.core.errors import StoreDamaged
from ratoon.log import disk
from ratoon.log.files import read_name
from ratoon.log.table_storage import LOG, OWN, flush_path, write_flushed

MARK = "durable.json"
_MARK_BYTES = 128  # always, so that a longer mark never leaves the end of an older one
_HINT = "_last_checkpoint"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*parquet")
_STAGED = re.compile(r".*#\d+")  # what deltalake had not given its name yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Up to where a table's log is durable."""

    version: int
    checkpoint: int | None


def read_mark(root: Path) -> Mark | None:
    """Return the mark of a table; None where there is none that can be read."""
    try:
        told = json.loads((root / OWN / MARK).read_bytes())
        return Mark(version=told["version"], checkpoint=told["checkpoint"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def set_mark(root: Path, mark: Mark) -> None:
    """Say up to where the log is durable.

    The mark is written over the one before, within one sector, and not flushed: after a cut of
    the power it may be an older one, and then more is checked than need be. It is never torn.
    """
    path = root / OWN / MARK
    body = json.dumps({"version": mark.version, "checkpoint": mark.checkpoint})
    with disk.writing(path):
        if path.exists():
            with path.open("r+b") as file:
                file.write(_padded(body))
        else:
            disk.make_folder(path.parent)
            write_flushed(path, _padded(body))
            disk.flush_folder(path.parent)


def _padded(body: str) -> bytes:
    return f"{body:<{_MARK_BYTES - 1}}\n".encode()


def commit_path(root: Path, version: int) -> Path:
    """Return the file of a commit."""
    return root / LOG / f"{version:020d}.json"


def newest(root: Path) -> int | None:
    """Return the version of the newest commit file, torn or not; None where there is none."""
    return max(_versions(root, _COMMIT), default=None)


def flush_commit(root: Path, version: int) -> None:
    """Return when a commit would survive a cut of the power."""
    flush_path(commit_path(root, version))
    disk.flush_folder(root / LOG)


def flush_checkpoint(root: Path, version: int) -> None:
    """Return when a checkpoint would survive a cut of the power."""
    for path in _checkpoints(root, version):
        flush_path(path)
    flush_path(root / LOG / _HINT)
    disk.flush_folder(root / LOG)


def mend(root: Path) -> None:
    """Take back what an unclean end has left half done, and flush the rest.

    Raises:
        StoreDamaged: Commits that had been durable are missing.
    """
    _drop_leftovers(root)
    last, mark = newest(root), read_mark(root)
    if mark is not None and (last is None or last < mark.version):
        raise StoreDamaged(
            f"the log of {root} ends at version {last}, but it had come to {mark.version}",
            hint="restore the folder from a backup",
        )
    if last is None:
        return
    whole = _without_torn(root, last, mark)
    checkpoint = None if mark is None else mark.checkpoint
    _drop_checkpoints(root, whole, checkpoint)
    if whole is not None and (mark is None or whole > mark.version):
        # A process that was killed may have left it in the memory of the system alone.
        flush_commit(root, whole)
        disk.flush_folder(root)
        set_mark(root, Mark(version=whole, checkpoint=checkpoint))


def whole_version(root: Path) -> int | None:
    """Return the newest version whose commit is whole, for those who may not mend."""
    last = newest(root)
    if last is None or not _is_torn(root, last, read_mark(root), deep=False):
        return last
    return last - 1 if last else None


def copy_durable(root: Path, into: Path, upto: int) -> None:
    """Copy the log up to a version without what may be torn, for those who may not mend."""
    mark = read_mark(root)
    checkpoint = -1 if mark is None or mark.checkpoint is None else mark.checkpoint
    (into / LOG).mkdir(parents=True)
    for path in (root / LOG).iterdir():
        commit, point = _COMMIT.fullmatch(path.name), _CHECKPOINT.fullmatch(path.name)
        if (commit and int(commit[1]) <= upto) or (point and int(point[1]) <= checkpoint):
            (into / LOG / path.name).write_bytes(path.read_bytes())


def _versions(root: Path, pattern: re.Pattern[str]) -> Iterator[int]:
    if (root / LOG).is_dir():
        for path in (root / LOG).iterdir():
            found = pattern.fullmatch(path.name)
            if found:
                yield int(found[1])


def _checkpoints(root: Path, version: int) -> list[Path]:
    return sorted((root / LOG).glob(f"{version:020d}.checkpoint.*parquet"))


def _is_torn(root: Path, last: int, mark: Mark | None, *, deep: bool) -> bool:
    """Whether the newest commit is torn; one that was durable cannot be, it can only be damaged."""
    is_sure = mark is not None and last <= mark.version
    return not is_sure and not _is_whole(root, last, deep=deep)


def _without_torn(root: Path, last: int, mark: Mark | None) -> int | None:
    """Delete the newest commit if it is torn; return what is newest then."""
    if not _is_torn(root, last, mark, deep=True):
        return last
    disk.delete(commit_path(root, last))
    disk.flush_folder(root / LOG)
    return last - 1 if last else None


def _is_whole(root: Path, version: int, *, deep: bool) -> bool:
    """Whether a commit has all its actions, and the files that it adds are whole."""
    try:
        lines = commit_path(root, version).read_bytes().splitlines()
        actions: list[dict[str, Any]] = [json.loads(line) for line in lines]
    except (FileNotFoundError, ValueError):
        return False
    infos = [action["commitInfo"] for action in actions if "commitInfo" in action]
    if not infos:
        return False
    told = infos[0].get("ratoon", {}).get("actions", len(actions) - 1)
    adds = [action["add"] for action in actions if "add" in action]
    return len(actions) - 1 == told and all(_has(root, add, deep=deep) for add in adds)


def _has(root: Path, add: dict[str, Any], *, deep: bool) -> bool:
    path, named = root / add["path"], read_name(add["path"])
    try:
        if path.stat().st_size != add["size"]:
            return False
        if not deep or named is None:
            return True
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == named.sha256
    except FileNotFoundError:
        return False


def _drop_leftovers(root: Path) -> None:
    """Delete files that were being written and never got their names."""
    if (root / OWN).is_dir():
        for path in (root / OWN).glob("*.part"):
            disk.delete(path)
    if (root / LOG).is_dir():
        for path in (root / LOG).iterdir():
            if _STAGED.fullmatch(path.name):
                disk.delete(path)


def _drop_checkpoints(root: Path, last: int | None, durable: int | None) -> None:
    """Delete checkpoints behind the durable one, where the commits are there to do without.

    The hint that names a checkpoint goes too, where that one is not there: it is only a hint.
    """
    commits, dropped = set(_versions(root, _COMMIT)), False
    start = -1 if durable is None else durable
    for version in sorted(set(_versions(root, _CHECKPOINT))):
        needed = range(start + 1, min(version, -1 if last is None else last) + 1)
        if version > start and commits.issuperset(needed):
            for path in _checkpoints(root, version):
                disk.delete(path)
                dropped = True
    hint = root / LOG / _HINT
    if hint.exists() and not _checkpoints(root, _hinted(hint)):
        disk.delete(hint)
        dropped = True
    if dropped:
        disk.flush_folder(root / LOG)


def _hinted(hint: Path) -> int:
    try:
        return int(json.loads(hint.read_bytes())["version"])
    except (ValueError, KeyError, TypeError):
        return -1
