"""Drawings of the page on a monitored log: places in the picture, from what was found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ratoon.drift import Change
from ratoon.metrics import interval
from ratoon.monitors.findings import Bars, Findings, MetricFound
from ratoon.report.phrasing import brief, number

WINDOWS_MOST = 240  # windows drawn of a line; of more, the strongest of each stretch
CELLS_MOST = 120  # windows drawn of a strip
_WIDE, _HIGH = 340.0, 96.0
_LEFT, _TOP, _BOTTOM = 6.0, 14.0, 80.0
_ROW = 17.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line over windows with a threshold; places in a picture of 340 times 96."""

    path: str
    dots: tuple[tuple[float, float, str], ...]  # where it is a drift: x, y, what it says
    limit: float  # y of the threshold
    limit_text: str
    top_text: str
    since: float | None  # x of the first window after the change


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bin before and now."""

    name: str
    y: float
    before: float  # lengths
    now: float
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The bins of a column before and now."""

    bars: tuple[Bar, ...]
    high: float
    window: str  # that is "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A column in a window, or in a few."""

    x: float
    wide: float
    level: int  # 0 to 4: strength; 4 is a drift
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A column over all windows."""

    name: str
    role: str
    cells: tuple[Cell, ...]
    drifts: int  # windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A metric over all windows, in a picture of 700 times 150."""

    name: str
    way: str
    path: str
    band: str
    estimated: str
    estimated_band: str
    dots: tuple[tuple[float, float, bool, str], ...]  # x, y, whether labels are in, what it says
    spans: tuple[tuple[float, float, float], ...]  # x, and what it may still become
    before: float | None  # y
    before_text: str
    top_text: str
    bottom_text: str


def strips(found: Findings) -> tuple[Strip, ...]:
    """Return all watched columns over all windows, those with the most drift first."""
    steps = found.drifts.steps
    made: list[tuple[tuple[int, float], Strip]] = []
    groups = _groups(len(steps), CELLS_MOST)
    of_step = [_strongest(step.changes) for step in steps]
    wide = 600.0 / max(1, len(groups))
    for name, role in found.roles.items():
        cells: list[Cell] = []
        for i, (start, stop) in enumerate(groups):
            there = [(k, of_step[k][name]) for k in range(start, stop) if name in of_step[k]]
            if not there:
                continue
            k, change = max(there, key=lambda pair: (pair[1].drifted, pair[1].strength))
            when = found.windows[k].name
            told = f"{when}: {change.aspect}, {brief(change.strength)} times what matters"
            cells.append(
                Cell(x=round(i * wide, 2), wide=round(wide, 2), level=_level(change), told=told)
            )
        drifts = sum(changes[name].drifted for changes in of_step if name in changes)
        last = max((c.level for c in cells[-1:]), default=0)
        made.append(
            ((-drifts, -last), Strip(name=name, role=role, cells=tuple(cells), drifts=drifts))
        )
    return tuple(strip for _, strip in sorted(made, key=lambda pair: pair[0]))


def curve(found: Findings, column: str, aspect: str) -> Curve:
    """Return the effect of a column in one respect over all windows."""
    points: list[tuple[int, Change]] = []
    for k, step in enumerate(found.drifts.steps):
        points += [(k, c) for c in step.changes if (c.column, c.aspect) == (column, aspect)]
    least = points[-1][1].least
    top = max(least * 1.25, *(change.effect for _, change in points)) * 1.05
    count = len(found.windows)
    points = _thinned(points)
    drift = next(d for d in found.drifts.columns if _is(d.newest, column, aspect))
    names = [window.name for window in found.windows]
    since = None
    if drift.since is not None and drift.now:
        starts = [window.window.start for window in found.windows]
        since = _x(starts.index(drift.since), count) if drift.since in starts else None
    places = [(_x(k, count), _y(change.effect / top)) for k, change in points]
    dots = tuple(
        (x, y, f"{names[k]}: {brief(change.effect)}")
        for (k, change), (x, y) in zip(points, places, strict=True)
        if change.drifted
    )
    return Curve(
        path=_path([(k, p) for (k, _), p in zip(points, places, strict=True)]),
        dots=dots,
        limit=_y(least / top),
        limit_text=f"matters from {brief(least)}",
        top_text=brief(top / 1.05),
        since=since,
    )


def picture(bars: Bars) -> Picture:
    """Return the bins of a column, a row each."""
    most = max((*bars.before, *bars.now), default=1.0) or 1.0
    made = tuple(
        Bar(
            name=name,
            y=round(i * _ROW, 1),
            before=round(190 * before / most, 1),
            now=round(190 * now / most, 1),
            told=f"{name}: {100 * before:.3g} % before, {100 * now:.3g} % now",
        )
        for i, (name, before, now) in enumerate(zip(bars.names, bars.before, bars.now, strict=True))
    )
    return Picture(bars=made, high=len(made) * _ROW, window=bars.window)


def course(found: Findings, metric: MetricFound) -> Course:
    """Return a metric over all windows: as measured, and as estimated where labels lack."""
    measured: list[tuple[int, float, tuple[float, float] | None, bool]] = []
    spans: list[tuple[int, float, float]] = []
    foretold: list[tuple[int, float, tuple[float, float] | None, bool]] = []
    for k, window in enumerate(found.windows):
        for m in window.measurements:
            if m.metric == metric.name and m.value is not None:
                measured.append((k, m.value, interval(m), window.mature))
                if not window.mature and m.low is not None and m.high is not None:
                    spans.append((k, m.low, m.high))
        for one in window.estimates:
            m = one.measurement
            if m.metric == metric.name and m.value is not None:
                foretold.append((k, m.value, one.band, False))
    before = metric.before.value if metric.before is not None else None
    low, high = _ends([*measured, *foretold], before)
    count = len(found.windows)

    def place(k: int, value: float) -> tuple[float, float]:
        share = (min(max(value, low), high) - low) / (high - low)
        return round(8 + 684 * (k + 0.5) / count, 1), round(138 - 122 * share, 1)

    names = [window.name for window in found.windows]
    return Course(
        name=metric.name,
        way="higher is better" if metric.greater_is_better else "lower is better",
        path=_path([(k, place(k, v)) for k, v, _, ripe in measured if ripe]),
        band=_band(
            [(k, place(k, e[0]), place(k, e[1])) for k, _, e, ripe in measured if e and ripe]
        ),
        estimated=_path([(k, place(k, v)) for k, v, _, _ in foretold]),
        estimated_band=_band([(k, place(k, e[0]), place(k, e[1])) for k, _, e, _ in foretold if e]),
        dots=tuple(
            (*place(k, v), ripe, f"{names[k]}: {number(v)}{'' if ripe else ', labels still come'}")
            for k, v, _, ripe in measured
        )
        if len(measured) <= WINDOWS_MOST
        else (),
        spans=tuple((place(k, a)[0], place(k, a)[1], place(k, b)[1]) for k, a, b in spans),
        before=None if before is None else place(0, before)[1],
        before_text=f"{number(before)} on the reference",
        top_text=brief(high),
        bottom_text=brief(low),
    )


def _ends(
    points: Sequence[tuple[int, float, tuple[float, float] | None, bool]], before: float | None
) -> tuple[float, float]:
    """Return the lowest and highest value drawn, with some room."""
    values = [v for _, v, _, _ in points] + ([] if before is None else [before])
    for _, value, ends, ripe in points:
        if ends is not None and ripe:
            values += [max(ends[0], value - 10 * abs(value)), min(ends[1], value + 10 * abs(value))]
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _strongest(changes: Sequence[Change]) -> Mapping[str, Change]:
    found: dict[str, Change] = {}
    for change in changes:
        known = found.get(change.column)
        if known is None or (change.drifted, change.strength) > (known.drifted, known.strength):
            found[change.column] = change
    return found


def _level(change: Change) -> int:
    if change.drifted:
        return 4
    return min(3, math.floor(3 * min(1.0, change.strength)))


def _is(change: Change, column: str, aspect: str) -> bool:
    return (change.column, change.aspect) == (column, aspect)


def _groups(count: int, most: int) -> list[tuple[int, int]]:
    if count <= most:
        return [(k, k + 1) for k in range(count)]
    return [(i * count // most, (i + 1) * count // most) for i in range(most)]


def _thinned(points: list[tuple[int, Change]]) -> list[tuple[int, Change]]:
    groups = _groups(len(points), WINDOWS_MOST)
    return [max(points[a:b], key=lambda point: point[1].effect) for a, b in groups]


def _x(k: int, count: int) -> float:
    return round(_LEFT + (_WIDE - 2 * _LEFT) * (k + 0.5) / max(1, count), 1)


def _y(share: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * min(1.0, max(0.0, share)), 1)


def _path(points: Sequence[tuple[int, tuple[float, float]]]) -> str:
    """Return a line through the points, broken where windows lack."""
    if len(points) > WINDOWS_MOST:
        step = len(points) / WINDOWS_MOST
        points = [points[int(i * step)] for i in range(WINDOWS_MOST)]
        return "M" + "L".join(f"{x} {y}" for _, (x, y) in points)
    parts: list[str] = []
    last = None
    for k, (x, y) in points:
        parts.append(f"{'L' if last == k - 1 else 'M'}{x} {y}")
        last = k
    return "".join(parts)


def _band(points: Sequence[tuple[int, tuple[float, float], tuple[float, float]]]) -> str:
    """Return the surface between two lines; each stretch of windows by itself."""
    stretches: list[list[tuple[tuple[float, float], tuple[float, float]]]] = []
    last = None
    for k, low, high in points:
        if last is None or k != last + 1:
            stretches.append([])
        stretches[-1].append((low, high))
        last = k
    parts: list[str] = []
    for stretch in stretches:
        there = [low for low, _ in stretch] + [high for _, high in reversed(stretch)]
        parts.append("M" + "L".join(f"{x} {y}" for x, y in there) + "Z")
    return "".join(parts)
