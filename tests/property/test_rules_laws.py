"""Laws of the data checks, on any data."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from scipy import stats

from ratoon.core.schema import Column
from ratoon.windows.intake import read_rows
from ratoon.windows.judged import Target
from ratoon.windows.rules import (
    RULES,
    DataRules,
    Dataset,
    Findings,
    Tolerances,
    check,
    from_text,
    infer,
    to_text,
)
from ratoon.windows.rules.chance import log_excess
from ratoon.windows.rules.columns import view
from ratoon.windows.rules.data import grouped
from ratoon.windows.rules.repeats import hashes, repeats
from ratoon.windows.rules.units import change_of_unit, conversions
from ratoon.windows.rules.values import ColumnRule

EXAMPLES = settings(max_examples=60, deadline=None)
FEW = st.sampled_from([0.0, -0.0, 1.0, 2.5, -1.0, 9999.0])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
COLUMNS: list[st.SearchStrategy[Any]] = [
    st.one_of(FEW, st.floats(allow_nan=False, allow_infinity=False)),
    st.one_of(st.just(math.nan), FEW),
    st.one_of(st.none(), st.sampled_from(["a", "b", "N/A", ""]), TEXTS),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.datetimes(timezones=st.just(UTC), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001
]
TARGETS = (
    Target(task="binary", classes=("no", "yes")),
    Target(task="multiclass", classes=(0, 1, 2)),
    Target(task="regression"),
)


@st.composite
def datasets(draw: DrawFn, rows: int | None = None, kinds: list[int] | None = None) -> Dataset:
    """Rows of any kinds of columns, with or without labels, times, ids and batches."""
    count = draw(st.integers(1, 60)) if rows is None else rows
    picked = kinds or draw(st.lists(st.sampled_from(range(len(COLUMNS))), min_size=1, max_size=4))
    table = {
        f"{draw(TEXTS)}{i}": draw(st.lists(COLUMNS[kind], min_size=count, max_size=count))
        for i, kind in enumerate(picked)
    }
    known: dict[str, Any] = {}
    if draw(st.booleans()):
        known["target"] = draw(st.sampled_from(TARGETS))
        known["labels"] = np.array(draw(several(st.sampled_from([0.0, 1.0, math.nan]), count)))
    if draw(st.booleans()):
        hours = np.array(draw(several(st.integers(0, 10**6), count)))
        known["times"] = np.datetime64("2020-01-01", "us") + hours.astype("m8[h]")
        known["arrived"] = known["times"] + np.timedelta64(1, "h")
    if draw(st.booleans()):
        known["ids"] = np.array(draw(several(st.integers(0, 10**6), count)))
        known["batches"] = np.array(draw(several(st.integers(0, 5), count)))
        known["held_out"] = np.array(draw(several(st.booleans(), count)))
    return Dataset(rows=read_rows(table), **known)


def several(one: st.SearchStrategy[Any], count: int) -> st.SearchStrategy[list[Any]]:
    """Return lists of one length."""
    return st.lists(one, min_size=count, max_size=count)


def judged(findings: Findings) -> Counter[tuple[str, str, str | None, int]]:
    """Return what does not depend on the order of the rows."""
    return Counter((f.severity, f.rule, f.column, f.count) for f in findings.found)


@given(data=datasets(), version=st.integers(1, 10**9), fail=st.floats(0.01, 0.99))
@EXAMPLES
def test_text_and_rules_are_each_made_of_the_other(
    data: Dataset, version: int, fail: float
) -> None:
    """Rules of any reference are read from their text as they were, and write the same text."""
    made = infer(data, version=version, tolerances=Tolerances(nulls_fail=fail)).rules
    rules = replace(made, severity={"units": "warn", "leak": "off"})
    text = to_text(rules)
    assert from_text(text) == rules
    assert from_text(text).digest == rules.digest
    assert to_text(from_text(text)) == text


@given(
    reference=datasets(), data=datasets(), now=st.none() | st.just(datetime(2026, 1, 1, tzinfo=UTC))
)
@EXAMPLES
def test_any_data_is_checked(reference: Dataset, data: Dataset, now: datetime | None) -> None:
    """Whatever the columns, kinds and values: a check says something sane and raises nothing."""
    rules = infer(reference).rules
    findings = check(rules, data, now=now)
    assert len(findings.quarantine) == len(data)
    assert findings.passed.sum() == (0 if findings.blocked else (~findings.quarantine).sum())
    assert findings.blocked or findings.failed == any(f.severity == "fail" for f in findings.found)
    for finding in findings.found:
        assert finding.rule in RULES
        assert len(finding.rows) <= min(100, finding.count or 100)
        assert all(0 <= row < len(data) for row in finding.rows)
    assert findings.text()
    assert check(from_text(to_text(rules)), data, now=now).found == findings.found


@given(data=datasets())
@EXAMPLES
def test_reference_keeps_its_own_rules_on_columns(data: Dataset) -> None:
    """No column of a reference breaks what was inferred of it as a whole."""
    rules = infer(data).rules
    found = check(rules, replace(data, batches=np.zeros(len(data), dtype=int))).found
    columns = [f for f in found if f.column is not None and f.rule != "sentinel"]
    assert [f for f in columns if f.severity == "fail"] == []


@given(
    data=st.integers(20, 60).flatmap(lambda n: datasets(rows=n, kinds=[0, 2, 4])),
    seed=st.integers(0, 99),
)
@EXAMPLES
def test_order_of_rows_in_a_batch_is_irrelevant(data: Dataset, seed: int) -> None:
    """Rows of one batch in another order break the same rules, as often."""
    rules = replace(infer(data).rules, severity={"leak": "off"})
    data = replace(data, batches=np.arange(len(data)) // 20)
    order = np.random.default_rng(seed).permutation(len(data))
    assert data.batches is not None
    order = order[np.argsort(data.batches[order], kind="stable")]
    assert judged(check(rules, data.take(order))) == judged(check(rules, data))


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=30),
    least=st.integers(1, 50),
    seed=st.integers(0, 99),
)
@EXAMPLES
def test_groups_hold_whole_batches(sizes: list[int], least: int, seed: int) -> None:
    """Each row is in one group, a batch is never cut, and small groups stand only by large ones."""
    batches = np.repeat(np.arange(len(sizes)), sizes)
    np.random.default_rng(seed).shuffle(batches)
    groups = grouped(len(batches), batches, least)
    assert np.bincount(groups.of_row).tolist() == groups.sizes[:-1].tolist()
    assert groups.sizes[-1] == len(batches)
    for batch in range(len(sizes)):
        assert len(set(groups.of_row[batches == batch].tolist())) == 1
    assert (np.diff([groups.of_row[batches == b][0] for b in range(len(sizes))]) >= 0).all()
    if max(sizes) < least:
        assert (groups.sizes[:-1] >= min(least, len(batches))).all()
    for group, picked in enumerate(groups.sample[:-1]):
        rows = picked[picked >= 0]
        assert (groups.of_row[rows] == group).all()
        assert len(set(rows.tolist())) == len(rows) == groups.sizes[group]


@given(
    rows=st.integers(1, 300),
    reference=st.integers(1, 300),
    share=st.floats(0, 1),
    before=st.floats(0, 1),
)
@EXAMPLES
def test_bound_is_never_below_the_exact_tail(
    rows: int, reference: int, share: float, before: float
) -> None:
    """Hoeffding's bound is at least scipy's hypergeometric tail."""
    k, a = round(share * rows), round(before * reference)
    exact = 1.0
    if k * reference > a * rows:
        exact = float(stats.hypergeom.sf(k - 1, rows + reference, k + a, rows))
    assert math.exp(log_excess(k, rows, a, reference)) >= exact * (1 - 1e-9)


def _plain(column: np.ndarray) -> np.ndarray:
    """Return a column in which 0 and -0 are one."""
    return column + 0.0 if column.dtype.kind == "f" else column


@given(data=datasets(), cuts=st.integers(1, 5))
@EXAMPLES
def test_repeats_are_those_of_a_set(data: Dataset, cuts: int) -> None:
    """Rows that an earlier one equals are those that a set of rows has seen."""
    found = hashes(
        [view(c.name, c.kind, data.rows.columns[c.name]) for c in data.rows.schema.columns],
        data.labels,
        len(data),
    )
    table = [_plain(data.rows.columns[name]) for name in data.rows.schema.names]
    table += [] if data.labels is None else [data.labels]
    rows = [tuple(map(str, row)) for row in zip(*table, strict=True)]
    groups = grouped(len(data), np.arange(len(data)) * cuts // len(data), 1)
    now = repeats(found, groups)
    assert now.rows.tolist() == [row in rows[:i] for i, row in enumerate(rows)]
    for group in range(len(groups.sizes) - 1):
        mine = [row for row, g in zip(rows, groups.of_row, strict=True) if g == group]
        earlier = {row for row, g in zip(rows, groups.of_row, strict=True) if g < group}
        again = [row for row in set(mine) if row in earlier or mine.count(row) > 1]
        assert now.different[group] == len(set(mine))
        assert now.copied[group] == pytest.approx(len(again) / len(set(mine)))


@given(
    which=st.integers(0, len(conversions()) - 1),
    middle=st.floats(20, 200),
    width=st.floats(0.3, 0.9),
    skewed=st.booleans(),
)
@EXAMPLES
def test_changes_of_unit_are_recognised(
    which: int,
    middle: float,
    width: float,
    skewed: bool,  # noqa: FBT001 - drawn
) -> None:
    """A column whose numbers went through a known change is explained by one that undoes it."""
    steps = np.array([-0.5, -0.3, 0.0, 0.2, 0.9 if skewed else 0.5])
    own = middle * (1 + width * steps)
    column = ColumnRule(
        name="x",
        kind="number",
        least=float(own[0]) - 1,
        most=float(own[-1]) + 1,
        quantiles=tuple(own.tolist()),
    )
    one = conversions()[which]
    now = np.sort(one.factor * own + one.offset)
    if np.abs(now - own).max() < 1.6 * column.spread:
        return
    found = change_of_unit(column, now, 1000)
    assert found is not None
    undone = np.sort((now - found.offset) / found.factor)
    assert np.abs(undone - own).max() <= 0.6 * column.spread


@given(factor=st.floats(0.8, 1.25), shift=st.floats(-0.5, 0.5))
@EXAMPLES
def test_ordinary_drift_is_no_unit(factor: float, shift: float) -> None:
    """A column that grows by a quarter and moves by half its width is in its own unit."""
    own = np.array([30.0, 37.0, 45.0, 53.0, 60.0])
    column = ColumnRule(name="x", kind="number", least=5, most=99, quantiles=tuple(own.tolist()))
    assert change_of_unit(column, own * factor + shift * column.spread, 10_000) is None


def test_a_rule_made_by_hand_is_a_rule() -> None:
    """Rules without a reference behind them check what they say and nothing else."""
    column = Column(name="x", kind="number", nullable=True)
    rows = read_rows({"x": [1.0, 2.0, math.nan]})
    assert rows.schema.columns == (column,)
    rules = DataRules(version=1, rows=1, columns=(ColumnRule(name="x", kind="number"),))
    assert [f.rule for f in check(rules, Dataset(rows=rows)).found] == ["rows"]
