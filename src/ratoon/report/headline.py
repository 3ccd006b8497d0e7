"""The numbers at the top of a report, and the table that compares policies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ratoon.core import Measurement
from ratoon.report.index import Index
from ratoon.report.phrasing import ABSENT, MINUS, band, count, day, number
from ratoon.report.story import Comparison, Story

_OURS = "ratoon"
_COLUMNS_MOST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A headline number."""

    name: str
    value: str
    spread: str | None = None
    note: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A number of the table; the best of its column is marked where it is known which way is up."""

    name: str
    text: str
    best: bool
    share: float | None = None  # of the largest in the column, in percent: the length of a bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A policy in the table."""

    name: str
    note: str | None
    ours: bool
    cells: tuple[Cell, ...]


def headline(story: Story, index: Index) -> tuple[Number, ...]:
    """Return the numbers that a reader looks for first."""
    found = [*_champion(story, index), *_cost(story.comparisons), *_newest(story)]
    found += [*_retrainings(story), *_rollbacks(story, index)]
    found += [Number(name=f.name, value=f.value, note=f.note) for f in story.facts]
    return tuple(found)


def columns(n: int) -> int:
    """Return in how many columns `n` headline numbers stand most evenly, of at most six.

    >>> [columns(n) for n in (5, 6, 7, 9)]
    [5, 6, 4, 5]
    """
    rows = max(1, math.ceil(n / _COLUMNS_MOST))
    return math.ceil(n / rows)


def table(story: Story) -> tuple[Row, ...]:
    """Return the comparison of policies, the best value of a column marked."""
    rows = story.comparisons
    names = list(dict.fromkeys(name for row in rows for name in row.losses))
    costs = [row.cost for row in rows]
    made: list[Row] = []
    for row in rows:
        cells = [_loss(story, rows, row, name) for name in names]
        cells += [
            Cell(name="retrainings", text=f"{row.retrainings:,}", best=False),
            Cell(name="refused", text=f"{row.refused:,}", best=False),
            Cell(name="rollbacks", text=f"{row.rollbacks:,}", best=False),
        ]
        if any(cost is not None for cost in costs):
            cells.append(_total(row.cost, costs))
        ours = row.name.casefold() == _OURS
        made.append(Row(name=row.name, note=row.note, ours=ours, cells=tuple(cells)))
    return tuple(made)


def _loss(story: Story, rows: Sequence[Comparison], row: Comparison, name: str) -> Cell:
    value = row.losses.get(name)
    known = [other.losses[name] for other in rows if name in other.losses]
    best = False
    if name == story.metric and value is not None and len(known) > 1:
        best = value == (max(known) if story.greater_is_better else min(known))
    unit = f" {story.unit}" if story.unit and name == story.metric else ""
    text = ABSENT if value is None else f"{number(value)}{unit}"
    return Cell(name=name.replace("_", " "), text=text, best=best)


def _total(cost: float | None, costs: Sequence[float | None]) -> Cell:
    known = [c for c in costs if c is not None and math.isfinite(c)]
    if cost is None or not known:
        return Cell(name="cost", text=ABSENT, best=False)
    most = max(known)
    share = round(100 * cost / most, 1) if most > 0 and 0 <= cost <= most else None
    best = len(known) > 1 and cost == min(known)
    return Cell(name="cost", text=number(cost), best=best, share=share)


def _champion(story: Story, index: Index) -> list[Number]:
    if story.champion is None:
        return [Number(name="Champion", value="none yet")]
    terms = [reign for reign in index.reigns if reign.version == story.champion]
    note = f"live since {day(terms[-1].start)}" if terms else None
    link = index.version_anchors.get(story.champion)
    return [Number(name="Champion", value=f"version {story.champion}", note=note, link=link)]


def _cost(rows: Sequence[Comparison]) -> list[Number]:
    """Say what Ratoon cost beside the best of the others."""
    ours = [row.cost for row in rows if row.name.casefold() == _OURS and row.cost is not None]
    others = [row for row in rows if row.name.casefold() != _OURS and row.cost is not None]
    if not ours or not others:
        return []
    best = min(others, key=lambda row: row.cost or 0.0)
    if not best.cost or best.cost < 0:
        return []
    change = 100 * (ours[0] - best.cost) / best.cost
    sign = MINUS if change < 0 else "+"
    note = f"against “{best.name}”, the best of the others"
    return [Number(name="Cost", value=f"{sign}{abs(change):.0f} %", note=note)]


def _newest(story: Story) -> list[Number]:
    known = [m for m in story.measurements if m.value is not None]
    if not known:
        return []
    m = max(known, key=_end)
    spread = band(m.stderr).strip() or None
    unit = f" {story.unit}" if story.unit else ""
    way = "higher" if story.greater_is_better else "lower"
    name = story.metric.replace("_", " ")
    note = f"newest window, {count(m.n, 'row')}; {way} is better"
    return [Number(name=name, value=f"{number(m.value)}{unit}", spread=spread, note=note)]


def _end(m: Measurement) -> datetime:
    return m.window.end


def _retrainings(story: Story) -> list[Number]:
    statuses = [run.status for run in story.runs]
    promoted = sum(status in ("settled", "watching", "rolled back") for status in statuses)
    words = {
        "promoted": promoted,
        "refused": statuses.count("refused"),
        "failed": statuses.count("failed"),
        "under way": statuses.count("running") + statuses.count("testing"),
    }
    note = ", ".join(f"{n:,} {word}" for word, n in words.items() if n)
    return [Number(name="Trainings", value=f"{len(statuses):,}", note=note or None)]


def _rollbacks(story: Story, index: Index) -> list[Number]:
    from_guard = sum(event.type == "ratoon.guard.breached" for event in index.events)
    total = sum(event.type == "ratoon.version.rolled_back" for event in index.events)
    note = f"{from_guard:,} by the guard" if total else None
    return [Number(name="Rollbacks", value=f"{total:,}", note=note)] if story.runs else []
