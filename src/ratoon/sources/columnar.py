"""Parquet, Arrow IPC and Delta tables: files that know the types of their columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

import pyarrow as pa

from ratoon.core.errors import RowsRefused, SourceUnreachable
from ratoon.sources.kinds import Kinds

_ROWS = 8192  # read at once; batches are made of them
_BUFFER = 1 << 20  # bytes of each column that are read at once
_ARROW_FILE = b"ARROW1"
_FEATHER_1 = b"FEA1"
_COLOURS = re.compile("\x1b\\[[0-9;]*m")


def read_parquet(file: Path | Any, kinds: Kinds) -> Iterator[Any]:
    """Yield the rows of a Parquet file, a few of them at a time however large its row groups are.

    Page checksums are compared where the file has them.
    """
    for batch in _batches(file, kinds):
        yield kinds.typed(batch)


def _batches(file: Path | Any, kinds: Kinds) -> Iterator[Any]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    # pyarrow.dataset would hold the decoded values of whole row groups, however large.
    opened = cast("Any", pq).ParquetFile(
        file, pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True
    )
    with opened:
        kinds.check_names(opened.schema_arrow.names)
        rows = 0
        for batch in opened.iter_batches(batch_size=_ROWS):
            rows += batch.num_rows
            yield _sound(batch)
        about = opened.metadata
        groups = [about.row_group(at).num_rows for at in range(about.num_row_groups)]
        if not rows == about.num_rows == sum(groups):
            told = f"{about.num_rows} rows, {sum(groups)} in its groups, and {rows} were there"
            raise RowsRefused(f"{kinds.source} is damaged: it tells of {told}")


def read_arrow(stream: BinaryIO, kinds: Kinds) -> Iterator[Any]:
    """Yield the rows of an Arrow IPC file or stream; which of the two is told by its first bytes.

    Arrow holds one of the file's own record batches at a time.
    """
    head = cast("Any", stream).peek(len(_ARROW_FILE))[: len(_ARROW_FILE)]
    if head.startswith(_FEATHER_1):
        hint = "pyarrow.feather.write_feather(table, path) writes version 2"
        raise RowsRefused(f"{kinds.source} is Feather of version 1, which nobody writes", hint=hint)
    if head == _ARROW_FILE:
        if not stream.seekable():
            hint = "give its path, or a stream, which pyarrow.ipc.new_stream writes"
            raise RowsRefused(f"{kinds.source} is an Arrow file: it is read by its end", hint=hint)
        file: Any = pa.ipc.open_file(cast("Any", stream))
        kinds.check_names(file.schema.names)
        for number in range(file.num_record_batches):
            yield kinds.typed(_sound(file.get_batch(number)))
        return
    body = _Ending(stream)
    batches: Any = pa.ipc.open_stream(cast("Any", pa).PythonFile(body, mode="r"))
    kinds.check_names(batches.schema.names)
    for batch in batches:
        yield kinds.typed(_sound(batch))
    if body.ended:
        hint = "a writer that is closed puts a mark there; this one may have been cut short"
        raise RowsRefused(f"{kinds.source} ends without the mark of its end", hint=hint)


class _Ending:
    """A stream that knows whether more was asked of it than there is."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.ended = False

    def read(self, size: int = -1) -> bytes:
        found = self._stream.read(size)
        self.ended = self.ended or len(found) < size
        return found


def read_delta(uri: str, kinds: Kinds) -> Iterator[Any]:
    """Yield the rows of the newest version of a Delta table, the files that were written first."""
    from deltalake import DeltaTable  # noqa: PLC0415 - slow to import
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    try:
        table: Any = DeltaTable(uri)
        dataset: Any = table.to_pyarrow_dataset()  # refuses what only other readers understand
    except DeltaError as error:
        raise RowsRefused(f"{uri} cannot be read as a Delta table: {error}") from error
    except OSError as error:  # an object store that does not answer, or knows nobody's keys
        told = " ".join(_COLOURS.sub("", str(error)).split())
        raise SourceUnreachable(f"{uri} cannot be opened: {told}") from error
    kinds.check_names(dataset.schema.names)
    for path, constants in _files(table):
        with dataset.filesystem.open_input_file(path) as file:
            for batch in _batches(file, Kinds(f"{uri}/{path}", {})):
                yield kinds.typed(_completed(batch, dataset.schema, constants))


def _files(table: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the files of a Delta table as they were written, and their partition's values."""
    written: Any = cast("Any", pa).table(table.get_add_actions(flatten=True))
    # The log names the newest first, which orders what was written within one millisecond.
    added: list[dict[str, Any]] = written.to_pylist()[::-1]
    added.sort(key=lambda file: file["modification_time"])
    start = "partition."
    return [
        (
            unquote(file["path"]),
            {name[len(start) :]: file[name] for name in file if name.startswith(start)},
        )
        for file in added
    ]


def _completed(batch: Any, schema: Any, constants: Mapping[str, Any]) -> Any:
    """Return a batch of a file with all columns of its table: some stand in its path, or later."""
    rows = batch.num_rows
    columns: list[Any] = [
        batch.column(field.name).cast(field.type)
        if field.name in batch.schema.names
        else pa.repeat(cast("Any", pa).scalar(constants.get(field.name), field.type), rows)
        for field in schema
    ]
    return cast("Any", pa).RecordBatch.from_arrays(columns, schema=schema)


def _sound(batch: Any) -> Any:
    """Return a batch whose buffers were checked: a wrong one could end the process."""
    batch.validate(full=True)
    return batch
