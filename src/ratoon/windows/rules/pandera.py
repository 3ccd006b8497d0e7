"""Data rules as the source of a pandera schema, for whoever checks frames with that elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from ratoon.core.schema import Kind
from ratoon.windows.rules.numbers import fences
from ratoon.windows.rules.values import ColumnRule, DataRules

_DTYPES: dict[Kind, str] = {
    "number": "float64",
    "integer": "int64",
    "boolean": "bool",
    "category": "object",
    "time": "datetime64[us]",
}


def to_pandera_code(rules: DataRules) -> str:
    """Return Python source that defines `schema`, a pandera `DataFrameSchema`.

    It holds what pandera can say of one frame: columns and their kinds, the share of missing
    values, far numbers, and texts that the reference does not have, these as a warning. Batches,
    units, labels and times it does not know.

    Source: https://pandera.readthedocs.io (0.24 and later: `import pandera.pandas`).

    >>> rules = DataRules(version=1, rows=50, columns=(ColumnRule(name="age", kind="number"),))
    >>> print(to_pandera_code(rules).splitlines()[0])
    \"\"\"Pandera schema of the data rules version 1.
    """
    lines = [
        f'"""Pandera schema of the data rules version {rules.version}.',
        "",
        f"Made by Ratoon from the rules with the digest {rules.digest}.",
        '"""',
        "",
        "import pandera.pandas as pa",
        "",
        "schema = pa.DataFrameSchema(",
        "    {",
        *(line for column in rules.columns for line in _column(rules, column)),
        "    },",
        "    strict=True,",
        ")",
    ]
    return "\n".join(lines) + "\n"


def _column(rules: DataRules, column: ColumnRule) -> Iterator[str]:
    """Write a column; whole numbers with gaps come as floats, so they are told as numbers."""
    whole = column.kind == "integer" and not column.nulls
    kind = "number" if column.kind == "integer" and not whole else column.kind
    yield f"        {column.name!r}: pa.Column("
    if column.kind != "category":
        yield f"            {_DTYPES[kind]!r},"
    yield "            checks=["
    yield from (f"                {check}," for check in _checks(rules, column))
    yield "            ],"
    yield "            nullable=True,"
    yield f"            coerce={column.kind in ('number', 'time')},"
    yield "        ),"


def _checks(rules: DataRules, column: ColumnRule) -> Iterator[str]:
    tolerances = rules.tolerances
    most = column.nulls_most
    if most is None:
        most = min(1.0, column.nulls / rules.rows + tolerances.nulls_fail)
    nulls = f"lambda values: values.isna().mean() <= {most!r}"
    yield f"pa.Check({nulls}, ignore_na=False, error='at most {most:.3g} missing')"
    if column.kind in ("number", "integer") and column.least is not None:
        low, high = fences(column, tolerances.reach)
        low = low if column.at_least is None else column.at_least
        high = high if column.at_most is None else column.at_most
        share = 0.0 if (column.at_least, column.at_most) != (None, None) else tolerances.far_fail
        far = f"lambda values: (~values.dropna().between({low!r}, {high!r})).sum() "
        error = f"from {low:.4g} to {high:.4g}"
        yield f"pa.Check({far}<= {share!r} * len(values), ignore_na=False, error={error!r})"
    if column.categories and not column.is_open:
        yield from _texts(rules, column)


def _texts(rules: DataRules, column: ColumnRule) -> Iterator[str]:
    known = [str(one.value) for one in column.categories]
    most, warns = column.new_most, column.new_most is None
    if most is None:
        most = min(1.0, column.singles / rules.rows + rules.tolerances.categories_warn)
    new = f"lambda values: (~values.dropna().isin({known!r})).sum() <= {most!r} * len(values)"
    error = f"at most {most:.3g} other texts"
    yield f"pa.Check({new}, ignore_na=False, raise_warning={warns}, error={error!r})"
