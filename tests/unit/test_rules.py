"""Data rules: what is inferred, what a person may say, and what follows from a breach."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from ratoon.core.errors import BatchEmpty, LengthMismatch, SettingInvalid
from ratoon.core.wire import dumps
from ratoon.windows.intake import read_rows
from ratoon.windows.rules import (
    RULES,
    ColumnRule,
    DataRules,
    Dataset,
    Finding,
    Findings,
    Tolerances,
    check,
    infer,
    renewed,
)
from ratoon.windows.rules.data import grouped
from tests.docs.pages import read, sections, tables
from tests.unit.rules_world import HOUR, START, changed, world

CHANCE = np.random.default_rng(7)
REFERENCE = world(CHANCE, 3000)
DATA = world(CHANCE, 3000, first=3000)
RULES_OF_ALL = infer(REFERENCE).rules


def settings(rules: DataRules, column: str, **said: Any) -> DataRules:
    """Return rules in which a person has said something of a column."""
    columns = [replace(c, **said) if c.name == column else c for c in rules.columns]
    return replace(rules, columns=tuple(columns))


def of_rule(findings: Findings, rule: str) -> Finding:
    """Return the only finding of a rule."""
    found = [finding for finding in findings.found if finding.rule == rule]
    assert len(found) == 1, findings.text()
    return found[0]


def numbers(values: Any, **known: Any) -> Dataset:
    """Return data of one column."""
    return Dataset(rows=read_rows({"x": np.asarray(values)}), **known)


def test_reference_is_described() -> None:
    """Counts, ends, quantiles and texts are those of the reference."""
    rules = infer(
        Dataset(
            rows=read_rows({"x": [*range(1, 100), None], "t": ["a"] * 60 + ["b"] * 39 + ["N/A"]})
        )
    ).rules
    x, t = rules.columns
    assert (rules.version, rules.rows, x.nulls, x.least, x.most) == (1, 100, 1, 1.0, 99.0)
    assert x.quantiles == (10.0, 25.0, 50.0, 75.0, 90.0)
    assert [(u.value, u.rows) for u in x.usual] == [(99.0, 1)]
    assert [(u.value, u.rows) for u in t.categories] == [("a", 60), ("b", 39), ("N/A", 1)]
    assert (t.distinct, t.singles, t.commonest) == (3, 1, 60)
    assert [u.value for u in t.usual] == ["N/A"]


def test_reference_with_a_leak_is_told_of() -> None:
    """A leak that the reference has is told when rules are inferred, and is usual from then on."""
    leaking = changed(REFERENCE, age=np.where(REFERENCE.labels == 1, 50.0, 40.0))
    made = infer(leaking)
    assert of_rule(made.findings, "leak").column == "age"
    later = changed(DATA, age=np.where(DATA.labels == 1, 50.0, 40.0))
    assert not [f for f in check(made.rules, later).found if f.rule == "leak"]


def test_reference_with_a_sentinel_is_told_of() -> None:
    """999 days among 0 to 30 is told when rules are inferred."""
    days = CHANCE.integers(0, 31, 1000).astype(float)
    days[CHANCE.random(1000) < 0.4] = 999.0
    finding = of_rule(infer(numbers(days)).findings, "sentinel")
    assert finding.severity == "warn"
    assert "999" in finding.message


def test_reference_must_have_rows() -> None:
    """Nothing is inferred from nothing, and nothing is checked."""
    empty = DATA.take(slice(0, 0))
    with pytest.raises(BatchEmpty):
        infer(empty)
    with pytest.raises(BatchEmpty):
        check(RULES_OF_ALL, empty)


def test_entity_must_be_a_column() -> None:
    """The column of entities is one of the reference."""
    with pytest.raises(SettingInvalid, match="entity"):
        infer(REFERENCE, entity="customer")


def test_lengths_must_agree() -> None:
    """Whatever is told of the rows is told of each."""
    with pytest.raises(LengthMismatch, match="batches"):
        numbers([1.0, 2.0], batches=np.zeros(3, dtype=int))


def test_columns_are_compared() -> None:
    """A missing column and another kind of values stop the training; a new column is told."""
    rows = {n: c for n, c in DATA.rows.columns.items() if n not in ("age", "city")}
    rows["city"], rows["extra"] = np.arange(3000.0), np.arange(3000.0)
    findings = check(RULES_OF_ALL, replace(DATA, rows=read_rows(rows)))
    told = {f.column: (f.rule, f.severity) for f in findings.found}
    assert told["age"] == ("schema", "fail")
    assert told["city"] == ("schema", "fail")
    assert told["extra"] == ("schema", "warn")
    assert findings.blocked


def test_whole_numbers_may_come_as_numbers() -> None:
    """Whole numbers that are held as floats are whole; one with a fraction is set aside."""
    assert check(RULES_OF_ALL, changed(DATA, visits=DATA.rows.columns["visits"] * 1.0)).found == ()
    visits = DATA.rows.columns["visits"] * 1.0
    visits[17] = 0.5
    finding = of_rule(check(RULES_OF_ALL, changed(DATA, visits=visits)), "schema")
    assert (finding.rows, finding.severity) == ((17,), "fail")


def test_one_bad_row_is_set_aside_alone() -> None:
    """A row that no model can be trained on does not take its batch along."""
    income = DATA.rows.columns["income"].copy()
    income[[5, 2000]] = np.inf
    findings = check(RULES_OF_ALL, changed(DATA, income=income))
    assert of_rule(findings, "infinite").rows == (5, 2000)
    assert np.flatnonzero(findings.quarantine).tolist() == [5, 2000]


def test_a_persons_limits_are_kept() -> None:
    """What a person says of a column counts, whatever the reference was like."""
    rules = settings(RULES_OF_ALL, "age", at_least=0.0, at_most=99.0)
    age = DATA.rows.columns["age"].copy()
    age[[3, 4]] = -3.0, 130.0
    findings = check(rules, changed(DATA, age=age))
    assert [(f.rule, f.rows) for f in findings.found] == [("range", (3,)), ("range", (4,))]
    assert np.flatnonzero(findings.quarantine).tolist() == [3, 4]
    few = check(settings(RULES_OF_ALL, "celsius", nulls_most=0.01), DATA)
    assert of_rule(few, "nulls").severity == "fail"
    assert of_rule(few, "nulls").expected == "1 % missing as the rules say"


def test_new_texts_have_a_limit_of_a_persons() -> None:
    """New texts only warn, unless a person says how many may be new."""
    city = DATA.rows.columns["city"].copy()
    city[CHANCE.random(3000) < 0.3] = "elsewhere"
    data = changed(DATA, city=city)
    assert of_rule(check(RULES_OF_ALL, data), "categories").severity == "warn"
    strict = check(settings(RULES_OF_ALL, "city", new_most=0.02), data)
    assert of_rule(strict, "categories").severity == "fail"


def test_another_spelling_fails() -> None:
    """Texts that are the known ones in capitals are no new texts but another writer's."""
    shouted = np.array([c and c.upper() for c in DATA.rows.columns["city"]], dtype=object)
    here = DATA.batches == 4
    city = np.where(here, shouted, DATA.rows.columns["city"])
    findings = check(RULES_OF_ALL, changed(DATA, city=city))
    assert of_rule(findings, "categories").severity == "fail"
    np.testing.assert_array_equal(findings.quarantine, here)


def test_rules_can_be_softened() -> None:
    """A rule may be made a warning, or be left out, for all columns or for one."""
    data = changed(DATA, age=DATA.rows.columns["age"] * 1000)
    assert check(RULES_OF_ALL, data).blocked
    warned = check(replace(RULES_OF_ALL, severity={"units": "warn", "range": "off"}), data)
    assert [(f.rule, f.severity) for f in warned.found] == [("units", "warn")]
    assert warned.passed.all()
    skipped = check(settings(RULES_OF_ALL, "age", skip=("units", "range")), data)
    assert skipped.found == ()


def test_entities_stand_on_one_side() -> None:
    """Training rows about someone whom held-out rows are about are left out, not set aside."""
    rules = infer(REFERENCE, entity="city").rules
    held = np.arange(3000) >= 2500
    city = np.array([f"c{i % 50}" for i in range(2500)] + ["c7", None] * 250, dtype=object)
    data = replace(changed(DATA, city=city), held_out=held)
    findings = check(replace(rules, severity={"categories": "off", "nulls": "off"}), data)
    assert of_rule(findings, "entity").count == 50
    np.testing.assert_array_equal(findings.left_out, (city == "c7") & ~held)
    np.testing.assert_array_equal(findings.passed, ~findings.left_out)
    assert not findings.quarantine.any()
    assert findings.summary() == "50 are left out of this training alone."
    assert findings.record()["left_out"] == 50
    given = replace(data, entities=np.arange(3000))
    assert "entity" not in {f.rule for f in check(rules, given).found}


def test_held_out_rows_are_the_newer_ones() -> None:
    """A split that judges on the past stops the training; a shuffled one is told of."""
    past, mixed = np.arange(3000) < 500, CHANCE.random(3000) < 0.2
    assert of_rule(check(RULES_OF_ALL, replace(DATA, held_out=past)), "split").severity == "fail"
    assert check(RULES_OF_ALL, replace(DATA, held_out=past)).blocked
    assert of_rule(check(RULES_OF_ALL, replace(DATA, held_out=mixed)), "split").severity == "warn"
    assert check(RULES_OF_ALL, replace(DATA, held_out=~past)).found == ()


def test_time_travellers_are_set_aside() -> None:
    """A label older than its event, and an event later than now, are set aside by row."""
    assert DATA.labelled is not None
    labelled = DATA.labelled.copy()
    labelled[9] -= 1000 * HOUR
    findings = check(RULES_OF_ALL, replace(DATA, labelled=labelled))
    assert of_rule(findings, "time").rows == (9,)
    now = (START + 5995 * HOUR).astype(datetime).replace(tzinfo=UTC)
    late = check(RULES_OF_ALL, DATA, now=now)
    assert of_rule(late, "time").rows == (2996, 2997, 2998, 2999)


def test_clocks_may_differ_a_little() -> None:
    """An event that is later than its arrival by less than `skew_s` is none of the future."""
    arrived = DATA.times - np.timedelta64(200, "s")
    assert check(RULES_OF_ALL, replace(DATA, arrived=arrived)).found == ()
    strict = replace(RULES_OF_ALL, tolerances=Tolerances(skew_s=100))
    assert of_rule(check(strict, replace(DATA, arrived=arrived)), "time").count == 3000


def test_ids_stand_once() -> None:
    """The second row of an id is set aside; ids may be texts."""
    ids = np.array([f"r{i}" for i in range(3000)], dtype=object)
    ids[40] = "r12"
    findings = check(RULES_OF_ALL, replace(DATA, ids=ids))
    assert of_rule(findings, "ids").rows == (40,)


def test_stuck_sensor_is_told() -> None:
    """A column with many values that has one alone is told, not set aside."""
    stuck = np.where(DATA.batches == 2, 14.3, DATA.rows.columns["celsius"])
    findings = check(RULES_OF_ALL, changed(DATA, celsius=stuck))
    assert of_rule(findings, "constant").severity == "warn"
    assert not findings.failed


def test_partly_wrong_unit_is_named() -> None:
    """Where a third of a batch is in another unit, the finding on their range names it."""
    here = (DATA.batches == 2) & (CHANCE.random(3000) < 0.35)
    income = np.where(here, DATA.rows.columns["income"] * 1000, DATA.rows.columns["income"])
    finding = of_rule(check(RULES_OF_ALL, changed(DATA, income=income)), "range")
    assert finding.severity == "fail"
    assert "division by 1000" in finding.message


def test_too_much_set_aside_stops_the_training() -> None:
    """Where more than half would go the data has changed as a whole."""
    assert DATA.batches is not None
    wrong = changed(DATA, age=np.where(DATA.batches < 7, 9999.0, DATA.rows.columns["age"]))
    findings = check(RULES_OF_ALL, wrong)
    assert findings.blocked
    assert "changed as a whole" in of_rule(findings, "rows").message


def test_released_rows_are_told_and_trained_on() -> None:
    """What a person let go of stays, and no longer stops a training that would lose too much."""
    assert DATA.batches is not None
    here = DATA.batches < 7
    wrong = changed(DATA, age=np.where(here, 9999.0, DATA.rows.columns["age"]))
    assert check(RULES_OF_ALL, wrong).blocked
    findings = check(RULES_OF_ALL, wrong, released=here)
    assert of_rule(findings, "sentinel").severity == "fail"
    assert not findings.blocked
    assert findings.passed.all()


def test_person_reads_a_table() -> None:
    """The table has a line for each finding, what fails first, and what follows."""
    here = DATA.batches == 3
    city = np.where(CHANCE.random(3000) < 0.3, "elsewhere", DATA.rows.columns["city"])
    age = np.where(here, DATA.rows.columns["age"] * 12, DATA.rows.columns["age"])
    text = check(RULES_OF_ALL, changed(DATA, city=city, age=age)).text().splitlines()
    assert text[0].split() == ["rule", "column", "where", "expected", "found"]
    assert text[1].startswith("fail  units       age     batch 3")
    assert text[2].startswith("warn  categories  city")
    assert text[3] == "250 of 3,000 rows are set aside."
    assert check(RULES_OF_ALL, DATA).text() == "All 3,000 rows may be trained on."


def test_run_keeps_a_record() -> None:
    """What a run keeps is JSON: the rules' version and digest, and every finding."""
    findings = check(RULES_OF_ALL, changed(DATA, age=DATA.rows.columns["age"] * 1000))
    record = json.loads(dumps(findings.record()))
    assert record["rules"] == {"version": 1, "digest": RULES_OF_ALL.digest}
    assert record["blocked"] is True
    assert record["set_aside"] == 3000
    assert record["found"][0]["rule"] == "units"
    assert len(record["found"][0]["rows"]) == 100
    assert record["found"][0]["count"] == 3000


def test_renewed_rules_keep_what_a_person_said() -> None:
    """Rules inferred anew count up, and keep limits, severities and tolerances."""
    said = settings(RULES_OF_ALL, "age", at_most=99.0, skip=("leak",))
    said = replace(said, severity={"split": "off"}, tolerances=Tolerances(nulls_fail=0.4))
    new = renewed(said, DATA).rules
    assert new.version == 2
    assert (new.named["age"].at_most, new.named["age"].skip) == (99.0, ("leak",))
    assert new.severity == {"split": "off"}
    assert new.tolerances.nulls_fail == 0.4
    assert new.named["age"].most == DATA.rows.columns["age"].max()
    assert new.digest != said.digest


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: Tolerances(nulls_fail=2.0), "nulls_fail"),
        (lambda: Tolerances(batch_rows=0), "batch_rows"),
        (lambda: Tolerances(reach=-1), "reach"),
        (lambda: ColumnRule(name="x", kind="word"), "kind"),  # type: ignore[arg-type]
        (lambda: ColumnRule(name="x", kind="number", nulls=-1), "nulls"),
        (lambda: ColumnRule(name="x", kind="number", least=2, most=1), "least"),
        (lambda: ColumnRule(name="x", kind="number", quantiles=(1.0,)), "quantiles"),
        (lambda: ColumnRule(name="x", kind="number", skip=("unit",)), "skip"),
        (lambda: ColumnRule(name="x", kind="category", distinct=501, new_most=0.1), "new_most"),
        (lambda: DataRules(version=0, rows=1, columns=()), "version"),
        (lambda: DataRules(version=1, rows=1, columns=(), severity={"x": "warn"}), "severity"),
    ],
)
def test_settings_are_checked(made: Any, told: str) -> None:
    """A setting that breaks its rule is named where it is made."""
    with pytest.raises(SettingInvalid, match=told):
        made()


def test_groups_are_batches_or_joined_ones() -> None:
    """A large batch stands alone, small ones are joined up to the least, the rest joins them."""
    sizes = [300, 50, 60, 70, 500, 20, 110, 90, 90, 30]
    groups = grouped(sum(sizes), np.repeat(np.arange(10), sizes), 200)
    assert groups.sizes[:-1].tolist() == [300, 180, 500, 340]
    names = [groups.name(i) for i in range(4)]
    assert names == ["batch 0", "batches 1 to 3", "batch 4", "batches 5 to 9"]


def test_page_explains_every_rule() -> None:
    """The page on data checks has a row for each rule, in order, and none for another."""
    table = next(tables(sections(read("docs/data-checks.md"))["The rules"]))
    assert [row[0].strip("`") for row in table] == list(RULES)
    assert all(len(row) == 3 and all(row) for row in table)
