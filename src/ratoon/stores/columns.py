"""Columns as bytes and back: the Arrow IPC stream format."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pyarrow as pa

from ratoon.stores.protocol import Columns
from ratoon.windows.rows import Array

_COMPRESSED = 64  # rows; below, the headers of compressed buffers cost more than they save


def to_bytes(columns: Columns) -> bytes:
    """Write columns of one length as one Arrow record batch, compressed where that pays."""
    batch = to_batch(columns)
    sink = pa.BufferOutputStream()
    pays = batch.num_rows >= _COMPRESSED
    options = pa.ipc.IpcWriteOptions(compression="zstd" if pays else None)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        cast("Any", writer).write_batch(batch)
    return sink.getvalue().to_pybytes()


def from_bytes(body: bytes) -> Columns:
    """Read what `to_bytes` wrote."""
    table = pa.ipc.open_stream(body).read_all()
    return from_table(table)


def to_batch(columns: Columns) -> Any:
    """Return columns as an Arrow record batch."""
    arrays = [_to_arrow(column) for column in columns.values()]
    return cast("Any", pa.RecordBatch).from_arrays(arrays, names=list(columns))


def from_table(table: Any) -> Columns:
    """Return an Arrow table's columns as numpy arrays of their kinds."""
    return {name: _from_arrow(table.column(name)) for name in table.column_names}


def _to_arrow(column: Array) -> Any:
    if column.dtype == object:
        return pa.array(column.tolist(), type=pa.string())
    return pa.array(np.ascontiguousarray(column))


def _from_arrow(column: Any) -> Array:
    if pa.types.is_string(column.type):
        values = column.to_pylist()
        found = np.empty(len(values), dtype=object)
        found[:] = values
        return found
    return column.to_numpy()
