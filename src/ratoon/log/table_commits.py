"""The log of a Delta table: opened, committed to, and made durable."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from ratoon.core.errors import (
    StoreDamaged,
    StoreFull,
    StoreUnreachable,
    StoreUnwritable,
    TableChanged,
)
from ratoon.log import disk
from ratoon.log import table_mending as mending
from ratoon.log.files import DataFile, FileList, Span, TableState, read_name
from ratoon.log.table_storage import local_root
from ratoon.log.table_writing import SPANNED, stats

# Whoever opens a table reads all commits behind the newest checkpoint: 0.1 ms each.
CHECKPOINT_EVERY = 32
# A commit lists the log, at 5 µs a file, so what a checkpoint has made needless goes soon. What the
# table was like before it is not lost: rows never change, and their numbers stay.
LOG_KEPT = "interval 2 hours"
_FULL = ("os error 28", "os error 122")  # ENOSPC and EDQUOT, as deltalake tells them
_COLOURS = re.compile(r"\x1b\[\d+m")
_EMPTY = TableState(version=None, schema=pa.schema([]), files=FileList.of([]), seq=0, stop=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one commit does to a table."""

    added: tuple[DataFile, ...] = ()
    removed: tuple[DataFile, ...] = ()
    removed_ms: int = 0  # when, in milliseconds since 1970
    data_change: bool = True  # False where the rows stay as they are
    seq: int | None = None  # the journal entry up to which the table is whole then
    stop: int | None = None  # the number after the last row then


class DeltaLog:
    """The log of the table at a URI, as one process sees it."""

    def __init__(self, uri: str, options: Mapping[str, str], *, app: str, writable: bool) -> None:
        """Open nothing yet; `app` names the transactions in which rows are appended."""
        self._root = local_root(uri)
        self._uri = uri if self._root is None else str(self._root)
        self._options = dict(options)
        self._app = app
        self._writable = writable
        self._delta: Any = None
        self._checkpoint: int | None = None

    def open(self) -> TableState:
        """Read the newest version of the table; one that is to be written to is mended first.

        Raises:
            StoreDamaged: The log cannot be read, or its end is missing.
        """
        self.forget()
        if self._root is None:
            return self._opened(self._uri, None)
        if self._writable:
            with disk.writing(self._root):
                mending.mend(self._root)
            return self._opened(self._uri, None)
        return self._read_only(self._root)

    def forget(self) -> None:
        """Forget what the log was like: it is not known whether a commit has reached it."""
        self._delta = None

    def has_news(self, version: int | None) -> bool:
        """Whether there may be commits behind a version."""
        return self._root is None or mending.newest(self._root) != version

    def create(self, schema: pa.Schema, change: Change) -> TableState:
        """Make the table with its first rows."""
        from deltalake import Schema  # noqa: PLC0415 - slow to import
        from deltalake.transaction import create_table_with_add_actions  # noqa: PLC0415

        delta_schema = Schema.from_arrow(cast("Any", schema))
        with self._committing(None):
            create_table_with_add_actions(
                self._uri,
                delta_schema,
                [_add(file, change) for file in change.added],
                configuration={"delta.logRetentionDuration": LOG_KEPT},
                storage_options=self._options,
                commit_properties=self._properties(change, beside=2),
            )
        self._flush(0)
        return self._opened(self._uri, None)

    def commit(self, state: TableState, change: Change) -> TableState:
        """Add files to the table and remove others, in one step that is durable on return.

        Raises:
            TableChanged: Another process has committed since.
            StoreUnwritable: The disk does not take it; the table is as before.
        """
        from deltalake import Schema  # noqa: PLC0415 - slow to import
        from deltalake.transaction import RemoveAction  # noqa: PLC0415

        gone = [
            RemoveAction(file.name, change.data_change, change.removed_ms, file.size, {})
            for file in change.removed
        ]
        with self._committing(state):
            self._delta.create_write_transaction(
                [*(_add(file, change) for file in change.added), *gone],
                mode="append",
                schema=Schema.from_arrow(state.schema),
                commit_properties=self._properties(change),
                post_commithook_properties=_no_hooks(),
            )
        version = self._committed(state)
        return replace(
            state,
            version=version,
            files=state.files.replaced(change.removed, change.added),
            seq=state.seq if change.seq is None else change.seq,
            stop=state.stop if change.stop is None else change.stop,
        )

    def widen(self, state: TableState, fields: pa.Schema) -> TableState:
        """Add columns to the table; the rows that are there have none of them."""
        from deltalake import Schema  # noqa: PLC0415 - slow to import

        with self._committing(state):
            self._delta.alter.add_columns(
                Schema.from_arrow(cast("Any", fields)).fields,
                commit_properties=self._properties(Change(), beside=1),
                post_commithook_properties=_no_hooks(),
            )
        version = self._committed(state)
        return replace(state, version=version, schema=_schema(self._delta))

    def tidy(self, state: TableState) -> None:
        """Write a checkpoint where one is due, and let go of the log before it.

        Where that fails, the table is as good as before, and the next commit tries again.
        """
        due = -1 if self._checkpoint is None else self._checkpoint
        if state.version is None or state.version - due < CHECKPOINT_EVERY:
            return
        from deltalake import DeltaTable  # noqa: PLC0415 - slow to import
        from deltalake.exceptions import DeltaError  # noqa: PLC0415

        with contextlib.suppress(DeltaError, OSError, StoreUnwritable):
            self._delta.create_checkpoint()
            if self._root is not None:
                # The commits go when what stands in for them is on the disk, and not before.
                mending.flush_checkpoint(self._root, state.version)
                mark = mending.Mark(version=state.version, checkpoint=state.version)
                mending.set_mark(self._root, mark)
            self._checkpoint = state.version
            self._delta.cleanup_metadata()
            # A handle goes on reading all commits since it was opened, past any checkpoint.
            self._delta = DeltaTable(self._uri, storage_options=self._options)

    # Reading

    def _read_only(self, root: Path) -> TableState:
        """Read the newest version whose commits are whole, and change nothing."""
        last, whole = mending.newest(root), mending.whole_version(root)
        if whole is None:
            return _EMPTY
        if whole == last:
            with contextlib.suppress(StoreDamaged):
                return self._opened(self._uri, None)
        with tempfile.TemporaryDirectory(prefix="ratoon-") as folder:
            mending.copy_durable(root, Path(folder) / "table", whole)
            return self._opened(str(Path(folder) / "table"), whole)

    def _opened(self, uri: str, version: int | None) -> TableState:
        from deltalake import DeltaTable  # noqa: PLC0415 - slow to import
        from deltalake.exceptions import DeltaError, TableNotFoundError  # noqa: PLC0415

        try:
            delta = DeltaTable(uri, version=version, storage_options=self._options)
        except TableNotFoundError:
            return _EMPTY
        except OSError as error:
            if self._root is not None:
                raise
            raise StoreUnreachable(self._uri, _told(error)) from error
        except DeltaError as error:
            raise StoreDamaged(
                f"the log of the table {self._uri} cannot be read: {_told(error)}",
                hint="restore the folder from a backup",
            ) from error
        self._delta = delta
        found = delta.version()
        if self._root is None:
            self._checkpoint = found - found % CHECKPOINT_EVERY
        else:
            mark = mending.read_mark(self._root)
            self._checkpoint = None if mark is None else mark.checkpoint
        files = FileList.of(_files(delta))
        past = int(files.lasts[-1]) + 1 if len(files) else 0
        stop = delta.transaction_version(self._stop_app)
        return TableState(
            version=found,
            schema=_schema(delta),
            files=files,
            seq=delta.transaction_version(self._app) or 0,
            stop=past if stop is None else stop,
        )

    # Writing

    @property
    def _stop_app(self) -> str:
        """Under this name the log keeps `stop`, which outlives the last rows being erased."""
        return f"{self._app}.rows"

    def _properties(self, change: Change, *, beside: int = 0) -> Any:
        """Describe a commit; how many actions it has tells later whether it is whole."""
        from deltalake.transaction import CommitProperties, Transaction  # noqa: PLC0415

        marks = ((self._app, change.seq), (self._stop_app, change.stop))
        moved = [Transaction(name, number) for name, number in marks if number is not None]
        actions = len(moved) + len(change.added) + len(change.removed) + beside
        return CommitProperties(
            custom_metadata={"ratoon": {"actions": actions}},
            max_commit_retries=0,
            app_transactions=moved,
        )

    @contextlib.contextmanager
    def _committing(self, state: TableState | None) -> Generator[None]:
        """Raise what goes wrong in a commit as an error of the tree."""
        from deltalake.exceptions import DeltaError  # noqa: PLC0415 - slow to import

        try:
            yield
        except (DeltaError, OSError) as error:
            self.forget()
            if self._overtaken(state):
                raise TableChanged(self._uri) from error
            text = _told(error)
            kind = StoreFull if any(sign in text for sign in _FULL) else StoreUnwritable
            raise kind(self._uri, text) from error

    def _overtaken(self, state: TableState | None) -> bool:
        """Whether there is a commit behind a version by now."""
        from deltalake import DeltaTable  # noqa: PLC0415 - slow to import
        from deltalake.exceptions import DeltaError  # noqa: PLC0415

        before = -1 if state is None or state.version is None else state.version
        if self._root is not None:
            return mending.commit_path(self._root, before + 1).exists()
        try:
            return DeltaTable(self._uri, storage_options=self._options).version() > before
        except (DeltaError, OSError):
            return False

    def _committed(self, state: TableState) -> int:
        """Make a commit durable, and get ready for the next one."""
        from deltalake.exceptions import DeltaError  # noqa: PLC0415 - slow to import

        assert state.version is not None
        self._flush(state.version + 1)
        try:
            self._delta.update_incremental()
        except (DeltaError, OSError) as error:
            self.forget()
            raise StoreUnwritable(self._uri, _told(error)) from error
        return state.version + 1

    def _flush(self, version: int) -> None:
        """Flush a commit and set the mark. One that cannot be flushed is taken back.

        To flush again would say yes to bytes that are lost already.
        """
        if self._root is None:
            return
        try:
            with disk.writing(self._root):
                if version == 0:
                    disk.flush_folder(self._root)
                mending.flush_commit(self._root, version)
        except StoreUnwritable:
            self.forget()
            disk.delete(mending.commit_path(self._root, version))
            raise
        mending.set_mark(self._root, mending.Mark(version=version, checkpoint=self._checkpoint))


def _add(file: DataFile, change: Change) -> Any:
    from deltalake.transaction import AddAction  # noqa: PLC0415 - slow to import

    return AddAction(
        path=file.name,
        size=file.size,
        partition_values={},
        modification_time=file.written_ms,
        data_change=change.data_change,
        stats=stats(file),
    )


def _no_hooks() -> Any:
    """Nothing is done behind a commit: a checkpoint must be flushed before its commits go."""
    from deltalake.transaction import PostCommitHookProperties  # noqa: PLC0415 - slow to import

    return PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


def _schema(delta: Any) -> pa.Schema:
    return pa.schema(delta.schema().to_arrow())


def _told(error: Exception) -> str:
    """Return the message of an error of deltalake without its trace of nameless frames."""
    lines = (line.strip() for line in _COLOURS.sub("", str(error)).splitlines())
    return " ".join(line for line in lines if line and "<unknown>" not in line)


def _files(delta: Any) -> Iterator[DataFile]:
    """Return the files of a version, in any order."""
    told: Any = pa.table(delta.get_add_actions(flatten=True))
    fixed = ["path", "size_bytes", "num_records", "modification_time"]
    ends = [f"{end}.{name}" for name in SPANNED for end in ("min", "max", "null_count")]
    wanted = [name for name in (*fixed, *ends) if name in told.column_names]
    for action in told.select(wanted).to_pylist():
        yield _file(action)


def _file(action: Mapping[str, Any]) -> DataFile:
    named = read_name(action["path"])
    if named is None or action["num_records"] is None:
        raise StoreDamaged(
            f"the table has a file that Ratoon did not write: {action['path']}",
            hint="others may read the table, but only Ratoon may write to it",
        )
    return DataFile(
        first=named.first,
        last=named.last,
        sha256=named.sha256,
        rows=action["num_records"],
        size=action["size_bytes"],
        written_ms=action["modification_time"],
        spans=tuple(_spans(action)),
    )


def _spans(action: Mapping[str, Any]) -> Sequence[Span]:
    return [
        Span(
            column=name,
            low=action[f"min.{name}"],
            high=action[f"max.{name}"],
            nulls=action[f"null_count.{name}"] or 0,
        )
        for name in SPANNED
        if action.get(f"min.{name}") is not None
    ]
