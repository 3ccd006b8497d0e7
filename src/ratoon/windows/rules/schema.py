"""Checks of the columns themselves: which there are, and what kind of values they hold."""

from __future__ import annotations

import numpy as np

from ratoon.core.schema import Kind
from ratoon.windows.rows import Array, missing
from ratoon.windows.rules.found import Breach, Case, Finding, Told
from ratoon.windows.rules.gaps import rowwise
from ratoon.windows.rules.values import ColumnRule


def schema(case: Case) -> list[Breach]:
    """Compare the columns with those of the reference; a missing one stops the training."""
    found: list[Breach] = []
    rows, named = case.data.rows, case.rules.named
    for name, rule in named.items():
        if name not in rows.columns:
            found += _broken(case, name, f"column {name!r} is missing", rule.kind, "no such column")
        else:
            found += _kind(case, rule, rows.columns[name], _kind_of(rows.columns[name]))
    for name in rows.schema.names:
        if name not in named:
            words = (f"column {name!r} is new", "no such column", _kind_of(rows.columns[name]))
            found += _broken(case, name, *words, fails=False)
    return found


def comparable(rule: ColumnRule, values: Array) -> bool:
    """Tell whether a column's values can be compared with the reference's."""
    kind = _kind_of(values)
    return kind == rule.kind or {kind, rule.kind} <= {"number", "integer"}


def _kind(case: Case, rule: ColumnRule, values: Array, kind: Kind) -> list[Breach]:
    if kind == rule.kind or (rule.kind == "number" and kind == "integer"):
        return []
    if rule.kind == "integer" and kind == "number":
        with np.errstate(invalid="ignore"):
            broken = np.isfinite(values) & (values != np.floor(values))
        words = Told(
            message=f"{rule.name!r} holds fractions", expected="whole numbers", found="fractions"
        )
        return rowwise(case, case.groups, "schema", rule.name, broken, words)
    if missing(values).all():
        return []
    message = f"column {rule.name!r} holds {kind} values"
    return _broken(case, rule.name, message, f"{rule.kind} values", f"{kind} values")


def _broken(
    case: Case, name: str, message: str, expected: str, found: str, *, fails: bool = True
) -> list[Breach]:
    level = case.level("schema", name)
    if level == "off":
        return []
    severity = "fail" if fails and level == "fail" else "warn"
    finding = Finding(
        rule="schema",
        severity=severity,
        column=name,
        message=message,
        expected=expected,
        found=found,
        count=len(case.data),
    )
    return [Breach(finding=finding, blocks=severity == "fail")]


def _kind_of(values: Array) -> Kind:
    kinds: dict[str, Kind] = {
        "f": "number",
        "i": "integer",
        "u": "integer",
        "b": "boolean",
        "M": "time",
    }
    return kinds.get(values.dtype.kind, "category")
