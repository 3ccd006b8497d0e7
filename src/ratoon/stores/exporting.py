"""Rows handed out as files: Parquet, CSV, Arrow IPC."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

FileFormat: TypeAlias = Literal["parquet", "csv", "arrow"]


def export(found: Any, path: Path, format: FileFormat, moved: Callable[[int], None]) -> int:  # noqa: A002 - what it is called everywhere
    """Write record batches to a file as they come, and return how many rows those were.

    The file is written aside and takes its name when it is whole; one of that name is replaced.

    Args:
        found: a `pyarrow.RecordBatchReader`.
        path: of the file.
        format: what it is to hold. Parquet gets checksums of its pages.
        moved: is told how many rows have been written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    rows = 0
    try:
        with aside.open("wb") as file:
            with _writer(file, found.schema, format) as writer:
                for batch in found:
                    writer.write_batch(batch)
                    rows += batch.num_rows
                    moved(rows)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return rows


def counted(found: Any, moved: Callable[[int], None]) -> Any:
    """Return the same record batches, and tell how many rows have been read of them."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    def batches() -> Iterator[Any]:
        rows = 0
        for batch in found:
            rows += batch.num_rows
            moved(rows)
            yield batch

    return cast("Any", pa).RecordBatchReader.from_batches(found.schema, batches())


def renamed(found: Any, names: list[str]) -> Any:
    """Return the same record batches with other names for their columns."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    arrow = cast("Any", pa)
    fields = [field.with_name(name) for field, name in zip(found.schema, names, strict=True)]
    schema = arrow.schema(fields)
    batches = (arrow.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in found)
    return arrow.RecordBatchReader.from_batches(schema, batches)


def _writer(file: Any, schema: Any, format: FileFormat) -> Any:  # noqa: A002 - as in `export`
    match format:
        case "parquet":
            import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

            return cast("Any", pq).ParquetWriter(
                file, schema, compression="zstd", write_page_checksum=True
            )
        case "csv":
            from pyarrow import csv  # noqa: PLC0415 - slow to import

            return csv.CSVWriter(file, schema)
        case "arrow":
            import pyarrow as pa  # noqa: PLC0415 - slow to import

            return cast("Any", pa).ipc.new_file(file, schema)
