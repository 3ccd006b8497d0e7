"""SQL over the rows of a loop: files, rows that wait, joins, and what cannot be done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import ratoon as rt
from ratoon.core.errors import FileCorrupt, QuestionFailed, SettingInvalid
from ratoon.core.measuring import RowRange
from ratoon.engine import VirtualClock
from ratoon.log.table import RowTable
from ratoon.stores.asking import Asking, Part, damaged
from ratoon.stores.asking_views import among
from ratoon.stores.folder import open_known
from ratoon.stores.local import LocalStore
from ratoon.windows.judged import Target

START = datetime(2026, 1, 1, tzinfo=UTC)
TARGET = Target(task="binary", classes=("bad", "good"))
N = 240


def lived(home: Path) -> rt.Loop:
    """Return a loop with labels that came later, that came first, and that a model made."""
    clock, rng = VirtualClock(START), np.random.default_rng(3)
    loop = rt.Loop(
        "shop",
        trainer=lambda data: LogisticRegression().fit(data.X, data.y),
        home=home,
        retrain_when=rt.triggers.Never(),
        clock=clock,
    )
    x = rng.normal(size=(N, 2))
    rows = {"Age (years)": x[:, 0], "price in %": x[:, 1]}
    loop.fit(rows, ["good" if value > 0 else "bad" for value in x[:, 0]])
    clock.advance(timedelta(hours=1))
    loop.label(["p1", "p0"], ["bad", "good"], source="eager")
    loop.predict({n: c[:4] for n, c in rows.items()}, ids=["p0", "p1", "p2", "p3"])
    clock.advance(timedelta(hours=1))
    loop.label(["p3"], ["bad"])
    loop.label(["p2"], ["good"], source="model")
    loop.label(["nobody"], ["good"])
    loop.feedback(["p0"], ratings=[-1])
    loop.feedback(["p1"], corrections=["good"])
    return loop


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[rt.Loop]:
    """A loop that may be changed."""
    with lived(tmp_path / "home") as found:
        yield found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rt.Loop]:
    """A loop that is only asked."""
    with lived(tmp_path_factory.mktemp("shop")) as found:
        yield found


def store_of(loop: rt.Loop) -> LocalStore:
    store = loop._open().store
    assert isinstance(store, LocalStore)
    return store


def asked(parts: Any, tmp_path: Path, **settings: Any) -> Asking:
    return Asking(parts, temp=tmp_path / "temp", **{"target": TARGET, **settings})


def rows(asking: Asking, query: str) -> list[dict[str, Any]]:
    return asking.ask(query).read_all().to_pylist()


def check_labelled(store: LocalStore, tmp_path: Path) -> None:
    """Compare the view of labelled rows with what the store reads by their ordinals."""
    known = store.labelled(RowRange(start=0, stop=store.counts().labelled))
    with asked(store.parts(), tmp_path) as asking:
        found = rows(asking, "SELECT * FROM labelled ORDER BY ordinal")
    assert [row["ordinal"] for row in found] == known.ordinals.tolist()
    assert [row["id"] for row in found] == list(known.ids)
    assert [row["label"] for row in found] == list(known.values)
    assert [row["feature_Age (years)"] for row in found] == known.columns[
        "feature:Age (years)"
    ].tolist()
    assert [row["feature_price in %"] for row in found] == known.columns[
        "feature:price in %"
    ].tolist()


def test_labelled_rows_are_those_of_the_store(loop: rt.Loop, tmp_path: Path) -> None:
    """Rows in memory, then in files, then read by another process: the view shows the same."""
    store = store_of(loop)
    check_labelled(store, tmp_path)
    store.flush()
    check_labelled(store, tmp_path)
    loop.predict({"Age (years)": [0.5], "price in %": [1.5]}, ids=["p9"])
    loop.label(["p9"], ["good"])
    check_labelled(store, tmp_path)
    reader = open_known(tmp_path / "home", "shop")
    check_labelled(reader, tmp_path)
    reader.close()
    store.flush()
    check_labelled(store, tmp_path)


def test_views(shop: rt.Loop, tmp_path: Path) -> None:
    """Predictions are those that were answered; labels and feedback are all that came."""
    with asked(store_of(shop).parts(), tmp_path) as asking:
        predicted = rows(asking, "FROM predictions ORDER BY row")
        assert [row["id"] for row in predicted] == ["p0", "p1", "p2", "p3"]
        assert {row["output"] for row in predicted} <= {"bad", "good"}
        assert [row["version"] for row in predicted] == [1] * 4
        by_source = rows(asking, "SELECT source, count(*) n FROM labels GROUP BY ALL ORDER BY ALL")
        assert [(row["source"], row["n"]) for row in by_source] == [
            ("eager", 2),
            ("history", N),
            ("model", 1),
            (None, 2),
        ]
        said = rows(asking, "SELECT id, rating, correction, negative FROM feedback ORDER BY id")
        assert [(row["rating"], row["correction"]) for row in said] == [(-1, None), (None, "good")]
        names = {row["name"] for row in rows(asking, "SHOW TABLES")}
        assert {"predictions", "labels", "feedback", "labelled"} <= names


def test_what_was_known_at_a_time(shop: rt.Loop, tmp_path: Path) -> None:
    """What we knew at a time is a condition: both rows had to be there by then."""
    with asked(store_of(shop).parts(), tmp_path) as asking:
        known: list[int] = []
        for hours in (-1, 0, 1, 2):
            at = f"'{START + timedelta(hours=hours)}'"
            where = f"greatest(arrived_at, label_arrived_at) <= {at}"
            [found] = rows(asking, f"SELECT count(*) AS n FROM labelled WHERE {where}")
            known.append(found["n"])
    assert known == [0, N, N + 2, N + 3]


def test_erased_rows_are_gone(loop: rt.Loop, tmp_path: Path) -> None:
    """What was erased is in no view."""
    loop.data.forget(["p0", "p3"])
    with asked(store_of(loop).parts(), tmp_path) as asking:
        assert [row["id"] for row in rows(asking, "FROM predictions ORDER BY row")] == ["p1", "p2"]
        [found] = rows(asking, "SELECT count(*) AS n FROM labelled WHERE id IN ('p0', 'p3')")
        assert found["n"] == 0
    check_labelled(store_of(loop), tmp_path)


def test_some_ordinals(shop: rt.Loop, tmp_path: Path) -> None:
    """Rows by ranges of their ordinals, few or many."""
    ordinals = list(range(0, N, 3))
    for step in (1, 2):
        ranges = [RowRange(start=n, stop=n + step) for n in ordinals]
        for some in (ranges[:3], ranges):
            wanted = [n for one in some for n in range(one.start, one.stop)]
            with asked(store_of(shop).parts(), tmp_path) as asking:
                found = rows(asking, f"SELECT ordinal FROM {among(some)} ORDER BY ordinal")
            assert [row["ordinal"] for row in found] == wanted


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM labels",
        "DROP VIEW labels",
        "COPY (SELECT 1) TO 'out.csv'",
        "SELECT 1; SELECT 2",
        "ATTACH 'x.db'",
        "SET memory_limit = '1TB'",
        "EXPLAIN ANALYZE SELECT 1",
        "PRAGMA database_list",
        "INSTALL httpfs",
        "",
    ],
)
def test_only_one_select(shop: rt.Loop, tmp_path: Path, query: str) -> None:
    """A question is one SELECT: nothing can be changed or written."""
    with (
        asked(store_of(shop).parts(), tmp_path) as asking,
        pytest.raises(SettingInvalid, match="one SELECT"),
    ):
        asking.ask(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/hosts')",
        "SELECT * FROM read_text('/etc/hosts')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM secret",
        "SELECT nothing FROM labels",
        "SELECT CAST(id AS INTEGER) FROM labels",
        "SELEC",
    ],
)
def test_what_has_no_answer(shop: rt.Loop, tmp_path: Path, query: str) -> None:
    """No other file can be read, no variable of the program; what DuckDB says is passed on."""
    secret = pa.table({"word": ["hidden"]})
    with (
        asked(store_of(shop).parts(), tmp_path) as asking,
        pytest.raises(QuestionFailed, match="the question has no answer"),
    ):
        asking.ask(query).read_all()
    assert secret.num_rows == 1


def test_nobody_forgets_the_limit(tmp_path: Path, shop: rt.Loop) -> None:
    """A limit that is no size is refused, and nothing is left of it."""
    with pytest.raises(SettingInvalid, match="memory must be a size"):
        asked(store_of(shop).parts(), tmp_path, memory="much")
    assert list((tmp_path / "temp").iterdir()) == []


def flipped(part: Part, place: int) -> Path:
    """Change one bit of a data file."""
    assert part.folder is not None
    path = part.folder / part.table.files[0].name
    body = bytearray(path.read_bytes())
    body[place] ^= 1
    path.write_bytes(body)
    return path


def test_damage_is_an_error_that_names_the_file(loop: rt.Loop, tmp_path: Path) -> None:
    """One bit flipped: no answer from that table, and answers from the others."""
    store_of(loop).flush()
    parts = store_of(loop).parts()
    assert list(damaged(list(parts.values()))) == []
    path = flipped(parts["predictions"], 200)
    with asked(parts, tmp_path) as asking:
        for query in (
            "FROM predictions",
            "SELECT count(*) FROM labelled",
            "FROM query('SELECT 1')",
        ):
            with pytest.raises(FileCorrupt, match=path.name):
                asking.ask(query)
        assert len(rows(asking, "FROM labels")) == N + 5
    [found] = damaged(list(parts.values()))
    assert path.name in found.fact
    path.unlink()
    [found] = damaged(list(parts.values()))
    assert "is missing" in found.fact


def test_progress_of_the_comparison(loop: rt.Loop, tmp_path: Path) -> None:
    """Whoever asks is told how many bytes of how many have been compared, once a table."""
    store_of(loop).flush()
    told: list[tuple[int, int]] = []
    with asked(store_of(loop).parts(), tmp_path) as asking:
        asking.ask("FROM labels", told=lambda done, of: told.append((done, of)))
        assert told[-1][0] == told[-1][1] > 0
        before = list(told)  # one for each file, of which a slow machine makes more
        asking.ask("FROM labels", told=lambda done, of: told.append((done, of)))
    assert told == before


def test_an_empty_loop(tmp_path: Path) -> None:
    """Without any row the views are there, and empty."""
    names = ("predictions", "labels", "feedback")
    parts = {
        name: Part(table=RowTable(str(tmp_path / name), app=name), folder=tmp_path / name, stop=0)
        for name in names
    }
    with asked(parts, tmp_path, target=None) as asking:
        for view in (*names, "labelled"):
            assert rows(asking, f"FROM {view}") == []


def test_numbers_stay_numbers(tmp_path: Path) -> None:
    """Labels and outputs of a regression are numbers, those of whole classes whole numbers."""
    regression = rt.Loop(
        "price",
        trainer=lambda data: LinearRegression().fit(data.X, data.y),
        home=tmp_path,
        task="regression",
    )
    flags = rt.Loop(
        "flag", trainer=lambda data: LogisticRegression().fit(data.X, data.y), home=tmp_path
    )
    x = np.arange(240.0)
    for loop, labels, kind in ((regression, x / 3, "double"), (flags, x > 119, "bool")):
        with loop:
            loop.fit({"x": x}, labels)
            p = loop.predict({"x": [3.0, 30.0]})
            loop.label(p.ids, labels[[3, 30]])
            loop.close()
        reader = open_known(tmp_path, loop.name)
        target = rt_target(reader)
        with asked(reader.parts(), tmp_path, target=target) as asking:
            found = asking.ask("SELECT label, output FROM labelled ORDER BY ordinal").read_all()
        reader.close()
        assert [str(field.type) for field in found.schema] == [kind, kind]
        assert found.column("label").to_pylist() == [*labels, *labels[[3, 30]]]


def rt_target(store: LocalStore) -> Target:
    found = json.loads(store.saved().target or "")
    return Target(task=found["task"], classes=tuple(found["classes"]))


def wide(folder: Path, n: int, columns: int) -> dict[str, Part]:
    """Return tables of n predictions, and as many labels in another order."""
    rng = np.random.default_rng(1)
    moments = pa.array(np.arange(n), pa.timestamp("us", tz="UTC"))
    numbers, order = np.arange(n), rng.permutation(n)
    own = {"row": numbers, "seq": np.ones(n, np.int64), "arrived_at": moments}
    predicted = own | {
        "id": pa.array([f"p-{n}" for n in numbers]),
        "time": moments,
        "version": np.ones(n, np.int64),
        "output": np.zeros(n),
        **{f"feature_{k}": numbers + float(k) for k in range(columns)},
    }
    labelled = own | {
        "id": pa.array([f"p-{n}" for n in order]),
        "value": pa.array(["good"] * n),
        "kind": pa.array(["text"] * n),
        "prediction": order,
        "ordinal": numbers,
    }
    parts: dict[str, Part] = {}
    for name, found in (("predictions", predicted), ("labels", labelled), ("feedback", None)):
        table = RowTable(str(folder / name), app=name)
        if found is not None:
            table.append(pa.table(found), seq=1)
        stop = 0 if found is None else n
        parts[name] = Part(table=table, folder=folder / name, stop=stop)
    return parts


def test_a_join_goes_to_the_disk(tmp_path: Path) -> None:
    """What does not fit in the memory that is given is joined and sorted on the disk, and right."""
    n, columns = 200_000, 12
    parts = wide(tmp_path / "tables", n, columns)
    with asked(parts, tmp_path, memory="48MB") as asking:
        query = "SELECT ordinal, row, feature_0, feature_11, id FROM labelled ORDER BY ordinal"
        found = asking.ask(query).read_all()
    order = np.random.default_rng(1).permutation(n)
    assert found.column("ordinal").to_numpy().tolist() == list(range(n))
    assert (found.column("row").to_numpy() == order).all()
    assert (found.column("feature_11").to_numpy() == order + 11.0).all()
    assert list((tmp_path / "temp").iterdir()) == []


def test_too_little_memory(tmp_path: Path) -> None:
    """A question that cannot be answered in the memory that is given says so."""
    parts = wide(tmp_path / "tables", 100_000, 1)
    with (
        asked(parts, tmp_path, memory="2MB") as asking,
        pytest.raises(QuestionFailed, match="needs more memory"),
    ):
        asking.ask("SELECT list(id) AS ids FROM labelled").read_all()


def test_order_of_one_table(tmp_path: Path) -> None:
    """Rows of one table come in the order in which they arrived, from however many files."""
    folder = tmp_path / "labels"
    table = RowTable(str(folder), app="labels")
    for seq in range(1, 9):
        numbers = np.arange((seq - 1) * 70_000, seq * 70_000)
        table.append(
            pa.table(
                {"row": numbers, "seq": np.full(70_000, seq), "value": pa.array(["x"] * 70_000)}
            ),
            seq=seq,
        )
    parts = wide(tmp_path / "tables", 10, 1)
    parts["labels"] = Part(table=table, folder=folder, stop=500_000)
    with asked(parts, tmp_path) as asking:
        found = asking.ask("SELECT row FROM labels").read_all().column("row").to_numpy()
    assert (found == np.arange(500_000)).all()


def test_files_of_dead_processes_go(tmp_path: Path, shop: rt.Loop) -> None:
    """What a process that died has left on the disk goes; what a living one has there stays."""
    (tmp_path / "temp" / "asking-dead").mkdir(parents=True)
    (tmp_path / "temp" / "asking-dead" / "lock").touch()
    with asked(store_of(shop).parts(), tmp_path) as living:
        with asked(store_of(shop).parts(), tmp_path):
            left = {path.name for path in (tmp_path / "temp").iterdir()}
            assert "asking-dead" not in left
            assert len(left) == 2
        assert len(rows(living, "FROM feedback")) == 2
