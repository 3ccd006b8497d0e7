"""The page on a replay: one HTML file that loads nothing and runs no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ratoon.core.events import PROMOTED
from ratoon.report.decisions import Passage, passages
from ratoon.report.headline import Cell, Number, columns
from ratoon.report.index import indexed
from ratoon.report.kinds import KINDS
from ratoon.report.page import asset, environment, source_of
from ratoon.report.phrasing import count, day, number, signed
from ratoon.report.replay_drawing import (
    CourseDrawn,
    behind_drawn,
    course_drawn,
    frontier_drawn,
    rivals_drawn,
    spread_of,
)
from ratoon.report.replayed import PolicyReplayed, Replayed

_POLICIES_MOST = 40  # drawn over time, each with its decisions
_LINES_MOST = 6  # policies whose costs so far are drawn: more can not be told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A policy in the table."""

    name: str
    note: str
    best: bool
    undominated: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """A policy over time, with its decisions."""

    number: int
    policy: PolicyReplayed
    said: str
    drawn: CourseDrawn
    passages: tuple[Passage, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Price:
    """A stretch of prices and who is cheapest there."""

    prices: str
    name: str
    here: bool  # whether the price of this replay is there


def replay_page(found: Replayed) -> str:
    """Return what a replay found as one HTML page, which opens without a network.

    The page holds its style, and loads and runs nothing. What is drawn and listed is limited, and
    the page says what was left out.

    Args:
        found: what each policy did, and which of them to take.
    """
    style = "\n".join(asset(f"assets/{name}.css") for name in ("report", "monitoring", "replay"))
    numbers = _numbers(found)
    return (
        environment()
        .get_template("replay.html")
        .render(
            found=found,
            title=_title(found),
            about=_about(found),
            numbers=numbers,
            columns=columns(len(numbers)),
            rivals=rivals_drawn(found.rivals),
            rows=_rows(found),
            frontier=frontier_drawn(found),
            prices=_prices(found),
            behind=behind_drawn(found, _LINES_MOST),
            behind_left_out=max(0, len(found.policies) - _LINES_MOST),
            courses=_courses(found),
            courses_left_out=max(0, len(found.policies) - _POLICIES_MOST),
            kinds=KINDS,
            span=("", "") if found.start is None else (day(found.start), _last(found)),
            policy=f"default-src 'none'; style-src {source_of(style)}",
            style=style,
        )
    )


def _title(found: Replayed) -> str:
    if found.best is None:
        return f"{found.history} replayed"
    alike = [one for one in found.rivals if not one.distinguishable]
    if not found.rivals:
        return f"“{found.best}” replayed"
    if not alike:
        return f"“{found.best}” costs least"
    if len(alike) == len(found.rivals):
        return "No policy is surely the cheapest"
    others = "another" if len(alike) == 1 else f"{len(alike)} others"
    return f"“{found.best}” costs least, or as little as {others}"


def _about(found: Replayed) -> str:
    told = count(found.rows, "labelled row")
    when = f" from {day(found.start)} to {_last(found)}" if found.start else ""
    price = f"A fit costs {number(found.price)}"
    unit = "" if found.loss_metric is None else f" in summed {found.loss_metric.replace('_', ' ')}"
    takes = f" A training takes {found.training_takes}." if found.training_takes else ""
    return f"{told} of {found.history}{when}. {price}{unit}.{takes}"


def _last(found: Replayed) -> str:
    return "" if found.end is None else day(found.end)


def _numbers(found: Replayed) -> tuple[Number, ...]:
    by_name = {one.name: one for one in found.policies}
    if found.best is None:
        return ()
    best = by_name[found.best]
    made = [
        Number(name="Cheapest", value=best.name if len(best.name) < 16 else "see below"),  # noqa: PLR2004
        Number(name="Its cost", value=number(best.cost), note=_paid(best, found)),
        Number(
            name="Retrainings",
            value=f"{best.retrainings:,}",
            note=f"{best.refused:,} refused, {best.rollbacks:,} rolled back",
        ),
    ]
    for metric, value in best.losses[:1]:
        made.append(Number(name=metric.replace("_", " "), value=number(value), note="on all rows"))
    base = min(found.policies, key=lambda one: one.fits)
    if base is not best:
        change = base.cost - best.cost
        note = f"against “{base.name}”, which cost {number(base.cost)}"
        made.append(Number(name="Saved", value=number(change), note=note))
    return tuple(made)


def _paid(best: PolicyReplayed, found: Replayed) -> str:
    fits = count(best.fits, "fit")
    return f"with {fits} at {number(found.price)}" if found.price and best.fits else f"with {fits}"


def _rows(found: Replayed) -> tuple[_Row, ...]:
    names = list(dict.fromkeys(name for one in found.policies for name, _ in one.losses))
    return tuple(
        _Row(
            name=one.name,
            note="" if one.told == one.name else one.told,
            best=one.name == found.best,
            undominated=one.name in found.frontier,
            cells=_cells(one, found, names),
        )
        for one in found.policies
    )


def _cells(one: PolicyReplayed, found: Replayed, names: Sequence[str]) -> tuple[Cell, ...]:
    losses = dict(one.losses)
    made = [
        Cell(
            name=name.replace("_", " "),
            text=number(losses[name]) if name in losses else "",
            best=False,
        )
        for name in names
    ]
    counts = {
        "retrainings": one.retrainings,
        "fits": one.fits,
        "refused": one.refused,
        "failed": one.failed,
        "rollbacks": one.rollbacks,
    }
    shown = {
        name: n
        for name, n in counts.items()
        if name != "failed" or any(p.failed for p in found.policies)
    }
    made += [Cell(name=name, text=f"{n:,}", best=False) for name, n in shown.items()]
    if found.best is not None:
        best = one.name == found.best
        most = max(abs(p.cost) for p in found.policies) or 1.0
        share = round(100 * max(0.0, one.cost) / most, 1)
        made.append(Cell(name="cost", text=number(one.cost), best=best, share=share))
        made.append(Cell(name="regret", text=number(one.regret), best=False))
    return tuple(made)


def _prices(found: Replayed) -> tuple[_Price, ...]:
    made: list[_Price] = []
    for one in found.prices:
        here = one.low <= found.price and (one.high is None or found.price < one.high)
        high = "and more" if one.high is None else f"to {number(one.high)}"
        made.append(_Price(prices=f"{number(one.low)} {high}", name=one.name, here=here))
    return tuple(made)


def _courses(found: Replayed) -> tuple[_Course, ...]:
    ends = spread_of(found)
    made: list[_Course] = []
    for k, one in enumerate(found.policies[:_POLICIES_MOST], start=1):
        index = indexed(one.story)
        promoted = sum(event.type == PROMOTED for event in one.story.events) - 1
        words = {
            "promoted": max(0, promoted),
            "refused": one.refused,
            "failed": one.failed,
            "rolled back": one.rollbacks,
        }
        parts = [f"{n:,} {word}" for word, n in words.items() if n]
        said = f"{count(one.retrainings, 'retraining')}{': ' if parts else ''}{', '.join(parts)}"
        cost = "" if found.best is None else f"; cost {number(one.cost)} ({signed(one.regret)})"
        made.append(
            _Course(
                number=k,
                policy=one,
                said=said + cost,
                drawn=course_drawn(one, found, index, ends),
                passages=passages(index),
                left_out=index.decisions_left_out,
            )
        )
    return tuple(made)
