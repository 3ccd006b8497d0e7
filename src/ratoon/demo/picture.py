"""The demo's report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ratoon.core.measuring import Measurement
from ratoon.demo.running import NEVER, PERIOD, RATOON, Result
from ratoon.demo.telling import NAMES, price
from ratoon.engine import Outcome
from ratoon.metrics import by_name
from ratoon.report import Comparison, Fact, Line, Story, write_report


def draw(result: Result, path: Path) -> None:
    """Write the report of a demo."""
    found, stream = result.policies[RATOON], result.stream
    metric = next(iter(found.loss))
    write_report(
        path,
        Story(
            title=stream.title,
            about=f"{len(stream.history):,} predictions in order of time; each label came "
            f"{stream.label_delay} after its row. {price(result)}.",
            loop=stream.history.name,
            metric=metric,
            greater_is_better=by_name(metric).greater_is_better,
            unit=stream.unit,
            measurements=found.served,
            events=found.events,
            decisions=found.decisions,
            runs=found.runs,
            versions=found.versions,
            champion=found.champion,
            comparisons=tuple(_compared(name, one) for name, one in result.policies.items()),
            lines=tuple(_line(NAMES[n], result.policies[n].served) for n in (NEVER, PERIOD)),
            facts=(Fact(name="seconds", value=f"{result.seconds:.0f}"),),
        ),
    )


def _compared(name: str, found: Outcome) -> Comparison:
    return Comparison(
        name=NAMES[name],
        losses=found.loss,
        retrainings=found.retrainings,
        refused=found.refused,
        rollbacks=found.rollbacks,
        cost=found.cost,
        note=None if found.fits == found.retrainings else f"{found.fits} fits",
    )


def _line(name: str, measured: Sequence[Measurement]) -> Line:
    return Line(
        name=name,
        times=tuple(m.window.end for m in measured),
        values=tuple(m.value for m in measured),
    )
