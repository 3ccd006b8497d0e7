"""The data of the timeline, as the page holds it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from ratoon.core import Measurement
from ratoon.core.wire import Json
from ratoon.report import kinds
from ratoon.report.index import Index, Reign
from ratoon.report.marks import MARKS_MOST, Mark, marks
from ratoon.report.phrasing import Z_95, count
from ratoon.report.story import Line, Story

SCHEMA = 1
MEASUREMENTS_MOST = 2000  # windows drawn
LINE_POINTS_MOST = 1000  # points drawn of each line beside the champion's
LINES_MOST = 6  # more can not be told apart

_Point = TypeVar("_Point")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn, as JSON, and what is not."""

    data: Json
    points: int
    marks: int
    left_out: tuple[str, ...]  # in words; empty where all is drawn
    present: tuple[kinds.Kind, ...]  # the kinds of marks that occur


def chart(story: Story, index: Index) -> Chart:
    """Gather what the timeline draws, within its limits."""
    measured = sorted(story.measurements, key=lambda m: m.window.end)
    shown = thinned(measured, MEASUREMENTS_MOST, lambda m: _finite(m.value))
    made = marks(story, index)
    drawn = made[-MARKS_MOST:]
    lines = story.lines[:LINES_MOST]
    occur = {mark.kind for mark in made}
    present = tuple(kind for kind in kinds.KINDS if kind.id in occur)
    data: Json = {
        "schema": SCHEMA,
        "loop": story.loop,
        "metric": story.metric,
        "unit": story.unit,
        "greater_is_better": story.greater_is_better,
        "z": Z_95,
        "measurements": _columns(shown),
        "lines": [_line(line) for line in lines],
        "reigns": [_reign(reign) for reign in index.reigns],
        "marks": _marks(drawn),
        "kinds": [kinds.as_json(kind) for kind in present],
    }
    left_out = (
        _left_out(len(shown), len(measured), "window", "the lowest and highest of each stretch"),
        _left_out(len(drawn), len(made), "mark", "the newest"),
        _left_out(len(lines), len(story.lines), "line", "the first"),
    )
    return Chart(
        data=data,
        points=len(shown),
        marks=len(drawn),
        left_out=tuple(text for text in left_out if text is not None),
        present=present,
    )


def thinned(
    points: Sequence[_Point], most: int, value: Callable[[_Point], float | None]
) -> list[_Point]:
    """Return at most `most` of the points, with every peak and dip among them.

    Where there are more, they are cut into `most` / 2 stretches of equal length, and of each the
    lowest and the highest are kept, in order. Every point that is left is a real one.

    The extremes of M4, without its first and last points: Jugel et al. (2014), "M4: a
    visualization-oriented time series data aggregation", PVLDB 7(10).
    """
    if len(points) <= most:
        return list(points)
    stretches, kept = most // 2, list[_Point]()
    for k in range(stretches):
        start, stop = k * len(points) // stretches, (k + 1) * len(points) // stretches
        known = [(found, i) for i in range(start, stop) if (found := value(points[i])) is not None]
        ends = {min(known)[1], max(known)[1]} if known else {start}
        kept.extend(points[i] for i in sorted(ends))
    return kept


def _left_out(shown: int, there: int, noun: str, which: str) -> str | None:
    if shown == there:
        return None
    return f"Of {count(there, noun)} {shown:,} are drawn: {which}."


def _columns(measured: Sequence[Measurement]) -> Json:
    return {
        "start": [_seconds(m.window.start) for m in measured],
        "end": [_seconds(m.window.end) for m in measured],
        "value": [_finite(m.value) for m in measured],
        "stderr": [_finite(m.stderr) for m in measured],
        "n": [m.n for m in measured],
    }


def _line(line: Line) -> Json:
    pairs = sorted(zip(line.times, line.values, strict=True), key=lambda pair: pair[0])
    kept = thinned(pairs, LINE_POINTS_MOST, lambda pair: _finite(pair[1]))
    return {
        "name": line.name,
        "time": [_seconds(time) for time, _ in kept],
        "value": [_finite(value) for _, value in kept],
    }


def _reign(reign: Reign) -> Json:
    stop = None if reign.stop is None else _seconds(reign.stop)
    return {"version": reign.version, "start": _seconds(reign.start), "stop": stop}


def _marks(drawn: Sequence[Mark]) -> Json:
    return {
        "kind": [mark.kind for mark in drawn],
        "at": [_seconds(mark.at) for mark in drawn],
        "until": [None if mark.until is None else _seconds(mark.until) for mark in drawn],
        "text": [mark.text for mark in drawn],
        "version": [mark.version for mark in drawn],
        "link": [mark.link for mark in drawn],
    }


def _seconds(at: datetime) -> float:
    """Return the seconds since 1970, to the millisecond: what a browser knows."""
    seconds = round(at.timestamp(), 3)
    return int(seconds) if seconds == int(seconds) else seconds


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
