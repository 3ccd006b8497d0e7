"""Rules as a text that a person reads and edits; mistakes are named with their line."""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace

import numpy as np
import pytest

from ratoon.core.errors import RulesUnreadable
from ratoon.windows.intake import read_rows
from ratoon.windows.judged import Target
from ratoon.windows.rules import (
    RULES,
    DataRules,
    Dataset,
    Tolerances,
    check,
    from_text,
    infer,
    to_text,
)
from ratoon.windows.rules.toml import TOLD
from tests.unit.rules_world import world

RULES_OF_ALL = infer(world(np.random.default_rng(0), 1000), entity="city").rules
TEXT = to_text(RULES_OF_ALL)


def line(text: str, part: str) -> int:
    """Return the line in which a part of the text stands."""
    return text[: text.index(part)].count("\n") + 1


def test_what_was_written_is_read() -> None:
    """Text and rules are each made of the other, to the last digit; so is the digest."""
    read = from_text(TEXT)
    assert read == RULES_OF_ALL
    assert read.digest == RULES_OF_ALL.digest
    assert to_text(read) == TEXT


def test_text_is_toml_in_the_order_of_the_columns() -> None:
    """Any reader of TOML reads it; the columns stand in the order of the schema."""
    table = tomllib.loads(TEXT)
    assert tuple(table["columns"]) == tuple(c.name for c in RULES_OF_ALL.columns)
    assert list(table["columns"]["plan"]["categories"]) == ["free", "basic", "pro"]
    assert table["starts"].isoformat() == "2026-01-01T00:00:00+00:00"


def test_every_rule_and_tolerance_is_explained() -> None:
    """Each rule and each tolerance is named in the text with what it means."""
    for rule, says in RULES.items():
        assert f"#   {rule:<11} {says}" in TEXT
    assert set(TOLD) == {field.name for field in fields(Tolerances)}
    for name in TOLD:
        assert f"\n{name} = " in TEXT


def test_edited_rules_count() -> None:
    """What a person changes, takes away or adds is in the rules that are read."""
    edited = TEXT.replace("version = 1", "version = 2").replace("nulls_fail = 0.25", "")
    edited = edited.replace("[columns.age]", '[columns.age]\nat_most = 99\nskip = ["leak"]')
    edited = edited.replace("[severity]", '[severity]\nunits = "warn"')
    read = from_text(edited)
    assert (read.version, read.tolerances.nulls_fail) == (2, 0.25)
    assert (read.named["age"].at_most, read.named["age"].skip) == (99.0, ("leak",))
    assert read.severity == {"units": "warn"}
    assert read.digest != RULES_OF_ALL.digest
    assert from_text(to_text(read)) == read


@pytest.mark.parametrize(
    ("old", "new", "named", "rule"),
    [
        ("rows = 1000", "rows = -3", "rows", "a whole number .* of at least 1, got -3"),
        ("rows = 1000", "rows = true", "rows", "a whole number, got True"),
        ("alpha = 0.01", "alpha = 2", "tolerances.alpha", "strictly between 0 and 1, got 2.0"),
        ("alpha = 0.01", "alpa = 0.01", "tolerances.alpa", "such as 'alpha', got 'alpa'"),
        ('kind = "integer"', 'kind = "int"', "columns.visits.kind", "one of .*, got 'int'"),
        ('kind = "integer"', "kind = 3", "columns.visits.kind", "one of .*, got 3"),
        ('"free" = ', '"free" = -', "columns.plan.categories.free.rows", "at least 0, got -"),
        ("[severity]", '[severity]\nunit = "warn"', "severity.unit", "one of .*, got 'unit'"),
        ("[severity]", '[severity]\nunits = "no"', "severity.units", "one of .*, got 'no'"),
        ("quantiles = [", "quantiles = [0.5, ", "columns.age.quantiles", "5 numbers, got"),
        ("quantiles = [", 'quantiles = ["a", ', "columns.age.quantiles.0", "a number, got 'a'"),
        ("association = ", "association = [] # ", "columns.age.association", "a number, got"),
        ("format = 1", "format = 9", "format", "1, as this Ratoon reads, got 9"),
        ('task = "binary"', "", "label", "told with 'task', got None"),
        ("effect = 1", "effect = 0", "label.classes.0.effect", "at least 1, got 0"),
        ("version = 1", 'version = "one"', "version", "a whole number, got 'one'"),
    ],
)
def test_mistakes_are_named_with_their_line(old: str, new: str, named: str, rule: str) -> None:
    """A mistake of a person's is told with its line, its name, the rule and what stands there."""
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    with pytest.raises(RulesUnreadable) as caught:
        from_text(text)
    at = line(text, new.splitlines()[-1] if new else "[label]")
    told = str(caught.value)
    assert told.startswith(f"line {at}: {named} must be "), told
    assert caught.value.line == at
    assert caught.match(rule)


def test_no_toml_is_named_with_its_line() -> None:
    """A text that is no TOML is refused with the line, and what stands in it."""
    with pytest.raises(RulesUnreadable, match=r"at line \d+.*got 'alpha : 0.01"):
        from_text(TEXT.replace("alpha = 0.01", "alpha : 0.01"))


def test_the_file_is_named() -> None:
    """An error of rules that stand in a file begins with the file."""
    with pytest.raises(RulesUnreadable, match=r"^fraud\.rules\.toml, line 2: rows must be"):
        from_text("version = 1\nrows = 0", "fraud.rules.toml")
    with pytest.raises(RulesUnreadable, match=r"^fraud\.rules\.toml must be TOML") as caught:
        from_text("version = 1\nrows : 1", "fraud.rules.toml")
    assert caught.value.line == 2
    with pytest.raises(RulesUnreadable, match=r"^the rules must be told with 'version'") as caught:
        from_text("")
    assert caught.value.line is None


def test_columns_may_have_any_name() -> None:
    """Names with dots, quotes, brackets, line breaks or nothing at all are read as written."""
    names = ["a.b", 'say "x"', "[t]", "über ß", "two\nlines", "", "a = b", "back\\slash", "\x7f"]
    rows = read_rows({name: [1.0, 2.0, 3.0] for name in names})
    rules = infer(Dataset(rows=rows)).rules
    assert tuple(c.name for c in from_text(to_text(rules)).columns) == tuple(names)
    assert from_text(to_text(rules)) == rules


def test_moments_are_written_as_moments() -> None:
    """The ends of a column of times stand as times, and are read to the microsecond."""
    times = np.datetime64("2026-03-01T12:00:00.000001", "us") + np.arange(300).astype("m8[h]")
    rules = infer(Dataset(rows=read_rows({"signed_up": times}))).rules
    assert "least = 2026-03-01T12:00:00.000001Z" in to_text(rules)
    assert from_text(to_text(rules)) == rules


def test_rules_of_a_regression_and_of_truths() -> None:
    """Numbers to predict, and classes that are numbers or truths, keep their types."""
    rows = read_rows({"x": np.arange(100.0)})
    number = Dataset(rows=rows, target=Target(task="regression"), labels=np.arange(100.0))
    assert from_text(to_text(infer(number).rules)) == infer(number).rules
    for classes in ((False, True), (0, 1), ("0", "1")):
        target = Target(task="binary", classes=classes)
        data = Dataset(rows=rows, target=target, labels=np.arange(100) % 2.0)
        read = from_text(to_text(infer(data).rules))
        assert read.label is not None
        assert [(type(c.value), c.value) for c in read.label.classes] == [
            (type(c), c) for c in classes
        ]
        assert check(read, data).found == check(infer(data).rules, data).found


def test_smallest_text_is_enough() -> None:
    """A person may write rules from nothing: what is left out is as by default."""
    text = 'version = 1\nrows = 100\n[columns.age]\nkind = "number"\nat_most = 99\n'
    rules = from_text(text)
    assert rules == replace(
        DataRules(version=1, rows=100, columns=()), columns=from_text(text).columns
    )
    ages = Dataset(rows=read_rows({"age": [20.0 + i / 2 for i in range(99)] + [140.0]}))
    assert [f.rule for f in check(rules, ages).found] == ["range"]
