"""Data checks find what was put wrong, set aside that batch alone, and leave drift in peace."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ratoon.core.schema import Column, Schema
from ratoon.windows.intake import read_rows
from ratoon.windows.judged import Target
from ratoon.windows.rows import Rows
from ratoon.windows.rules import DataRules, Dataset, Findings, Tolerances, check, infer
from tests.unit.rules_world import BATCH, BATCHES, FAULTS, world

SEEDS = range(3)
REFERENCE = 4000
ROWS = BATCH * BATCHES


@cache
def made(seed: int, drift: float) -> tuple[DataRules, Dataset]:
    """Return rules from a reference, and later data."""
    chance = np.random.default_rng(seed)
    rules = infer(world(chance, REFERENCE)).rules
    return rules, world(chance, ROWS, drift=drift, first=REFERENCE)


def broken(fault: str, seed: int, drift: float) -> tuple[Findings, np.ndarray]:
    """Return what is found of a fault in one batch, and the rows of that batch."""
    rules, data = made(seed, drift)
    chance = np.random.default_rng(100 + seed)
    assert data.batches is not None
    here = data.batches == chance.integers(1, BATCHES)
    return check(rules, FAULTS[fault][1](data, here, chance)), here


@pytest.mark.parametrize("seed", SEEDS)
def test_unchanged_data_is_not_told_of(seed: int) -> None:
    """Data of the reference's own kind has no finding at all, and all of it may be trained on."""
    findings = check(*made(seed, 0.0))
    assert findings.found == ()
    assert findings.passed.all()


@pytest.mark.parametrize("seed", SEEDS)
def test_drift_and_seasons_fail_nothing(seed: int) -> None:
    """A label rate, means, gaps and texts that drift, and a season, are warned of at most."""
    findings = check(*made(seed, 1.0))
    assert not findings.failed
    assert {finding.rule for finding in findings.found} <= {"nulls", "range", "label", "categories"}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("drift", [0.0, 0.5])
def test_fault_is_found_and_its_batch_set_aside(fault: str, drift: float) -> None:
    """A fault in one batch of 24 fails under its name, and that batch alone is set aside."""
    for seed in SEEDS:
        findings, here = broken(fault, seed, drift)
        failed = {finding.rule for finding in findings.found if finding.severity == "fail"}
        assert FAULTS[fault][0] in failed
        assert not findings.blocked
        np.testing.assert_array_equal(findings.quarantine, here)


@pytest.mark.parametrize("fault", ["income x 1000", "9999 in 30 %", "nulls 5 % to 60 %", "leak"])
def test_fault_in_all_rows_blocks(fault: str) -> None:
    """Where every batch is broken nothing is left to train on."""
    rules, data = made(0, 0.0)
    every = np.ones(len(data), dtype=bool)
    findings = check(rules, FAULTS[fault][1](data, every, np.random.default_rng(0)))
    assert findings.blocked
    assert not findings.passed.any()


def test_class_that_vanished_from_all_rows_blocks() -> None:
    """One class alone teaches nothing."""
    rules, data = made(0, 0.0)
    findings = check(rules, replace(data, labels=np.zeros(len(data))))
    assert findings.blocked
    assert {"classes", "rows"} <= {finding.rule for finding in findings.found}


@pytest.mark.parametrize("fault", ["income x 1000", "9999 in 30 %", "class vanished", "leak"])
def test_fault_without_batch_numbers_is_placed(fault: str) -> None:
    """Where no batches are told the fault is placed in a piece of the rows."""
    rules, data = made(0, 0.0)
    here = np.arange(ROWS) >= ROWS - ROWS // 20
    found = check(
        rules, replace(FAULTS[fault][1](data, here, np.random.default_rng(0)), batches=None)
    )
    assert found.failed
    np.testing.assert_array_equal(found.quarantine, here)


def test_small_batches_are_judged_together() -> None:
    """Batches of one row each are joined, and the fault is placed in those that have it."""
    rules, data = made(0, 0.0)
    here = (np.arange(ROWS) >= 2000) & (np.arange(ROWS) < 2400)
    broken_rows = FAULTS["age x 3600"][1](data, here, np.random.default_rng(0))
    findings = check(rules, replace(broken_rows, batches=np.arange(ROWS)))
    np.testing.assert_array_equal(findings.quarantine, here)
    assert findings.found[0].batches == ("batches 2000 to 2199", "batches 2200 to 2399")


def stationary(chance: np.random.Generator, rows: int, columns: int) -> Dataset:
    """Return features of every shape that do not change: heavy tails, counts, atoms, gaps."""
    made_of = (
        lambda: chance.standard_cauchy(rows),
        lambda: chance.lognormal(0, 2, rows),
        lambda: chance.poisson(0.3, rows).astype(float),
        lambda: chance.exponential(3, rows) * (chance.random(rows) < 0.2),
        lambda: np.round(chance.normal(20, 5, rows)),
        lambda: np.array([f"z{min(v, 10**6)}" for v in chance.zipf(1.5, rows)], dtype=object),
        lambda: np.array([f"u{v}" for v in chance.integers(0, 300, rows)], dtype=object),
    )
    values = {f"f{i}": made_of[i % len(made_of)]() for i in range(columns)}
    for i, column in enumerate(values.values()):
        gone = chance.random(rows) < (0, 0.001, 0.02, 0.1, 0.5)[i % 5]
        column[gone] = None if column.dtype == object else np.nan
    schema = tuple(
        Column(name=n, kind="category" if v.dtype == object else "number", nullable=True)
        for n, v in values.items()
    )
    return Dataset(
        rows=Rows(schema=Schema(columns=schema), columns=values),
        target=Target(task="multiclass", classes=("a", "b", "c")),
        labels=chance.choice(3, rows, p=(0.7, 0.25, 0.05)).astype(float),
    )


@pytest.mark.parametrize("batches", [1, 2, 7, 40])
def test_coarse_data_repeats_itself(batches: int) -> None:
    """Where rows can only be a few different ones they repeat, the more the more there are."""
    chance = np.random.default_rng(0)

    def coarse(rows: int) -> Dataset:
        columns = {f"x{i}": chance.integers(0, 4, rows) for i in range(5)}
        return Dataset(rows=read_rows(columns))

    for rows in (300, 3000, 30_000):
        rules, data = infer(coarse(400)).rules, coarse(rows)
        told = check(rules, replace(data, batches=np.arange(rows) * batches // rows)).found
        assert told == ()


def test_false_alarms_of_a_thousand_batches() -> None:
    """Without margins, the tests alone keep alpha for 1,000 stationary batches of 50 features.

    Three references are drawn, since they err as batches do. alpha is the chance that anything at
    all is told of one training: here 0.01, so two of three have a chance of 3 in 10,000.
    """
    chance = np.random.default_rng(0)
    margins = {"nulls_warn": 1e-12, "categories_warn": 1e-12, "label_warn": 1e-12}
    bare = Tolerances(**margins, outside_warn=1e-12, batch_rows=50)
    data = stationary(chance, 50_000, 50)
    data = replace(data, batches=np.arange(50_000) // 50)
    references = [infer(stationary(chance, 1500, 50)).rules for _ in range(3)]
    told = [check(replace(rules, tolerances=bare), data).found for rules in references]
    assert sum(map(bool, told)) <= 1


def test_false_alarms_of_a_thousand_trainings() -> None:
    """Of 1,000 trainings on unchanged data, with the default margins, at most 1 % are told of."""
    chance = np.random.default_rng(1)
    data = stationary(chance, 300_000, 7)
    references = [infer(stationary(chance, 1000, 7)).rules for _ in range(5)]
    told = [
        check(references[i % 5], data.take(slice(300 * i, 300 * (i + 1)))).found
        for i in range(1000)
    ]
    assert sum(map(bool, told)) <= 10


@pytest.mark.parametrize("kind", ["int64", "float64"])
def test_zero_among_small_whole_numbers_is_told_and_trained_on(kind: str) -> None:
    """A reference without a Monday, which is day 0, does not set all Mondays aside."""
    days = np.repeat(np.arange(1, 7), 250).astype(kind)
    week = np.repeat(np.arange(7), 250).astype(kind)
    rules = infer(Dataset(rows=read_rows({"day": days}))).rules
    data = Dataset(rows=read_rows({"day": week}), batches=np.arange(7 * 250) // 250)
    findings = check(rules, data)
    assert ("sentinel", "warn") in [(f.rule, f.severity) for f in findings.found]
    assert not findings.failed
    assert not findings.quarantine.any()


@pytest.mark.parametrize("value", [0, -1])
def test_zero_among_large_numbers_and_less_than_none_are_set_aside(value: int) -> None:
    """0 is no size in cm, and -1 no day of the week."""
    chance = np.random.default_rng(0)
    sizes = chance.integers(150, 200, 1500) if value == 0 else chance.integers(0, 7, 1500)
    rules = infer(Dataset(rows=read_rows({"x": sizes}))).rules
    later = np.where(np.arange(1500) < 250, value, sizes)
    data = Dataset(rows=read_rows({"x": later}), batches=np.arange(1500) // 250)
    findings = check(rules, data)
    assert ("sentinel", "fail") in [(f.rule, f.severity) for f in findings.found]
    assert int(findings.quarantine.sum()) == 250
