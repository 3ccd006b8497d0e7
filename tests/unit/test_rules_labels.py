"""Data checks of labels: classes, their rates, numbers to predict, and too few of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ratoon.windows.intake import read_rows
from ratoon.windows.judged import Target
from ratoon.windows.rules import Dataset, Finding, Findings, check, infer
from tests.unit.rules_world import changed, world

CHANCE = np.random.default_rng(7)
REFERENCE = world(CHANCE, 3000)
DATA = world(CHANCE, 3000, first=3000)
RULES_OF_ALL = infer(REFERENCE).rules


def of_rule(findings: Findings, rule: str) -> Finding:
    """Return the only finding of a rule."""
    found = [finding for finding in findings.found if finding.rule == rule]
    assert len(found) == 1, findings.text()
    return found[0]


def numbers(values: Any, **known: Any) -> Dataset:
    """Return data of one column."""
    return Dataset(rows=read_rows({"x": np.asarray(values)}), **known)


def test_labels_have_batches_of_their_own() -> None:
    """A fault of labels is placed in the batch in which the labels came."""
    came = (np.arange(3000) * 7) % 12
    labels = np.where(came == 5, 0.0, DATA.labels)
    findings = check(RULES_OF_ALL, replace(DATA, labels=labels, label_batches=came))
    assert of_rule(findings, "classes").batches == ("batch 5",)
    np.testing.assert_array_equal(findings.quarantine, came == 5)


def test_new_classes() -> None:
    """A new class is told; a stand-in or another spelling of a class is set aside."""
    classes = ("good", "bad", "ugly", "unknown", "Bad ")
    assert DATA.labels is not None
    labels = DATA.labels.copy()
    labels[:6] = 2, 2, 2, 3, 4, 4
    data = replace(DATA, labels=labels, target=Target(task="multiclass", classes=classes))
    findings = check(RULES_OF_ALL, data)
    told = [(f.severity, f.message.split(" in ")[0]) for f in findings.found]
    assert told == [
        ("fail", "class 'unknown' is new and looks like a stand-in for a missing label"),
        ("fail", "class 'Bad ' is new and is 'bad'"),
        ("warn", "class 'ugly' is new"),
    ]
    assert np.flatnonzero(findings.quarantine).tolist() == [3, 4, 5]


def test_label_rate_warns_unless_extreme() -> None:
    """A rate from 3 to 50 % is real in a crisis, and warned of; from 3 to 95 % is another file."""
    target = Target(task="binary", classes=(0, 1))
    x = CHANCE.normal(size=4000)
    rare = numbers(x, target=target, labels=(CHANCE.random(4000) < 0.03).astype(float))
    rules = infer(rare).rules
    half = replace(rare, labels=(CHANCE.random(4000) < 0.5).astype(float))
    most = replace(rare, labels=(CHANCE.random(4000) < 0.95).astype(float))
    assert {(f.rule, f.severity) for f in check(rules, half).found} == {("label", "warn")}
    assert ("label", "fail") in {(f.rule, f.severity) for f in check(rules, most).found}


def test_labels_of_a_regression() -> None:
    """Numbers to predict have units, sentinels and a middle as columns have."""
    target = Target(task="regression")
    x, y = CHANCE.normal(size=3000), CHANCE.normal(100, 15, 3000)
    rules = infer(numbers(x, target=target, labels=y)).rules
    batches = np.arange(3000) // 300
    here = batches == 3

    def found(labels: np.ndarray) -> set[tuple[str, str | None, str]]:
        data = numbers(x, target=target, labels=labels, batches=batches)
        return {(f.rule, f.column, f.severity) for f in check(rules, data).found}

    assert found(y) == set()
    assert found(np.where(here, y * 1000, y)) == {("units", "label", "fail")}
    stand_in = here & (CHANCE.random(3000) < 0.3)
    assert found(np.where(stand_in, -1.0, y)) == {("sentinel", "label", "fail")}
    moved = found(np.where(here, y + 45, y))
    assert moved
    assert {severity for _, _, severity in moved} == {"warn"}


def test_another_task_stops_the_training() -> None:
    """Numbers where classes were are labels of something else."""
    other = replace(DATA, target=Target(task="regression"), labels=CHANCE.normal(size=3000))
    assert check(RULES_OF_ALL, other).blocked


def test_data_without_labels_is_checked_too() -> None:
    """Rows that came in to be predicted are held to the rules on features and times."""
    bare = replace(DATA, target=None, labels=None, labelled=None)
    assert check(RULES_OF_ALL, bare).found == ()
    wrong = changed(bare, age=np.where(DATA.batches == 2, 9999.0, DATA.rows.columns["age"]))
    np.testing.assert_array_equal(check(RULES_OF_ALL, wrong).quarantine, DATA.batches == 2)


def test_too_few_rows() -> None:
    """So few rows, or one class alone, stop the training; a rare class is told."""
    few = DATA.take(slice(0, 12))
    assert of_rule(check(RULES_OF_ALL, few), "rows").message == "12 rows are left to train on"
    assert check(RULES_OF_ALL, few).blocked
    labels = np.zeros(100)
    labels[0] = 1
    lone = check(RULES_OF_ALL, replace(DATA.take(slice(0, 100)), labels=labels))
    assert lone.blocked
    labels[1:40] = 2
    target = Target(task="multiclass", classes=("good", "bad", "new"))
    rare = check(
        replace(RULES_OF_ALL, severity={"classes": "off", "label": "off"}),
        replace(DATA.take(slice(0, 100)), labels=labels, target=target),
    )
    assert of_rule(rare, "rows").severity == "warn"
