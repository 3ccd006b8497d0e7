"""Drawings of the page on a replay: places in the picture, from what each policy did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ratoon.report.chart import thinned
from ratoon.report.index import Index
from ratoon.report.kinds import FAILURE, PROMOTION, REFUSAL, ROLLBACK, Kind
from ratoon.report.marks import marks
from ratoon.report.phrasing import brief, count, moment, number, signed
from ratoon.report.replayed import PolicyReplayed, Replayed, RivalReplayed

SHOWN = (PROMOTION, REFUSAL, FAILURE, ROLLBACK)
"""What became of retrainings: the kinds of marks that are drawn."""

_WIDE, _LEFT, _RIGHT = 700.0, 10.0, 690.0
_HIGH_FRONTIER, _HIGH_COURSE, _HIGH_BEHIND = 340.0, 112.0, 240.0
_LETTER = 7.4  # width of one, in the units of the pictures
_LINE = 16.0  # height of one
_POINTS_MOST = 240
_MARKS_MOST = 400  # of one policy; the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A policy on the frontier's picture, and where its name stands."""

    name: str
    x: float
    y: float
    text_x: float
    text_y: float
    anchor: str
    best: bool
    undominated: bool
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierDrawn:
    """Loss against fits, in a picture of 700 times 340."""

    dots: tuple[Dot, ...]
    path: str  # through those that are undominated
    same: str  # all that cost as much as the best; empty where a fit costs nothing
    most_fits: str
    top_text: str
    bottom_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkDrawn:
    """What became of a retraining, on a course."""

    kind: Kind
    x: float
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseDrawn:
    """The metric of one policy over time, in a picture of 700 times 112."""

    path: str
    beside: str  # that of the policy with the fewest fits
    marks: tuple[MarkDrawn, ...]
    marks_left_out: int
    top_text: str
    bottom_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BehindLine:
    """What one policy has cost so far above the cheapest."""

    name: str
    path: str
    style: int  # of the line
    y: float  # of its name
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BehindDrawn:
    """Costs so far above the cheapest, in a picture of 700 times 240."""

    lines: tuple[BehindLine, ...]
    zero: float
    top_text: str
    bottom_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalDrawn:
    """A policy beside the best: numbers, and its interval on a line of 0 to 100."""

    name: str
    difference: str
    ends: str
    word: str
    sure: bool
    zero: float
    low: float | None
    at: float
    high: float | None


def frontier_drawn(found: Replayed) -> FrontierDrawn | None:
    """Return the picture of loss against fits; None where costs do not compare."""
    if found.best is None or not found.rows:
        return None
    losses = [one.total_loss / found.rows for one in found.policies]
    most = max(1, *(one.fits for one in found.policies))
    low, high = _roomy(losses)

    def place(one: PolicyReplayed) -> tuple[float, float]:
        x = 40 + (_WIDE - 90) * one.fits / most
        return round(x, 1), _up(one.total_loss / found.rows, (low, high), (20, 296))

    dots = _named([(one, *place(one)) for one in found.policies], found)
    there = [place(one) for name in found.frontier for one in found.policies if one.name == name]
    best = next(one for one in found.policies if one.name == found.best)
    same = ""
    if found.price:
        ends = [(fits, (best.cost - found.price * fits) / found.rows) for fits in (0, most)]
        places = [
            (40 + (_WIDE - 90) * fits / most, _up(v, (low, high), (20, 296))) for fits, v in ends
        ]
        same = _through(places)
    return FrontierDrawn(
        dots=dots,
        path=_through(there),
        same=same,
        most_fits=count(most, "fit"),
        top_text=number(high),
        bottom_text=number(low),
    )


def course_drawn(
    one: PolicyReplayed, found: Replayed, index: Index, ends: tuple[float, float]
) -> CourseDrawn:
    """Return the metric of a policy over time, beside that of the policy with the fewest fits."""
    base = min(found.policies, key=lambda policy: policy.fits)
    x = _across(found)
    happened = [mark for mark in marks(one.story, index) if mark.kind in {k.id for k in SHOWN}]
    happened = [mark for mark in happened if mark.kind != PROMOTION.id or (mark.version or 0) > 1]
    by_id = {kind.id: kind for kind in SHOWN}
    return CourseDrawn(
        path=_line(one, x, ends),
        beside="" if base is one else _line(base, x, ends),
        marks=tuple(
            MarkDrawn(kind=by_id[m.kind], x=x(m.at), told=f"{moment(m.at)}: {m.text}")
            for m in happened[-_MARKS_MOST:]
        ),
        marks_left_out=max(0, len(happened) - _MARKS_MOST),
        top_text=brief(ends[1]),
        bottom_text=brief(ends[0]),
    )


def spread_of(found: Replayed) -> tuple[float, float]:
    """Return the lowest and highest value that the courses show: the same for all."""
    return _roomy(
        [m.value for one in found.policies for m in one.story.measurements if m.value is not None]
    )


def behind_drawn(found: Replayed, most: int) -> BehindDrawn | None:
    """Return what each policy has cost so far above the cheapest, the cheapest `most` of them."""
    shown = sorted(found.policies, key=lambda one: one.cost)[:most]
    values = [v for one in shown for v in one.behind.values if v is not None]
    if found.best is None or not values or len(shown) == 1:
        return None
    ends, x = _roomy([0.0, *values]), _across(found, _WIDE - 170)
    lines: list[BehindLine] = []
    above = -_LINE
    for one in sorted(shown, key=lambda one: -(one.behind.values[-1] or 0.0)):
        points = list(zip(one.behind.times, one.behind.values, strict=True))
        path = [(x(at), _up(value or 0.0, ends, (14, 214))) for at, value in points]
        above = max(path[-1][1] + 4, above + _LINE)
        lines.append(
            BehindLine(
                name=one.name if len(one.name) < 22 else f"{one.name[:20]}…",  # noqa: PLR2004
                path=_through(path),
                style=shown.index(one),
                y=round(above, 1),
                told=f"{one.name}: {signed(one.regret)} in all",
            )
        )
    return BehindDrawn(
        lines=tuple(lines),
        zero=_up(0.0, ends, (14, 214)),
        top_text=signed(ends[1]),
        bottom_text=signed(ends[0]),
    )


def rivals_drawn(rivals: Sequence[RivalReplayed]) -> tuple[RivalDrawn, ...]:
    """Return the policies beside the best, their intervals on one scale."""
    known = [v for one in rivals for v in (one.low, one.high, one.difference) if v is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return round(3 + 94 * (value - low) / span, 1)

    return tuple(
        RivalDrawn(
            name=one.name,
            difference=signed(one.difference),
            ends="" if one.low is None or one.high is None else _to(one.low, one.high),
            word="surely dearer" if one.distinguishable else "not distinguishable",
            sure=one.distinguishable,
            zero=place(0.0),
            low=None if one.low is None else place(one.low),
            at=place(one.difference),
            high=None if one.high is None else place(one.high),
        )
        for one in rivals
    )


def _to(low: float, high: float) -> str:
    return f"{signed(low)} to {signed(high)}"


def _named(places: list[tuple[PolicyReplayed, float, float]], found: Replayed) -> tuple[Dot, ...]:
    """Put each name beside its point, where no other name or point is."""
    taken = [(x - 7, y - 7, x + 7, y + 7) for _, x, y in places]
    dots: list[Dot] = []
    for one, x, y in places:
        wide = _LETTER * min(len(one.name), 40)
        left = (x - 11 - wide, "end", x - 11)
        right = (x + 11, "start", x + 11)
        shifts = [0.0, *(sign * _LINE * k for k in range(1, 8) for sign in (-1, 1))]
        tries = [(side, y + 4 + shift) for shift in shifts for side in (right, left)]
        free = [
            (side, at)
            for side, at in tries
            if side[0] >= 0
            and side[0] + wide <= _WIDE
            and not any(_meet((side[0], at - 12, side[0] + wide, at + 3), box) for box in taken)
        ]
        side, at = free[0] if free else tries[0]
        taken.append((side[0], at - 12, side[0] + wide, at + 3))
        loss = number(one.total_loss / found.rows)
        dots.append(
            Dot(
                name=one.name if len(one.name) <= 40 else f"{one.name[:39]}…",  # noqa: PLR2004
                x=x,
                y=y,
                text_x=round(side[2], 1),
                text_y=round(at, 1),
                anchor=side[1],
                best=one.name == found.best,
                undominated=one.name in found.frontier,
                told=f"{one.name}: {loss} a row, {count(one.fits, 'fit')}, cost {number(one.cost)}",
            )
        )
    return tuple(dots)


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _line(one: PolicyReplayed, x: Callable[[datetime], float], ends: tuple[float, float]) -> str:
    measured = sorted(one.story.measurements, key=lambda m: m.window.end)
    kept = thinned(measured, _POINTS_MOST, lambda m: m.value)
    return _through([(x(m.window.end), _up(m.value or 0.0, ends, (10, 84))) for m in kept])


def _across(found: Replayed, right: float = _RIGHT) -> Callable[[datetime], float]:
    """Return what places a moment from left to right; what comes later stands at the right."""
    times = [m.window.end for one in found.policies for m in one.story.measurements]
    times += [event.time for one in found.policies for event in one.story.events]
    times += [t for one in found.policies for t in (found.start, found.end) if t and one]
    start, end = found.start or min(times), max(times)
    span = (end - start).total_seconds() or 1.0

    def x(at: datetime) -> float:
        share = min(1.0, max(0.0, (at - start).total_seconds() / span))
        return round(_LEFT + (right - _LEFT) * share, 1)

    return x


def _up(value: float, ends: tuple[float, float], places: tuple[float, float]) -> float:
    """Place a value from the bottom to the top."""
    low, high = ends
    share = (value - low) / (high - low)
    return round(places[1] - (places[1] - places[0]) * min(1.1, max(-0.1, share)), 1)


def _roomy(values: Sequence[float]) -> tuple[float, float]:
    """Return the lowest and highest value, with some room."""
    least, high = min(values, default=0.0), max(values, default=1.0)
    room = (high - least) * 0.06 or abs(high) * 0.1 or 1.0
    low = least - room
    return (0.0 if least >= 0 > low else low), high + room


def _through(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points) if points else ""
