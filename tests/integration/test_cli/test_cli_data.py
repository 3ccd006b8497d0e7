"""`ratoon data`: snapshots, rows in SQL, exports, labels."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv as arrow_csv

from ratoon.engine import Data, Loop, Records
from ratoon.engine.clocks import SystemClock
from ratoon.stores.folder import open_known
from ratoon.windows.pins import Pin
from ratoon.windows.snapshot import digest

Run = Callable[..., str]
Read = Callable[..., Any]


@pytest.fixture
def pins(home: Path) -> list[Pin]:
    store = open_known(home, "fraud")
    found = list(store.pins())
    store.close()
    return found


def test_versions(run: Run, read: Read, home: Path, pins: list[Pin], records: Records) -> None:
    """`data versions` lists each snapshot with rows, run, rule, window, and what came of it."""
    text = run("data", "versions", "fraud", "--home", home)
    for pin in pins:
        assert pin.digest[:8] in text
        assert str(pin.run_id) in text
    found = read("data", "versions", "fraud", "--home", home)
    assert [one["digest"] for one in found] == [pin.digest for pin in pins]
    assert [one["rows"] for one in found] == [pin.count for pin in pins]
    champion = records.version()
    [trained] = [one for one in found if one["digest"] == champion.snapshot]
    assert champion.number in trained["versions"]
    assert f"fraud@{champion.number}" in text
    assert trained["ordinals"][0]["start"] < trained["ordinals"][-1]["stop"]


def test_show(run: Run, read: Read, home: Path, pins: list[Pin]) -> None:
    """`data show` tells rows, columns with their values, and labels, as the snapshot has them."""
    pin = pins[-1]
    store = open_known(home, "fraud")
    snapshot = Data(store, "fraud", SystemClock()).snapshot(pin.digest)
    store.close()
    found = read("data", "show", "fraud", pin.digest[:10], "--rows", 3, "--home", home)
    assert (found["digest"], found["rows"], found["task"]) == (pin.digest, len(snapshot), "binary")
    low, high = snapshot.features.columns["a"].min(), snapshot.features.columns["a"].max()
    column = found["columns"][0]
    assert (column["name"], column["kind"], column["missing"]) == ("a", "number", 0)
    assert (column["low"], column["high"]) == (low, high)
    labels = {one["label"]: one["rows"] for one in found["labels"]}
    assert labels == {label: snapshot.labels.count(label) for label in ("bad", "good")}
    assert [row["feature_a"] for row in found["first"]] == snapshot.features.columns["a"][
        :3
    ].tolist()
    text = run("data", "show", "fraud", pin.digest[:10], "--rows", 3, "--home", home)
    assert pin.digest in text
    assert pin.plan.rule in text
    assert f"{low:.4g} to {high:.4g}" in text


def test_no_such_snapshot(run: Run, home: Path) -> None:
    """A digest that is none, or that several begin with, is an error."""
    told = run("data", "show", "fraud", "zzz", "--home", home, code=1)
    assert "there is no snapshot 'zzz'" in told
    assert "ratoon data versions" in told


def test_diff(run: Run, read: Read, home: Path, pins: list[Pin]) -> None:
    """`data diff` tells the rows that only one of two snapshots has."""
    left, right = pins[0], pins[-1]
    one, other = ({n for r in pin.rows for n in range(r.start, r.stop)} for pin in (left, right))
    found = read("data", "diff", "fraud", left.digest, right.digest, "--home", home)
    assert found["both"] == len(one & other)
    only = {n for r in found["only_left"] for n in range(r["start"], r["stop"])}
    assert only == one - other
    text = run("data", "diff", "fraud", left.digest[:12], right.digest[:12], "--home", home)
    assert f"In both: {len(one & other)} rows." in text


def test_sql(run: Run, read: Read, home: Path, records: Records) -> None:
    """`data sql` answers as a table, as JSON and as CSV."""
    counts = records.status().counts
    query = "SELECT label, count(*) AS rows FROM labelled GROUP BY label ORDER BY label"
    lines = run("data", "sql", "fraud", query, "--home", home).splitlines()
    assert lines[0].split() == ["label", "rows"]
    found = read("data", "sql", "fraud", query, "--home", home)
    assert [row["label"] for row in found] == ["bad", "good"]
    assert sum(row["rows"] for row in found) == counts.labelled
    rows = list(
        csv.DictReader(run("data", "sql", "fraud", query, "--csv", "--home", home).split("\n"))
    )
    assert [int(row["rows"]) for row in rows] == [row["rows"] for row in found]
    assert run("data", "sql", "fraud", "FROM labels LIMIT 0", "--home", home) == "No row.\n"
    assert read("data", "sql", "fraud", "FROM labels LIMIT 0", "--home", home) == []


def test_wide_rows_stand_below_each_other(run: Run, home: Path) -> None:
    """Rows that are wider than the terminal are shown as names and values; more are announced."""
    text = run("data", "sql", "fraud", "FROM labelled", "--limit", 2, "--home", home)
    assert text.count("\nfeature_a ") == 2
    assert "… and more: --limit shows more than 2" in text


def test_values_of_every_kind_are_told(read: Read, home: Path) -> None:
    """Whatever DuckDB answers can be told as JSON."""
    query = (
        "SELECT 1 AS a, 2 AS a, 1.5::DECIMAL(4, 1) AS d, 3::HUGEINT AS h, [1, NULL] AS l, "
        "{'x': 'y'} AS s, DATE '2026-01-02' AS day, TIME '03:04:05' AS t, 'ab'::BLOB AS b, "
        "TIMESTAMPTZ '2026-01-02 03:04:05+00' AS w, 'nan'::DOUBLE AS n, MAP {'k': 1} AS m"
    )
    [found] = read("data", "sql", "fraud", query, "--home", home)
    assert (found["a"], found["a_2"], found["d"], found["h"]) == (1, 2, 1.5, 3)
    assert (found["l"], found["s"], found["day"]) == ([1, None], {"x": "y"}, "2026-01-02")
    assert (found["t"], found["b"], found["n"]) == ("03:04:05", "6162", None)
    assert found["w"] == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    ("query", "options", "why", "code"),
    [
        ("DELETE FROM labels", (), "one SELECT", 1),
        ("FROM nothing", (), "the views are predictions", 1),
        ("SELECT [1] AS l", ("--csv",), "CSV has no lists", 1),
        ("SELECT 1", ("--memory", "much"), "memory must be a size", 1),
        ("SELECT 1", ("--csv", "--json"), "either --csv or --json", 2),
    ],
)
def test_questions_without_an_answer(
    run: Run, home: Path, query: str, options: tuple[str, ...], why: str, code: int
) -> None:
    """What cannot be answered is an error that says why."""
    told = run("data", "sql", "fraud", query, *options, "--home", home, code=code)
    assert why in told


def test_a_reader_that_has_gone(home: Path) -> None:
    """Where nobody reads to the end, as `head`, the command ends without a word."""
    command = [sys.executable, "-m", "ratoon.cli", "data", "sql", "fraud"]
    query = "SELECT * FROM range(1000000)"
    for form in ("--csv", "--json"):
        with subprocess.Popen(
            [*command, query, form, "--home", str(home)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""


def test_export_of_a_snapshot(read: Read, home: Path, tmp_path: Path, pins: list[Pin]) -> None:
    """What is exported of a snapshot are its rows, so that the digest is the same."""
    pin = pins[-1]
    path = tmp_path / "snapshot.parquet"
    args = ("data", "export", "fraud", path, "--what", f"snapshot:{pin.digest}", "--home", home)
    assert read(*args)["rows"] == pin.count
    table = pq.read_table(path, page_checksum_verification=True)
    store = open_known(home, "fraud")
    snapshot = Data(store, "fraud", SystemClock()).snapshot(pin.digest)
    store.close()
    features = {name: table.column(f"feature_{name}").to_numpy() for name in pin.schema.names}
    for name, column in features.items():
        assert (column == snapshot.features.columns[name]).all()
    assert tuple(table.column("label").to_pylist()) == snapshot.labels
    assert digest(snapshot.features, tuple(table.column("label").to_pylist())) == pin.digest


@pytest.mark.parametrize("what", ["labelled", "predictions", "labels", "feedback"])
@pytest.mark.parametrize("form", ["parquet", "csv", "arrow"])
def test_export(run: Run, read: Read, home: Path, tmp_path: Path, what: str, form: str) -> None:
    """Every view goes to every kind of file, whole and in order, and nothing else is left."""
    path = tmp_path / "out" / f"{what}.{form}"
    path.parent.mkdir()
    run("data", "export", "fraud", path, "--what", what, "--home", home)
    match form:
        case "parquet":
            table = pq.read_table(path)
        case "csv":
            table = arrow_csv.read_csv(path)
        case _:
            with pa.ipc.open_file(path) as file:
                table = file.read_all()
    order = "ordinal" if what == "labelled" else "row"
    found = read("data", "sql", "fraud", f"FROM {what} ORDER BY {order}", "--home", home)
    assert table.column(order).to_pylist() == [row[order] for row in found]
    assert table.column_names == list(found[0] if found else table.column_names)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_export_replaces_nothing(run: Run, home: Path, tmp_path: Path) -> None:
    """A file that is there is kept, unless it is said to go."""
    path = tmp_path / "labels.parquet"
    path.write_text("kept")
    args = ("data", "export", "fraud", path, "--what", "labels", "--home", home)
    assert "--overwrite" in run(*args, code=1)
    assert path.read_text() == "kept"
    run(*args, "--overwrite")
    assert pq.read_table(path).num_rows > 0


@pytest.mark.parametrize(
    ("dest", "options", "rule"),
    [
        ("x.xlsx", (), "none of parquet, csv, arrow"),
        ("x", (), "none of parquet, csv, arrow"),
        ("x.csv", ("--what", "everything"), "none of labelled, predictions"),
    ],
)
def test_export_called_wrongly(
    run: Run, home: Path, tmp_path: Path, dest: str, options: tuple[str, ...], rule: str
) -> None:
    """Formats and views are those that there are."""
    told = run("data", "export", "fraud", tmp_path / dest, *options, "--home", home, code=2)
    assert rule in told


def test_an_export_that_fails_leaves_nothing(run: Run, home: Path, tmp_path: Path) -> None:
    """A file gets its name when it is whole."""
    store = open_known(home, "fraud")
    part = store.parts()["labels"]
    store.close()
    assert part.folder is not None
    path = part.folder / part.table.files[0].name
    args = ("data", "export", "fraud", tmp_path / "l.csv", "--what", "labels", "--home", home)
    body = path.read_bytes()
    for place in (200, len(body) - 1):  # among the values, and in what Parquet ends with
        path.write_bytes(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])
        assert path.name in run(*args, code=1)
        assert not list(tmp_path.glob("*l.csv*"))


def test_iceberg_is_an_extra(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pyiceberg the error names the extra."""
    monkeypatch.setitem(sys.modules, "pyiceberg.catalog", None)
    args = ("data", "export", "fraud", tmp_path / "lake", "--to", "iceberg", "--home", home)
    told = run(*args, code=1)
    assert "pip install 'ratoon[iceberg]'" in told
    assert not (tmp_path / "lake").exists()


def test_export_to_iceberg(run: Run, read: Read, home: Path, tmp_path: Path) -> None:
    """An Iceberg table has the rows of the view, in one snapshot; a folder in use is kept."""
    pytest.importorskip("pyiceberg")
    from pyiceberg.table import StaticTable  # noqa: PLC0415 - an extra

    lake = tmp_path / "lake"
    args = ("data", "export", "fraud", lake, "--to", "iceberg", "--home", home)
    rows = read(*args)["rows"]
    table = StaticTable.from_metadata(str(lake))
    found = table.scan().to_arrow().sort_by("ordinal")
    known = read("data", "sql", "fraud", "FROM labelled ORDER BY ordinal", "--home", home)
    assert found.num_rows == rows == len(known)
    assert found.column("feature_a").to_pylist() == [row["feature_a"] for row in known]
    assert len(table.snapshots()) == 1
    assert "new or empty" in run(*args, code=1)


def test_labels(run: Run, read: Read, home: Path, loop: Loop) -> None:
    """`data labels` counts what is labelled, parked and of a model, by source."""
    with loop:
        loop.label(["nobody"], ["good"], source="shop")
        answered = loop.predict({"a": np.zeros(3), "b": np.zeros(3)})
        loop.label(answered.ids[:2], ["good", "bad"], source="model")
        counts = loop.status().counts
    found = read("data", "labels", "fraud", "--home", home)
    assert found["classes"] == ["bad", "good"]
    assert (found["predictions"], found["parked"]) == (counts.predictions, 1)
    assert (found["history"], found["from_model"], found["unlabelled"]) == (300, 2, 3)
    assert found["labelled"] == counts.labelled - 300
    by_source = {row["source"]: row["labels"] for row in found["sources"]}
    assert by_source == {"history": 300, None: counts.labelled - 300, "shop": 1, "model": 2}
    text = run("data", "labels", "fraud", "--home", home)
    assert "binary: bad, good" in text
    assert "not said" in text


COMMANDS = (("versions",), ("labels",), ("check",), ("quarantine",), ("blame", "1"))


@pytest.mark.parametrize("command", COMMANDS)
def test_lines_fit(run: Run, home: Path, command: tuple[str, ...]) -> None:
    """No line of an answer is wider than the terminal, and none ends in a space."""
    lines = run("data", command[0], "fraud", *command[1:], "--home", home).splitlines()
    assert max(len(line) for line in lines) <= 80
    assert not [line for line in lines if line != line.rstrip()]


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_loop(run: Run, read: Read, home: Path, command: tuple[str, ...]) -> None:
    """A loop that is not there is an error of exit code 1, told as JSON where asked."""
    args = ("data", command[0], "spam", *command[1:], "--home", home)
    assert "no loop 'spam'" in run(*args, code=1)
    assert read(*args, code=1)["error"]["type"] == "LoopUnknown"


def test_the_group_helps(run: Run) -> None:
    """`ratoon data` alone lists its commands."""
    assert "versions" in run("data", "--help")
