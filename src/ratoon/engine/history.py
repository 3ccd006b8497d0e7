"""A history: what arrived, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from ratoon.core import wire
from ratoon.core.errors import RowsRefused, SettingInvalid
from ratoon.core.events import Event
from ratoon.core.schema import Frame, Schema
from ratoon.core.settings import share, whole
from ratoon.core.times import duration, from_micros
from ratoon.engine.evidence import features
from ratoon.stores.drafts import event_in
from ratoon.stores.protocol import Entry, Store
from ratoon.windows.intake import read_rows, read_times
from ratoon.windows.judged import Scalar
from ratoon.windows.labels import Labels, read_labels
from ratoon.windows.rows import Array, Rows

_BATCHES = 400  # predictions of a table come in about so many batches


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrival:
    """One thing that arrived."""

    at: datetime
    kind: Literal["predict", "label", "feedback", "event", "tick"]
    ids: tuple[str, ...] = ()
    rows: Rows | None = None
    times: Array | None = None  # event times of the rows
    values: tuple[Scalar, ...] = ()  # labels, or what users said as JSON text
    source: str | None = None  # where the labels come from
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """The rows that a loop begins with, and all that arrived later, in order."""

    name: str
    rows: Rows
    labels: Labels
    times: Array
    at: datetime  # when the first model was fitted
    arrivals: tuple[Arrival, ...] = field(repr=False)

    def __len__(self) -> int:
        """Count the rows to predict."""
        return sum(len(a.ids) for a in self.arrivals if a.kind == "predict")

    @classmethod
    def of_table(
        cls,
        table: object,
        *,
        target: str,
        time: str | None = None,
        label_delay: timedelta | str = "1d",
        first: float = 0.1,
        batches: int = _BATCHES,
        ignore: tuple[str, ...] = (),
        name: str = "history",
    ) -> History:
        """Make a history of a labelled table: each label arrives `label_delay` after its row.

        Args:
            table: a frame or a dict of columns, in order of time.
            target: the column of labels.
            time: the column of event times. Without one it is the only column of times, where there
                is just one and it never goes back; else the rows are spread over a year.
            label_delay: from a row's event time to the arrival of its label.
            first: share of the rows that the first model is fitted on.
            batches: into about how many batches of predictions the rest is cut.
            ignore: columns that are no features.
            name: what to call it.

        Raises:
            RowsRefused: a column is not there, the times go back, or there are too few rows.
        """
        share("first", first)
        whole("batches", batches, least=1)
        delay = duration("label_delay", label_delay)
        time = _the_times(table, target, ignore) if time is None else time
        everything, labels = _parted(table, target, ("" if time is None else time, *ignore))
        begun = max(2, int(len(everything) * first))
        if len(everything) <= begun:
            fact = f"of {len(everything)} rows none is left to predict: {begun} begin the history"
            raise RowsRefused(fact)
        times = _moments(table, time, len(everything))
        return cls(
            name=name,
            rows=everything.take(slice(0, begun)),
            labels=labels[:begun],
            times=times[:begun],
            at=_moment(times[begun - 1]),
            arrivals=tuple(_arrivals(everything, labels, times, (begun, batches, delay))),
        )

    @classmethod
    def read(cls, path: str | Path, **settings: Any) -> History:
        """Read a Parquet, CSV or Arrow file, or a stream folder (data.parquet and meta.json).

        `settings` are those of `of_table`; a stream folder knows its target, its time column, and
        what is no feature.
        """
        from pyarrow import csv, feather, parquet  # noqa: PLC0415 - slow to import

        path, parquet = Path(path), cast("Any", parquet)
        if path.is_dir():
            meta = wire.loads(dict[str, Any], (path / "meta.json").read_text())
            known = _stream_settings(meta, parquet.read_schema(path / "data.parquet").names)
            return cls.read(path / "data.parquet", **{**known, **settings})
        match path.suffix:
            case ".parquet":
                table = parquet.read_table(path, page_checksum_verification=True)
            case ".csv":
                table = csv.read_csv(path)
            case ".arrow" | ".feather":
                table = cast("Any", feather).read_table(path)
            case _:
                raise SettingInvalid(
                    "log", "a .parquet, .csv or .arrow file, or a folder", str(path)
                )
        settings.setdefault("name", path.stem)
        return cls.of_table(table, **settings)

    @classmethod
    def of_store(cls, store: Store, name: str) -> History:
        """Return what a live loop has in its journal, as it arrived."""
        saved = store.saved()
        entries = list(store.entries(0))
        begun = [n for n, entry in enumerate(entries) if entry.draft.kind == "history"]
        if not begun or saved.schema is None:
            raise RowsRefused(f"loop {name!r} has no history: it was never fitted")
        first, entries = entries[begun[-1]], entries[begun[-1] + 1 :]
        schema = wire.loads(Schema, saved.schema)
        return cls(
            name=name,
            rows=features(first.draft.columns, schema),
            labels=first.draft.values,
            times=first.draft.columns["time"],
            at=first.draft.at,
            arrivals=tuple(_arrival(entry, schema) for entry in entries),
        )


def _parted(table: object, target: str, ignore: tuple[str, ...]) -> tuple[Rows, Labels]:
    everything = read_rows(table)
    if target not in everything.columns:
        raise RowsRefused(f"there is no column {target!r}; there are {everything.schema.names}")
    kept = tuple(c for c in everything.schema.columns if c.name not in (target, *ignore))
    frame: Frame = "numpy" if everything.schema.frame == "arrow" else everything.schema.frame
    schema = Schema(columns=kept, frame=frame)
    columns = {name: everything.columns[name] for name in schema.names}
    return Rows(schema=schema, columns=columns), read_labels(everything.columns[target])


def _the_times(table: object, target: str, ignore: tuple[str, ...]) -> str | None:
    """Return the only column that says when the rows were, or None."""
    known = read_rows(table)
    named = [column.name for column in known.schema.columns if column.kind == "time"]
    found = [name for name in named if name not in (target, *ignore)]
    if len(found) != 1:
        return None
    gaps = np.diff(known.columns[found[0]])
    return found[0] if bool((gaps >= np.timedelta64(0, "us")).all()) else None


def _moments(table: object, time: str | None, rows: int) -> Array:
    if time is None:
        step = timedelta(days=365) / rows
        start, gap = np.datetime64("2025-01-01", "us"), np.timedelta64(step)
        return start + np.arange(rows) * gap
    found = read_rows(table).columns.get(time)
    if found is None:
        raise RowsRefused(f"there is no column {time!r} for the time")
    times = read_times(found, rows, from_micros(0))
    if (np.diff(times) < np.timedelta64(0, "us")).any():
        raise RowsRefused(f"the times in {time!r} go back", hint="sort the table by time")
    return times


def _arrivals(
    rows: Rows, labels: Labels, times: Array, cut: tuple[int, int, timedelta]
) -> Iterator[Arrival]:
    """Cut the rows behind the first into batches, and let their labels come later."""
    begun, batches, delay = cut
    edges = np.linspace(begun, len(rows), batches + 1).astype(int)
    found: list[Arrival] = []
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if start == stop:
            continue
        at, ids = _moment(times[stop - 1]), tuple(f"row-{i}" for i in range(start, stop))
        batch = rows.take(slice(start, stop))
        found.append(Arrival(at=at, kind="predict", ids=ids, rows=batch, times=times[start:stop]))
        found.append(Arrival(at=at + delay, kind="label", ids=ids, values=labels[start:stop]))
    yield from sorted(found, key=lambda arrival: arrival.at)


def _arrival(entry: Entry, schema: Schema) -> Arrival:
    draft = entry.draft
    match draft.kind:
        case "predictions":
            return Arrival(
                at=draft.at,
                kind="predict",
                ids=draft.ids,
                rows=features(draft.columns, schema),
                times=draft.columns["time"],
            )
        case "labels":
            source: Any = draft.note.get("source")
            return Arrival(
                at=draft.at, kind="label", ids=draft.ids, values=draft.values, source=source
            )
        case "feedback":
            return Arrival(at=draft.at, kind="feedback", ids=draft.ids, values=draft.values)
        case "event":
            return Arrival(at=draft.at, kind="event", event=event_in(draft))
        case _:
            return Arrival(at=draft.at, kind="tick")


def _stream_settings(meta: dict[str, Any], columns: list[str]) -> dict[str, Any]:
    index = tuple(meta.get("index_columns", ()))
    time = "timestamp" if "timestamp" in columns else None
    found = {"target": "target", "time": time, "ignore": index, "name": meta.get("name", "stream")}
    if "label_delay" in meta:
        found["label_delay"] = meta["label_delay"]
    return found


def _moment(value: Any) -> datetime:
    return from_micros(int(value.astype("datetime64[us]").astype(np.int64)))
