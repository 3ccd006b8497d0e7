"""`ratoon record`, `label` and `feedback`: rows of files brought to a loop."""

from __future__ import annotations

import csv
import gzip
import json
import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratoon.cli.handing_in import as_options, class_kind
from ratoon.engine import Loop
from ratoon.stores.folder import FolderLock, open_known
from ratoon.windows.judged import Target

Run = Callable[..., str]
Read = Callable[..., Any]
Table = Mapping[str, Sequence[Any]]

SCORES = ("--score", "p_bad", "--score", "p_good")


def scored(n: int, name: str = "t", **changes: Any) -> dict[str, list[Any]]:
    """Make up n predictions that came from elsewhere."""
    share = [row / n for row in range(n)]
    return {
        "id": [f"{name}-{row:03d}" for row in range(n)],
        "time": ["2026-01-03T12:00:00Z"] * n,
        "a": [2 * value - 1 for value in share],
        "b": [0.5] * n,
        "p_bad": share,
        "p_good": [1 - value for value in share],
        "output": ["bad" if value > 0.5 else "good" for value in share],
    } | changes


def to_csv(path: Path, table: Table) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    return path


def to_parquet(path: Path, table: Table) -> Path:
    """Write a file that knows the types of its columns."""
    columns = dict(table)
    if "time" in columns:
        moments = [datetime.fromisoformat(text) for text in columns["time"]]
        columns["time"] = pa.array(moments, pa.timestamp("us", tz="UTC"))
    pq.write_table(pa.table(columns), path)
    return path


def counts(home: Path) -> tuple[int, int]:
    """Return how many predictions and labelled rows a loop has taken in."""
    store = open_known(home, "fraud")
    found = store.counts()
    store.close()
    return found.predictions, found.labelled


def test_record(run: Run, home: Path, loop: Loop, tmp_path: Path) -> None:
    """The rows of a file wait until the loop's next call; sent twice they count once."""
    before = counts(home)[0]
    path = to_csv(tmp_path / "scored.csv", scored(40))
    for _ in range(2):
        text = run("record", "fraud", path, *SCORES, "--home", home)
        assert "40 predictions in 1 batch stored:" in text
        assert "takes them in at its next call" in text
    assert counts(home)[0] == before
    assert "2 entries" in run("status", "fraud", "--home", home)
    with loop:
        loop.tick()
        assert loop.status().counts.predictions == before + 40
        known = loop._open().store.predictions(["t-007"])["t-007"]
        assert (known["feature:a"][0], known["version"][0]) == (
            pytest.approx(-0.65),
            loop.records.champion(),
        )
        assert known["score:0"][0] == pytest.approx(7 / 40)
    assert "pending" not in run("status", "fraud", "--home", home)


def test_record_beside_a_loop(run: Run, home: Path, tmp_path: Path) -> None:
    """It needs no lock: the loop may run in another process."""
    lock = FolderLock(home, "fraud")
    path = to_parquet(tmp_path / "scored.parquet", scored(4))
    assert "4 predictions" in run("record", "fraud", path, *SCORES, "--home", home)
    lock.release()


def test_every_kind_of_source(run: Run, read: Read, home: Path, tmp_path: Path) -> None:
    """Patterns, gzip, JSON lines, a database and standard input come alike."""
    to_parquet(tmp_path / "p1.parquet", scored(3, "u"))
    to_parquet(tmp_path / "p2.parquet", scored(3, "v"))
    found = read("record", "fraud", tmp_path / "p*.parquet", *SCORES, "--home", home)
    assert [Path(one["source"]).name for one in found["sources"]] == ["p1.parquet", "p2.parquet"]
    assert (found["rows"], found["batches"], found["taken_in"]) == (6, 2, False)
    plain = to_csv(tmp_path / "z.csv", scored(3, "z"))
    with gzip.open(tmp_path / "z.csv.gz", "wb") as file:
        file.write(plain.read_bytes())
    assert read("record", "fraud", tmp_path / "z.csv.gz", *SCORES, "--home", home)["rows"] == 3
    table = scored(3, "j")
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    (tmp_path / "j.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read("record", "fraud", tmp_path / "j.jsonl", *SCORES, "--home", home)["rows"] == 3
    shop = sqlite3.connect(tmp_path / "shop.db")
    shop.execute("CREATE TABLE seen (id TEXT, label TEXT)")
    shop.executemany("INSERT INTO seen VALUES (?, ?)", [("u-000", "good"), ("u-001", "bad")])
    shop.commit()
    shop.close()
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    args = ("label", "fraud", url, "--query", "SELECT * FROM seen", "--home", home)
    assert read(*args)["rows"] == 2
    given = "id,label\nu-002,good\n"
    args = ("label", "fraud", "-", "--format", "csv", "--home", home)
    assert "1 label in 1 batch" in run(*args, input=given)


def test_a_password_is_not_shown(read: Read, run: Run, home: Path, tmp_path: Path) -> None:
    """The URL of a database is told without its password, and without its options."""
    sqlite3.connect(tmp_path / "shop.db").close()
    url = f"sqlite:///{tmp_path / 'shop.db'}?timeout=77"
    args = ("label", "fraud", url, "--query", "SELECT 'nobody' AS id, 'good' AS label")
    assert "timeout" not in run(*args, "--home", home)
    assert read(*args, "--home", home)["sources"][0]["source"].endswith("shop.db")


def test_ids_are_needed(run: Run, home: Path, tmp_path: Path) -> None:
    """Without ids nothing is recorded: no label could ever find such a row."""
    table = scored(4)
    path = to_csv(tmp_path / "a.csv", {name: table[name] for name in table if name != "id"})
    told = run("record", "fraud", path, *SCORES, "--home", home, code=1)
    assert "no column for the id" in told
    assert "--id COLUMN" in told
    assert "a label could never find a row" in told


def test_scores_are_needed(run: Run, home: Path, tmp_path: Path) -> None:
    """Outputs alone are refused where the loop measures what needs scores; the order is told."""
    path = to_parquet(tmp_path / "a.parquet", scored(4))
    args = ("--ignore", "p_bad", "--ignore", "p_good", "--home", home)
    told = run("record", "fraud", path, *args, code=1)
    assert "log_loss, which needs scores" in told
    assert "in this order: bad, good" in told


def test_a_bad_row_refuses_its_batch(read: Read, run: Run, home: Path, tmp_path: Path) -> None:
    """A file that cannot be read is listed with the row and the reason; the others are stored."""
    good = to_csv(tmp_path / "good.csv", scored(4))
    bad = scored(20, "x")
    bad["a"][17] = math.inf
    bad_path = to_csv(tmp_path / "bad.csv", bad)
    args = ("record", "fraud", bad_path, good, *SCORES, "--home", home)
    found = read(*args, code=1)
    refused, stored = found["sources"]
    assert refused["refused"] == f"{bad_path}, row 18: 'a' must be finite, got inf"
    assert (refused["rows"], stored["rows"], stored["refused"]) == (0, 4, None)
    assert "Refused: " in run(*args, code=1)


def test_what_does_not_fit_is_told_in_options(run: Run, home: Path, tmp_path: Path) -> None:
    """Hints speak of the command's options, not of Python's arguments."""
    more = to_csv(tmp_path / "more.csv", scored(4, shop=["x"] * 4))
    told = run("record", "fraud", more, *SCORES, "--home", home, code=1)
    assert "--ignore shop" in told
    assert "4 predictions" in run(
        "record", "fraud", more, *SCORES, "--ignore", "shop", "--home", home
    )
    texts = to_parquet(tmp_path / "texts.parquet", scored(4, a=["1", "2", "3", "4"]))
    assert "--type a=KIND" in run("record", "fraud", texts, *SCORES, "--home", home, code=1)
    args = ("--type", "a=number", "--home", home)
    assert "4 predictions" in run("record", "fraud", texts, *SCORES, *args)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (("--type", "a"), "is not COLUMN=KIND"),
        (("--type", "a=float"), "is not COLUMN=KIND"),
        (("--format", "xml"), "is none of csv"),
        (("--watch", "--every", "0s"), "every must be above 0"),
    ],
)
def test_called_wrongly(
    run: Run, home: Path, tmp_path: Path, options: tuple[str, ...], rule: str
) -> None:
    """An option that says nothing is refused before anything is read."""
    path = to_csv(tmp_path / "a.csv", scored(4))
    code = 1 if "--every" in options else 2
    assert rule in run("record", "fraud", path, *options, "--home", home, code=code)


def test_all_sources_must_be_there(run: Run, home: Path, tmp_path: Path) -> None:
    """Where one of the sources is not there, none is read."""
    path = to_csv(tmp_path / "a.csv", scored(4))
    told = run("record", "fraud", path, tmp_path / "b.csv", *SCORES, "--home", home, code=1)
    assert "b.csv" in told
    assert "pending" not in run("status", "fraud", "--home", home)


def test_versions_must_be_known(run: Run, home: Path, tmp_path: Path) -> None:
    """A row may say which version answered; that must be one that is kept."""
    path = to_csv(tmp_path / "a.csv", scored(4, version=[1, 1, 2, 2]))
    assert "4 predictions" in run("record", "fraud", path, *SCORES, "--home", home)
    path = to_csv(tmp_path / "b.csv", scored(4, "y", version=[1, 1, 99, 1]))
    assert "no version 99" in run("record", "fraud", path, *SCORES, "--home", home, code=1)


def test_csv_is_read_as_the_loop_knows_it(home: Path, run: Run, tmp_path: Path) -> None:
    """Ids and classes of CSV that look like numbers stay what the loop takes them for."""
    table = scored(3, id=["007", "008", "9"], a=[1, 2, 3])
    path = to_csv(tmp_path / "a.csv", table)
    assert "3 predictions" in run("record", "fraud", path, *SCORES, "--home", home)
    labels = to_csv(tmp_path / "l.csv", {"id": ["007", "9"], "label": ["good", "bad"]})
    assert "2 labels" in run("label", "fraud", labels, "--home", home)


def test_a_file_without_rows(run: Run, home: Path, tmp_path: Path) -> None:
    """A header alone is no error: nothing is stored."""
    path = tmp_path / "empty.csv"
    path.write_text("id,a,b,output\n")
    text = run("record", "fraud", path, "--home", home)
    assert text.startswith("0 predictions in 0 batches stored:")


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (Target(task="regression"), "number"),
        (Target(task="binary", classes=("0", "1")), "category"),
        (Target(task="binary", classes=(0, 1)), "integer"),
        (Target(task="binary", classes=(False, True)), "boolean"),
    ],
)
def test_kinds_of_labels(target: Target, kind: str) -> None:
    """What a column of labels holds follows from the classes."""
    assert class_kind(target) == kind


def test_labels_join(run: Run, home: Path, loop: Loop, tmp_path: Path) -> None:
    """Labels wait until the loop's next call and join by id; rows without one are left out."""
    before = counts(home)[1]
    run("record", "fraud", to_csv(tmp_path / "a.csv", scored(20)), *SCORES, "--home", home)
    ids, labels = scored(20)["id"], ["good", "bad"] * 10
    path = to_parquet(tmp_path / "l.parquet", {"id": ids, "label": [*labels[:-1], None]})
    text = run("label", "fraud", path, "--home", home)
    assert "19 labels in 1 batch stored, 1 row without any left out:" in text
    with loop:
        loop.tick()
    assert counts(home)[1] == before + 19


def test_labels_by_one_for_all(run: Run, home: Path, loop: Loop, tmp_path: Path) -> None:
    """Who says so may stand in no column: then the option says it, and a column before it."""
    run("record", "fraud", to_csv(tmp_path / "a.csv", scored(4)), *SCORES, "--home", home)
    ids, labels = scored(4)["id"], ["good", "bad"]
    first = to_csv(tmp_path / "l.csv", {"id": ids[:2], "label": labels})
    run("label", "fraud", first, "--by", "bank", "--home", home)
    said = {"id": ids[2:], "label": labels, "source": ["court", "court"]}
    other = to_csv(tmp_path / "m.csv", said)
    run("label", "fraud", other, "--by", "bank", "--home", home)
    with loop:
        loop.tick()
        found = {one.source: one.labels for one in loop.data.delays().sources}
    assert (found["bank"], found["court"]) == (2, 2)


def test_a_label_of_another_kind(run: Run, home: Path, tmp_path: Path) -> None:
    """A number where the classes are texts is refused, with its row."""
    path = to_parquet(tmp_path / "l.parquet", {"id": ["p", "q"], "label": [0, 1]})
    told = run("label", "fraud", path, "--home", home, code=1)
    assert "row 1: 'label' must be a text" in told


def test_a_changed_row_is_set_aside(
    run: Run, read: Read, home: Path, loop: Loop, tmp_path: Path
) -> None:
    """A row that the loop knows with another content is refused when it is taken in, and listed."""
    run("record", "fraud", to_csv(tmp_path / "a.csv", scored(4)), *SCORES, "--home", home)
    other = to_csv(tmp_path / "b.csv", scored(4, a=[0.0, -0.5, 9.0, 0.5]))
    run("record", "fraud", other, *SCORES, "--home", home)
    with loop:
        loop.tick()
    refused = read("data", "quarantine", "fraud", "--home", home)["refused"]
    assert refused
    assert {row["kind"] for row in refused} == {"predictions"}
    assert "known with another content" in run("data", "quarantine", "fraud", "--home", home)


def test_feedback(run: Run, home: Path, loop: Loop, tmp_path: Path) -> None:
    """Feedback waits likewise; a correction is a complaint where it is not what was answered."""
    with loop:
        rows = {"a": [2.0, -2.0, 0.1], "b": [0.0, 0.0, 0.0]}
        known = loop.predict(rows, ids=["f1", "f2", "f3"])
        before = loop.status().counts.feedback
    said = {"id": ["f1", "f2", "f3"], "rating": [-1, None, 1]}
    said["correction"] = [None, str(known.outputs[1]), None]
    path = to_parquet(tmp_path / "f.parquet", said)
    assert "3 rows of feedback in 1 batch" in run("feedback", "fraud", path, "--home", home)
    with loop:
        loop.tick()
        assert loop.status().counts.feedback == before + 3
    query = "SELECT id, negative FROM feedback ORDER BY id"
    found = json.loads(run("data", "sql", "fraud", query, "--json", "--home", home))
    assert [(row["id"], row["negative"]) for row in found[-3:]] == [
        ("f1", True),
        ("f2", False),
        ("f3", False),
    ]


def test_feedback_on_nothing(run: Run, read: Read, home: Path, tmp_path: Path) -> None:
    """Feedback on a prediction that the loop does not know is refused, and may come again."""
    path = to_csv(tmp_path / "f.csv", {"id": ["nobody", "none"], "rating": [1, 1]})
    told = run("feedback", "fraud", path, "--home", home, code=1)
    assert "prediction 'nobody', which is unknown (1 more of the batch too)" in told
    assert "send it again" in told
    found = read("feedback", "fraud", path, "--home", home, code=1)
    assert found["sources"][0]["again"] is True


def test_a_database_that_does_not_answer(read: Read, run: Run, home: Path, tmp_path: Path) -> None:
    """A source that cannot be opened is told, and may be read again later."""
    args = ("label", "fraud", f"sqlite:///file:{tmp_path}/gone.db?mode=ro&uri=true")
    args = (*args, "--query", "SELECT * FROM seen", "--home", home)
    assert "cannot be opened: unable to open database file" in run(*args, code=1)
    [one] = read(*args, code=1)["sources"]
    assert (one["rows"], one["again"]) == (0, True)


def test_a_loop_that_was_never_fitted(run: Run, tmp_path: Path) -> None:
    """There must be a loop, with a champion."""
    path = to_csv(tmp_path / "a.csv", scored(4))
    told = run("record", "nobody", path, "--home", tmp_path / "none", code=1)
    assert "no loop 'nobody'" in told
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("hint", "option"),
    [
        ("name one: id='x'", "name one: --id 'x'"),
        ("name it: label=COLUMN", "name it: --label COLUMN"),
        ("say ignore=('at',) for", "say --ignore 'at' for"),
        ("format='parquet'", "--format 'parquet'"),
    ],
)
def test_hints_are_translated(hint: str, option: str) -> None:
    """What Python's arguments are called becomes the option of that name."""
    assert as_options(hint) == option
