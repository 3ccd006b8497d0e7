"""The pandera schema that rules are exported to, where pandera is installed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ratoon.windows.rules import DataRules, Dataset, infer, to_pandera_code
from tests.unit.rules_world import changed, world

REFERENCE = world(np.random.default_rng(0), 1000)


def schema_of(rules: DataRules) -> Any:
    """Run the source and return its schema."""
    pytest.importorskip("pandera")
    names: dict[str, Any] = {}
    exec(compile(to_pandera_code(rules), "schema.py", "exec"), names)
    return names["schema"]


def frame(data: Dataset) -> Any:
    """Return the features as a frame of pandas."""
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(dict(data.rows.columns))


def test_source_is_python() -> None:
    """The source compiles, names the rules that it is of, and needs pandera alone."""
    rules = infer(REFERENCE).rules
    source = to_pandera_code(rules)
    compile(source, "schema.py", "exec")
    assert rules.digest in source
    assert [row for row in source.splitlines() if "import" in row] == [
        "import pandera.pandas as pa"
    ]


def test_reference_is_valid() -> None:
    """The reference, and later data of its kind, are valid by their schema."""
    schema = schema_of(infer(REFERENCE).rules)
    schema.validate(frame(REFERENCE), lazy=True)
    schema.validate(frame(world(np.random.default_rng(1), 1000)), lazy=True)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("age", np.full(1000, np.nan)),
        ("age", REFERENCE.rows.columns["age"] * 1000),
        ("visits", np.full(1000, 0.5)),
        ("member", np.full(1000, 2.0)),
    ],
)
def test_faults_are_invalid(column: str, values: np.ndarray) -> None:
    """Missing values, far numbers and other kinds are refused."""
    errors = pytest.importorskip("pandera.errors")
    schema = schema_of(infer(REFERENCE).rules)
    with pytest.raises((errors.SchemaError, errors.SchemaErrors)):
        schema.validate(frame(changed(REFERENCE, **{column: values})), lazy=True)


def test_missing_and_new_columns_are_invalid() -> None:
    """The columns must be those of the rules."""
    errors = pytest.importorskip("pandera.errors")
    schema = schema_of(infer(REFERENCE).rules)
    for wrong in (frame(REFERENCE).drop(columns="age"), frame(REFERENCE).assign(extra=1)):
        with pytest.raises((errors.SchemaError, errors.SchemaErrors)):
            schema.validate(wrong, lazy=True)


def test_a_persons_limits_are_exported() -> None:
    """What a person said of a column is in the schema too."""
    errors = pytest.importorskip("pandera.errors")
    rules = infer(REFERENCE).rules
    columns = [replace(c, at_most=60.0) if c.name == "age" else c for c in rules.columns]
    with pytest.raises((errors.SchemaError, errors.SchemaErrors)):
        schema_of(replace(rules, columns=tuple(columns))).validate(frame(REFERENCE), lazy=True)
