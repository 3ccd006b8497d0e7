"""The page on a monitored log: one HTML file that loads nothing and runs no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ratoon.drift import Change
from ratoon.metrics import interval
from ratoon.monitors.drifts import ColumnDrift
from ratoon.monitors.findings import Findings
from ratoon.monitors.telling import because, headline, kind_of, together
from ratoon.report.headline import Number, columns
from ratoon.report.monitoring_drawing import (
    Curve,
    Picture,
    course,
    curve,
    picture,
    strips,
)
from ratoon.report.page import asset, environment, source_of
from ratoon.report.phrasing import brief, count, number

_COLUMNS_MOST = 40  # columns told of at length
_STRIPS_MOST = 200
_SLICES_MOST = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Respect:
    """One respect in which a column has changed."""

    what: str
    told: str
    since: str | None
    windows: str
    curve: Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column that has drifted, in one respect or in several."""

    name: str
    role: str
    weight: str | None
    respects: tuple[_Respect, ...]
    picture: Picture | None


def monitoring_page(found: Findings) -> str:
    """Return what was found in a log as one HTML page, which opens without a network.

    The page holds its style, and loads and runs nothing. What is listed is limited, and the page
    says what was left out.

    Args:
        found: by `ratoon.monitor`.
    """
    style = f"{asset('assets/report.css')}\n{asset('assets/monitoring.css')}"
    numbers = _numbers(found)
    now, past = _columns(found, found.now), _columns(found, found.past)
    rows = strips(found)
    return (
        environment()
        .get_template("monitoring.html")
        .render(
            found=found,
            title=_title(found),
            headline=headline(found),
            about=_about(found),
            numbers=numbers,
            columns=columns(len(numbers)),
            now=now[:_COLUMNS_MOST],
            past=past[:_COLUMNS_MOST],
            left_out=max(0, len(now) - _COLUMNS_MOST) + max(0, len(past) - _COLUMNS_MOST),
            strips=rows[:_STRIPS_MOST],
            strips_left_out=max(0, len(rows) - _STRIPS_MOST),
            courses=[
                course(found, metric) for metric in found.metrics if _drawn(found, metric.name)
            ],
            slices=_slices(found),
            together=[f"{together(one)}." for one in found.joint],
            ends=(found.windows[0].name, found.windows[-1].name),
            policy=f"default-src 'none'; style-src {source_of(style)}",
            style=style,
        )
    )


def _title(found: Findings) -> str:
    names = list(dict.fromkeys(drift.newest.column for drift in found.now))
    if not names:
        return "Nothing has drifted"
    return f"{count(len(names), 'column')} {'has' if len(names) == 1 else 'have'} drifted"


def _about(found: Findings) -> str:
    first, last = found.windows[0].name, found.windows[-1].name
    there = f"from {first} to {last}" if len(found.windows) > 1 else first
    of = f"{count(found.rows, 'row')} in {count(len(found.windows), 'window')}, {there}"
    return f"{of}, against {count(found.reference.rows, 'row')}: {found.reference.told}."


def _numbers(found: Findings) -> tuple[Number, ...]:
    now = {drift.newest.column for drift in found.now}
    made = [
        Number(
            name="Drifted now",
            value=f"{len(now):,} of {len(found.roles):,}",
            note=f"columns, in {found.windows[-1].name}",
        )
    ]
    for metric in found.metrics[:2]:
        if metric.newest is None:
            continue
        ends = interval(metric.newest)
        spread = None if ends is None else f"{number(ends[0])} to {number(ends[1])}"
        before = metric.before.value if metric.before is not None else None
        way = ", surely worse" if metric.worse else ", surely better" if metric.better else ""
        note = f"{metric.window}; {number(before)} on the reference{way}"
        name = metric.name.replace("_", " ")
        made.append(Number(name=name, value=number(metric.newest.value), spread=spread, note=note))
    waiting = [window for window in found.windows if window.estimates]
    if waiting:
        one = waiting[-1].estimates[0]
        value = "withdrawn" if one.withdrawn else number(one.measurement.value)
        name = f"{one.measurement.metric.replace('_', ' ')}, estimated"
        made.append(Number(name=name, value=value, note=f"{waiting[-1].name}, without labels"))
    if found.slices:
        note = "where the model is surely worse"
        made.append(Number(name="Slices", value=f"{len(found.slices):,}", note=note))
    return tuple(made)


def _columns(found: Findings, drifts: Sequence[ColumnDrift]) -> list[_Column]:
    """Put what was found together by column, in the order of the heaviest."""
    by_name: dict[str, list[ColumnDrift]] = {}
    for drift in drifts:
        by_name.setdefault(drift.newest.column, []).append(drift)
    weighed = len({drift.weight for drift in found.drifts.columns}) > 1
    return [
        _Column(
            name=name,
            role=found.roles.get(name, "input"),
            weight=brief(of_column[0].weight) if weighed else None,
            respects=tuple(_respect(found, drift) for drift in of_column),
            picture=picture(found.bars[name]) if name in found.bars else None,
        )
        for name, of_column in by_name.items()
    ]


def _respect(found: Findings, drift: ColumnDrift) -> _Respect:
    change: Change = drift.newest if drift.now else drift.strongest
    return _Respect(
        what=kind_of(change),
        told=because(change),
        since=found.since(drift) if drift.now else None,
        windows=f"a drift in {count(drift.windows, 'window')} of {len(found.windows):,}",
        curve=curve(found, change.column, change.aspect),
    )


def _drawn(found: Findings, name: str) -> bool:
    """Tell whether there is anything to draw of a metric."""
    return any(
        m.metric == name and m.value is not None
        for window in found.windows
        for m in (*window.measurements, *(e.measurement for e in window.estimates))
    )


def _slices(found: Findings) -> list[dict[str, str]]:
    made: list[dict[str, str]] = []
    for seen in found.slices[:_SLICES_MOST]:
        one, m = seen.finding, seen.finding.measurement
        ends = interval(m)
        made.append(
            {
                "name": str(one.slice),
                "metric": m.metric.replace("_", " "),
                "value": number(m.value),
                "ends": "" if ends is None else f"{number(ends[0])} to {number(ends[1])}",
                "before": "" if seen.before is None else number(seen.before.value),
                "share": f"{100 * one.share:.3g} %",
                "rows": f"{one.n:,}",
            }
        )
    return made
