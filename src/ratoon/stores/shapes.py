"""How rows look in the tables: columns that every reader understands, and back.

Features stand as `feature_NAME`, scores as `score_0`, `score_1`, …; what is missing is null. What a
column's name may not hold in a table (blanks, brackets, commas) is percent-encoded. A table takes
"a" and "A" for one name: where it has one of them, the letters of the other are encoded too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from urllib.parse import unquote

import numpy as np

from ratoon.stores.protocol import Columns
from ratoon.windows.arrow import ArrowColumns, coded
from ratoon.windows.judged import Scalar
from ratoon.windows.label_column import LabelColumn
from ratoon.windows.labels import Labels
from ratoon.windows.rows import Array

_FORBIDDEN = frozenset(" ,;{}()\n\t=%")
_NEVER_GIVEN = ("output", "version", "score:")  # columns that stand only where something was said
_KINDS: Mapping[type, str] = {bool: "truth", int: "integer", float: "number", str: "text"}


def outer(name: str) -> str:
    """Return how a column is called in a table.

    >>> outer("feature:Age (years)")
    'feature_Age%20%28years%29'
    """
    return _called(name, lambda _: False)


def outer_names(names: Iterable[str], known: Iterable[str] = ()) -> dict[str, str]:
    """Return how columns are called in a table that has the columns `known`.

    No two of them are the same but for upper and lower case. What a table calls a column never
    changes, whichever columns come later.

    >>> outer_names(["feature:a", "feature:A", "feature:b"])
    {'feature:a': 'feature_a', 'feature:A': 'feature_%41', 'feature:b': 'feature_b'}
    >>> outer_names(["feature:a", "feature:A"], known=["feature_A"])
    {'feature:a': 'feature_%61', 'feature:A': 'feature_A'}
    """
    taken = {one.lower(): one for one in known}
    found: dict[str, str] = {}
    for name in names:
        ways = (outer(name), _called(name, str.isupper), _called(name, str.isalpha))
        called = next(way for way in ways if taken.get(way.lower(), way) == way)
        found[name] = taken[called.lower()] = called
    return found


def _called(name: str, encoded: Callable[[str], bool]) -> str:
    """Return how a column is called in a table where those letters are percent-encoded."""
    kind, colon, rest = name.partition(":")
    if not colon:
        return name
    return f"{kind}_" + "".join(
        "".join(f"%{byte:02X}" for byte in letter.encode())
        if encoded(letter) or letter in _FORBIDDEN
        else letter
        for letter in rest
    )


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


def columns_of(table: Any) -> ArrowColumns:
    """Return the columns of predictions in a table, under the names they have here.

    What is missing in all of the rows was never said: it is left out.
    """
    found: dict[str, Any] = {}
    for name in table.column_names:
        called, column = inner(name), table.column(name)
        if called.startswith(_NEVER_GIVEN) and column.null_count == len(column):
            continue
        found[called] = column.cast("float64") if called == "version" else column
    return ArrowColumns(found, table.num_rows)


def without(columns: Columns, names: Collection[str]) -> Columns:
    """Return columns but for those with these names."""
    kept = [name for name in columns if name not in names]
    if isinstance(columns, ArrowColumns):
        return columns.picked({name: name for name in kept})
    return {name: columns[name] for name in kept}


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
    if isinstance(values[0], str):
        return kinds, objects(values)
    if isinstance(values[0], int):
        told = {value: json.dumps(value) for value in set(values)}
        return kinds, objects([told[value] for value in values])
    # All of them in one go: a number's JSON has no comma.
    return kinds, objects(json.dumps(values)[1:-1].split(", "))


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


def labels_of(said: Columns) -> Labels:
    """Read labels from the columns `kind` and `value`, as a column where they are of one kind."""
    if not isinstance(said, ArrowColumns):
        return values_of(said["kind"], said["value"])
    names, kinds = coded(said.held("kind"))
    standing = np.flatnonzero(np.bincount(kinds, minlength=len(names)))
    if len(standing) != 1:
        return values_of(said["kind"], said["value"])
    texts, codes = coded(said.held("value"))
    return LabelColumn(_read(names[int(standing[0])], texts), codes)


def _read(kind: str, texts: list[str]) -> Array:
    """Read distinct labels of one kind."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    if kind in ("integer", "number"):
        as_they_are: Any = pa.array(texts, type=pa.string())
        return as_they_are.cast("int64" if kind == "integer" else "float64").to_numpy()
    dtype = object if kind == "text" else bool
    return np.array([value_of(kind, text) for text in texts], dtype=dtype)


def objects(values: Sequence[object]) -> Array:
    """Return a column of texts or None."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def moment_of(at: datetime) -> np.datetime64:
    """Return a moment as columns hold it."""
    return np.datetime64(at.replace(tzinfo=None), "us")
