"""Every error that Ratoon raises, in one tree.

::

    RatoonError
    ├── SettingInvalid          a setting breaks its rule (also a ValueError)
    │   └── RulesUnreadable     a file of data rules cannot be read
    ├── RowsRefused             a batch is refused whole, nothing is stored (also a ValueError)
    │   ├── BatchEmpty
    │   ├── ColumnsMismatch
    │   ├── ColumnKindMismatch
    │   ├── ValueForbidden
    │   ├── LengthMismatch
    │   ├── IdRepeated
    │   ├── IdConflict
    │   └── PredictionsUnknown
    ├── SourceUnreachable       a source of rows cannot be opened now (transient)
    ├── QuestionFailed          DuckDB refuses a question to the tables, or cannot answer it
    ├── MetricNeedsColumn       a metric asks for scores or a column that is not there
    ├── LoopNotStarted          no champion yet
    ├── LoopStarted             there is a champion already
    ├── LoopUnknown             the folder holds no loop of that name
    ├── VersionUnknown
    ├── RunUnknown
    ├── SnapshotUnknown
    ├── LoopBusy                another process has the loop open (transient)
    ├── StoreUnwritable         the disk does not take what is to be written (transient)
    │   └── StoreFull
    ├── StoreUnreachable        an object store does not answer (transient)
    ├── TableChanged            another process has committed to a table (transient)
    ├── DefinitionNotFound      'module:loop' does not lead to a loop
    ├── TrainingFailed          a training ended without a usable model
    │   ├── DataUnfit
    │   │   ├── SnapshotEmpty
    │   │   └── ChoiceInvalid   a person's choice of rows raised, or gave rows that are not there
    │   ├── TrainerRaised
    │   ├── TrainerReturnedNothing
    │   └── ModelUnusable
    └── StoreDamaged            what is on disk is not what was written
        ├── ArtifactCorrupt
        ├── FileCorrupt
        ├── LogCorrupt
        ├── SnapshotCorrupt
        ├── StoreNewer
        └── StoreOlder

`transient` says whether the same call may succeed later without a change; it drives retries.
"""

from __future__ import annotations

from typing import ClassVar


class RatoonError(Exception):
    """The root of the tree: a fact, and a hint that helps."""

    transient: ClassVar[bool] = False

    def __init__(self, fact: str, *, hint: str = "") -> None:
        """Say `fact`, then `hint` on a line of its own."""
        super().__init__(f"{fact}\n  hint: {hint}" if hint else fact)
        self.fact = fact
        self.hint = hint


class SettingInvalid(RatoonError, ValueError):
    """A setting breaks its rule; raised where the setting is made."""

    def __init__(self, setting: str, rule: str, got: object) -> None:
        """Name the setting, the rule that it breaks and the value that it got."""
        super().__init__(f"{setting} must be {rule}, got {got!r}")
        self.setting = setting
        self.rule = rule
        self.got = got


class RulesUnreadable(SettingInvalid):
    """A file of data rules cannot be read, or breaks a rule itself."""

    def __init__(self, setting: str, rule: str, got: object, *, line: int | None = None) -> None:
        """Name the setting with its file and line, the rule that it breaks, and what it got."""
        super().__init__(setting, rule, got)
        self.line = line  # from 1; None where it is not known


class RowsRefused(RatoonError, ValueError):
    """A batch is refused whole; nothing of it is stored."""


class BatchEmpty(RowsRefused):
    """A batch without rows."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is empty: a batch has at least one row")
        self.what = what


class ColumnsMismatch(RowsRefused):
    """Columns are missing, or there are others than the model was trained on."""

    def __init__(self, missing: tuple[str, ...], extra: tuple[str, ...]) -> None:
        parts = [f"missing columns {list(missing)}"] if missing else []
        parts += [f"extra columns {list(extra)}"] if extra else []
        super().__init__(
            "; ".join(parts),
            hint="the columns must be those of the data that the loop was fitted on, in any order",
        )
        self.missing = missing
        self.extra = extra


class ColumnKindMismatch(RowsRefused):
    """A column holds another kind of values than the model was trained on."""

    def __init__(self, column: str, expected: str, got: str) -> None:
        """Name the column, the kind expected and the kind found."""
        super().__init__(f"column {column!r} must hold {expected} values, got {got}")
        self.column = column
        self.expected = expected
        self.got = got


class ValueForbidden(RowsRefused):
    """A value that the column or the task forbids."""

    def __init__(self, column: str, rule: str, value: object, row: int) -> None:
        """Name the column, the rule, the first value that breaks it and its row."""
        super().__init__(f"{column!r} must be {rule}, got {value!r} in row {row} of the batch")
        self.column = column
        self.rule = rule
        self.value = value
        self.row = row


class LengthMismatch(RowsRefused):
    """Two columns of one batch differ in length."""

    def __init__(self, left: str, left_rows: int, right: str, right_rows: int) -> None:
        super().__init__(f"{left} has {left_rows} rows but {right} has {right_rows}")


class IdRepeated(RowsRefused):
    """The same id stands twice in one batch."""

    def __init__(self, row_id: str) -> None:
        super().__init__(f"id {row_id!r} stands more than once in the batch")
        self.row_id = row_id


class IdConflict(RowsRefused):
    """An id is known already, with another content."""

    def __init__(self, what: str, row_id: str, differs: str) -> None:
        """Name the kind of row, its id and what differs."""
        super().__init__(
            f"{what} {row_id!r} is known with another content ({differs})",
            hint="the same row may be sent again; a changed row needs another id",
        )
        self.row_id = row_id
        self.differs = differs


class PredictionsUnknown(RowsRefused):
    """Feedback on predictions that the loop does not know, or not yet."""

    transient = True

    def __init__(self, row_ids: tuple[str, ...]) -> None:
        first, *others = row_ids
        more = f" ({len(others)} more of the batch too)" if others else ""
        super().__init__(
            f"feedback on prediction {first!r}, which is unknown{more}",
            hint="send it again when the loop has its predictions: feedback is not kept for later",
        )
        self.row_ids = row_ids


class SourceUnreachable(RatoonError):
    """A source of rows cannot be opened now: a database or a store of files does not answer."""

    transient = True


class QuestionFailed(RatoonError):
    """DuckDB refuses a person's question to the tables, or has not enough memory for it."""


class MetricNeedsColumn(RatoonError, ValueError):
    """A metric asks for scores or a column that is not there."""

    def __init__(self, metric: str, column: str) -> None:
        super().__init__(f"metric {metric!r} needs {column}, which the rows do not have")
        self.metric = metric
        self.column = column


class LoopNotStarted(RatoonError):
    """The loop has no champion yet."""

    def __init__(self, loop: str) -> None:
        super().__init__(
            f"loop {loop!r} has no champion yet",
            hint="call loop.fit(rows, labels) to train one, or loop.adopt(model, rows, labels)",
        )


class LoopStarted(RatoonError):
    """The loop has a champion already; it is fitted once."""

    def __init__(self, loop: str) -> None:
        super().__init__(
            f"loop {loop!r} has a champion already",
            hint="call loop.predict and loop.label, or loop.retrain() for another version",
        )


class LoopUnknown(RatoonError, KeyError):
    """The folder holds no loop of that name."""

    __str__ = RatoonError.__str__

    def __init__(self, loop: str, known: tuple[str, ...]) -> None:
        """Name the loop and those that are there."""
        super().__init__(f"no loop {loop!r} here; there are {list(known)}")


class VersionUnknown(RatoonError, KeyError):
    """No kept version has that number."""

    __str__ = RatoonError.__str__

    def __init__(self, loop: str, version: object, kept: tuple[int, ...]) -> None:
        """Name the loop, the version asked for and those that are kept."""
        super().__init__(f"loop {loop!r} has no version {version!r}; kept are {list(kept)}")


class RunUnknown(RatoonError, KeyError):
    """No run has that id."""

    __str__ = RatoonError.__str__

    def __init__(self, run_id: str) -> None:
        super().__init__(f"there is no run {run_id!r}", hint="`ratoon runs LOOP` lists them")
        self.run_id = run_id


class SnapshotUnknown(RatoonError, KeyError):
    """No snapshot has that digest."""

    __str__ = RatoonError.__str__

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"there is no snapshot {digest!r}, or more than one that begins so",
            hint="`ratoon data versions LOOP` lists them",
        )
        self.digest = digest


class LoopBusy(RatoonError):
    """Another process has the loop open."""

    transient = True

    def __init__(self, loop: str, home: str) -> None:
        super().__init__(
            f"loop {loop!r} in {home!r} is open already",
            hint="call close() on the other Loop, also in this process; beside it work `ratoon "
            "record`, `label`, `feedback`, `emit`, `retrain`, `rollback` and all that only look",
        )


class StoreUnwritable(RatoonError):
    """The disk does not take what is to be written; nothing of it was acknowledged."""

    transient = True

    def __init__(self, path: str, why: str) -> None:
        """Name the file or folder, and say what the system said."""
        super().__init__(
            f"{path} cannot be written to: {why}",
            hint="what was acknowledged stays; send the rest again when the disk takes it",
        )
        self.path = path
        self.why = why


class StoreFull(StoreUnwritable):
    """There is no room on the disk, or the quota is used up."""


class TableChanged(RatoonError):
    """Another process has committed to the table; nothing of this call was stored."""

    transient = True

    def __init__(self, table: str) -> None:
        super().__init__(
            f"another process has changed the table {table}; nothing of this call was stored",
            hint="only one process may write to a table; see that no other does, and call again",
        )
        self.table = table


class StoreUnreachable(RatoonError):
    """An object store does not answer; what it holds is as it was."""

    transient = True

    def __init__(self, uri: str, why: str) -> None:
        """Name what was asked for and say what went wrong."""
        super().__init__(f"{uri} cannot be reached: {why}", hint="try again when the store answers")
        self.uri = uri
        self.why = why


class DefinitionNotFound(RatoonError):
    """'module:loop' does not lead to a loop."""

    def __init__(self, target: str, why: str) -> None:
        super().__init__(f"{target!r} does not lead to a loop: {why}", hint="write it module:name")


class TrainingFailed(RatoonError):
    """A training ended without a usable model; the champion is untouched."""


class DataUnfit(TrainingFailed):
    """The snapshot cannot be trained on."""


class SnapshotEmpty(DataUnfit):
    """All rows of a range were erased, or set aside."""

    def __init__(self, start: int, stop: int) -> None:
        super().__init__(
            f"none of the labelled rows {start} to {stop} is left: they were erased or set aside",
            hint="`ratoon data quarantine` shows rows that were set aside",
        )


class ChoiceInvalid(DataUnfit):
    """A person's function that chooses rows raised, or gave rows or weights that cannot be."""


class TrainerRaised(TrainingFailed):
    """The trainer raised an error of its own."""


class TrainerReturnedNothing(TrainingFailed):
    """The trainer returned None."""


class ModelUnusable(TrainingFailed):
    """The trainer returned something that cannot predict: unfitted, or no model at all."""


class StoreDamaged(RatoonError):
    """What is on disk is not what was written."""


class ArtifactCorrupt(StoreDamaged):
    """A model's bytes do not have the digest that was recorded."""


class FileCorrupt(StoreDamaged):
    """A data file is missing, or its bytes are not those that were written."""

    def __init__(self, path: str, why: str, *, missing: bool = False) -> None:
        """Name the file and say what is wrong with it."""
        super().__init__(f"{path} {why}", hint="restore the file from a backup")
        self.path = path
        self.why = why
        self.missing = missing  # whether the file is not there at all


class LogCorrupt(StoreDamaged):
    """Records that had been acknowledged are not as they were written, or are missing."""

    def __init__(self, path: str, offset: int, why: str) -> None:
        """Name the file, the offset in bytes where it is damaged, and what is wrong there."""
        super().__init__(
            f"{path} is damaged at byte {offset}: {why}",
            hint="restore the file from a backup; what stands before that byte is sound",
        )
        self.path = path
        self.offset = offset


class SnapshotCorrupt(StoreDamaged):
    """A snapshot's rows do not have the digest that was recorded."""


class StoreNewer(StoreDamaged):
    """The folder was written by a newer Ratoon."""


class StoreOlder(StoreDamaged):
    """The folder was written by a Ratoon before its first release."""
