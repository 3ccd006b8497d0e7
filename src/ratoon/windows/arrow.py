"""Columns that lie in Arrow's memory, and become arrays when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SAMPLE = 4_096  # values that tell whether a column repeats itself
_PIECE = 65_536  # values of a column of objects that are made Arrow's at once


class ArrowColumns(Mapping[str, Array]):
    """Columns of one length, by name; each is made an array when it is first asked for.

    >>> import pyarrow as pa
    >>> columns = ArrowColumns({"x": pa.chunked_array([[1.5, None], [2.5]])}, 3)
    >>> columns["x"].tolist()
    [1.5, nan, 2.5]
    """

    def __init__(self, columns: Mapping[str, Any], rows: int) -> None:
        """Hold columns, each a `pyarrow.ChunkedArray` or an array already."""
        self._columns = dict(columns)
        self.rows = rows

    def __len__(self) -> int:
        """Count the columns."""
        return len(self._columns)

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __getitem__(self, name: str) -> Array:
        """Return a column as numpy has it; what is missing is NaN, NaT or None."""
        found = self._columns[name]
        if not isinstance(found, np.ndarray):
            found = self._columns[name] = from_arrow(found)
        return cast("Array", found)

    def held(self, name: str) -> Any:
        """Return a column as it is held: Arrow's, or the array that it has become."""
        return self._columns[name]

    def picked(self, names: Mapping[str, str]) -> ArrowColumns:
        """Return some of the columns under other names.

        Args:
            names: What each column is to be called, and what it is called here.
        """
        return ArrowColumns({new: self._columns[old] for new, old in names.items()}, self.rows)

    def kept(self, mask: NDArray[np.bool_]) -> ArrowColumns:
        """Return the rows where the mask holds."""
        return ArrowColumns(
            {name: _kept(column, mask) for name, column in self._columns.items()},
            int(np.count_nonzero(mask)),
        )


def _kept(column: Any, mask: NDArray[np.bool_]) -> Any:
    if isinstance(column, np.ndarray):
        return cast("Array", column)[mask]
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    return column.filter(cast("Any", pa).array(mask))


def from_arrow(column: Any) -> Array:
    """Return an Arrow column as numpy has it; what is missing is NaN, NaT or None."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    kind = column.type
    if is_text(kind):
        return _texts(column)
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us")).to_numpy()
    if pa.types.is_boolean(kind):
        return column.to_numpy(zero_copy_only=False) if column.null_count == 0 else _halves(column)
    return column.to_numpy()


def is_text(kind: Any) -> bool:
    """Tell whether an Arrow type is that of texts, each by itself or by a number."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    types = pa.types
    return types.is_dictionary(kind) or types.is_string(kind) or types.is_large_string(kind)


def _halves(column: Any) -> Array:
    """Return truths of which some are missing as numbers."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    return column.cast(pa.int8()).cast(pa.float64()).to_numpy()


def _texts(column: Any) -> Array:
    """Return texts; where few of them are distinct, each of those is made once."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    if not pa.types.is_dictionary(column.type) and _mostly_distinct(column):
        return column.to_numpy(zero_copy_only=False)
    words, codes = coded(column)
    table = np.empty(len(words) + 1, dtype=object)
    table[:-1] = words
    return table[codes]


def coded(column: Any) -> tuple[list[str], NDArray[np.integer[Any]]]:
    """Return the distinct texts of a column, and which of them each row has.

    A missing text has the number behind the last one. Some of the texts may stand in no row.

    >>> import pyarrow as pa
    >>> words, codes = coded(pa.chunked_array([["b", "a"], [None, "b"]]))
    >>> words, codes.tolist()
    (['b', 'a'], [0, 1, 2, 0])
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    whole: Any = column
    if not pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_encode()
    if isinstance(whole, pa.ChunkedArray):
        whole = cast("Any", whole).unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):  # of no chunk
        return [], np.empty(0, dtype=np.int32)
    words = whole.dictionary.to_pylist()
    codes = whole.indices
    if codes.null_count:
        codes = codes.fill_null(len(words))
    return words, codes.to_numpy(zero_copy_only=False)


def _mostly_distinct(column: Any) -> bool:
    """Tell from its first values whether most of a column's texts stand there once."""
    sample = column.slice(0, _SAMPLE)
    return 2 * len(sample.unique()) > len(sample)


def pieces(columns: Mapping[str, Array], name: str) -> Iterator[Any]:
    """Yield a column in pieces, none of them copied where that can be.

    A piece of texts is an Arrow array, any other one a numpy array; all of a column have one type.
    """
    found = columns.held(name) if isinstance(columns, ArrowColumns) else columns[name]
    if isinstance(found, np.ndarray):
        yield from _of_array(cast("Array", found))
    elif is_text(found.type):
        for chunk in found.chunks:
            yield chunk.dictionary_decode() if hasattr(chunk, "dictionary_decode") else chunk
    elif found.null_count:  # what is missing may make another type of it
        yield from_arrow(found)
    else:
        import pyarrow as pa  # noqa: PLC0415 - slow to import

        yield from (from_arrow(pa.chunked_array([chunk])) for chunk in found.chunks)


def _of_array(column: Array) -> Iterator[Any]:
    if column.dtype != object:
        yield np.ascontiguousarray(column)
        return
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    for start in range(0, len(column), _PIECE):
        yield pa.array(column[start : start + _PIECE], type=cast("Any", pa).large_string())
