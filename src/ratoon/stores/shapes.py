"""How rows look in the tables: columns that every reader understands, and back.

Features stand as `feature_NAME`, scores as `score_0`, `score_1`, …; what is missing is null. What a
column's name may not hold in a table (blanks, brackets, commas) is percent-encoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from urllib.parse import unquote

import numpy as np

from ratoon.stores.protocol import Columns
from ratoon.windows.judged import Scalar
from ratoon.windows.rows import Array

_FORBIDDEN = re.compile(r"[ ,;{}()\n\t=%]")
_NEVER_GIVEN = ("output", "version", "score:")  # columns that stand only where something was said
_SAMPLE = 4_096  # values that tell whether a column repeats itself
_KINDS: Mapping[type, str] = {bool: "truth", int: "integer", float: "number", str: "text"}


def outer(name: str) -> str:
    """Return how a column is called in a table.

    >>> outer("feature:Age (years)")
    'feature_Age%20%28years%29'
    """
    kind, colon, rest = name.partition(":")
    if not colon:
        return name
    return f"{kind}_" + _FORBIDDEN.sub(lambda found: f"%{ord(found.group()):02X}", rest)


def inner(name: str) -> str:
    """Return how a table's column is called here; the other way of `outer`."""
    for kind in ("feature", "score"):
        if name.startswith(f"{kind}_"):
            return f"{kind}:{unquote(name.removeprefix(f'{kind}_'))}"
    return name


def to_arrow(column: Array) -> Any:
    """Return a column as Arrow has it, missing values as null."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    if column.dtype == object:
        return pa.array(column.tolist(), type=pa.string())
    if column.dtype.kind == "f":
        return pa.array(column, from_pandas=True)
    if column.dtype.kind == "M":
        return pa.array(column, type=pa.timestamp("us", tz="UTC"))
    return pa.array(np.ascontiguousarray(column))


def from_arrow(column: Any) -> Array:
    """Return an Arrow column as numpy has it; what is missing is NaN, NaT or None."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    kind = column.type
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _texts(column)
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us")).to_numpy()
    if pa.types.is_boolean(kind):
        return column.to_numpy(zero_copy_only=False) if column.null_count == 0 else _halves(column)
    return column.to_numpy()


def _halves(column: Any) -> Array:
    """Return truths of which some are missing as numbers."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    return column.cast(pa.int8()).cast(pa.float64()).to_numpy()


def _texts(column: Any) -> Array:
    """Return texts; where few of them are distinct, each of those is made once."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    if not pa.types.is_dictionary(column.type) and _mostly_distinct(column):
        return column.to_numpy(zero_copy_only=False)
    whole: Any = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    if hasattr(whole, "chunks"):  # of no chunk
        return np.empty(0, dtype=object)
    coded: Any = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    words = np.empty(len(coded.dictionary) + 1, dtype=object)
    words[:-1] = coded.dictionary.to_pylist()
    codes = coded.indices.fill_null(len(coded.dictionary)).to_numpy(zero_copy_only=False)
    return words[codes]


def _mostly_distinct(column: Any) -> bool:
    """Tell from its first values whether most of a column's texts stand there once."""
    sample = column.slice(0, _SAMPLE)
    return 2 * len(sample.unique()) > len(sample)


def columns_of(table: Any) -> Columns:
    """Return the columns of predictions in a table, under the names they have here.

    What is missing in all of the rows was never said: it is left out.
    """
    found: dict[str, Array] = {}
    for name in table.column_names:
        called, column = inner(name), table.column(name)
        if called.startswith(_NEVER_GIVEN) and column.null_count == len(column):
            continue
        values = from_arrow(column)
        found[called] = values.astype("float64") if called == "version" else values
    return found


def kind_of(value: Scalar) -> str:
    """Return the kind of a label, by which its text is read again."""
    return _KINDS[type(value)]


def text_of(value: Scalar) -> str:
    """Return a label as text that people read; `value_of` reads it again."""
    return value if isinstance(value, str) else json.dumps(value)


def texts_of(values: Sequence[Scalar]) -> tuple[Array, Array]:
    """Return the kinds of labels, and their texts: what `values_of` reads again.

    >>> [column.tolist() for column in texts_of([1, True, 0.5, "a"])]
    [['integer', 'truth', 'number', 'text'], ['1', 'true', '0.5', 'a']]
    """
    types = set(map(type, values))
    if len(types) != 1:
        kinds = objects([kind_of(value) for value in values])
        return kinds, objects([text_of(value) for value in values])
    kinds = np.full(len(values), _KINDS[types.pop()], dtype=object)
    is_text = isinstance(values[0], str)
    # All of them in one go: a number's JSON has no comma.
    return kinds, objects(values if is_text else json.dumps(values)[1:-1].split(", "))


def value_of(kind: str, text: str) -> Scalar:
    """Read a label from its kind and its text.

    >>> [value_of("text", "1"), value_of("integer", "1"), value_of("truth", "true")]
    ['1', 1, True]
    """
    match kind:
        case "text":
            return text
        case "integer":
            return int(text)
        case "number":
            return float(text)
        case _:
            return cast("Scalar", json.loads(text))


def values_of(kinds: Array, texts: Array) -> tuple[Scalar, ...]:
    """Read many labels; each distinct one is read once."""
    if len(kinds) and bool((kinds == kinds[0]).all()):
        kind, said = kinds[0], texts.tolist()
        read = {text: value_of(kind, text) for text in set(said)}
        return tuple([read[text] for text in said])
    pairs = list(zip(kinds.tolist(), texts.tolist(), strict=True))
    known = {pair: value_of(*pair) for pair in set(pairs)}
    return tuple([known[pair] for pair in pairs])


def objects(values: Sequence[object]) -> Array:
    """Return a column of texts or None."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def moment_of(at: datetime) -> np.datetime64:
    """Return a moment as columns hold it."""
    return np.datetime64(at.replace(tzinfo=None), "us")
