"""What a report tells: plain values, gathered by whoever asks for the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ratoon.core import Decision, Event, Measurement, ModelVersion, Run
from ratoon.core.errors import SettingInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something worth a line of its own: a name, a value, and a note where one is needed."""

    name: str
    value: str
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How one way to keep a model did on the same rows: never retrained, every period, Ratoon."""

    name: str
    losses: Mapping[str, float]  # value by metric, over all rows; the same metrics in every row
    retrainings: int
    refused: int = 0
    rollbacks: int = 0
    cost: float | None = None  # total, in whatever unit all rows of the table share
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Another course of the primary metric, drawn faintly beside the champion's.

    Args:
        name: what it is, such as "never retrained".
        times: aware, in any order.
        values: as many as `times`; None where the metric is undefined.
    """

    name: str
    times: tuple[datetime, ...]
    values: tuple[float | None, ...]

    def __post_init__(self) -> None:
        """Check that each time has a value."""
        if len(self.times) != len(self.values):
            rule = f"one a time ({len(self.times)})"
            raise SettingInvalid("values", rule, f"{len(self.values)} values")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that a report shows of one loop.

    Everything may be empty but the words at the top: a loop that has just begun has a report too.

    Args:
        title: the headline of the page.
        about: one sentence under it.
        loop: the loop's name.
        metric: the primary metric's name.
        greater_is_better: whether a greater value of it is a better one.
        unit: the metric's unit, such as "EUR"; None where it has none.
        measurements: the champion's, of the primary metric, by window.
        events: all events, in any order.
        decisions: all decisions, in any order.
        runs: all runs.
        versions: all versions.
        champion: the number of the version that is live; None before the first.
        comparisons: rows of the table that compares policies.
        lines: the metric under other policies, drawn beside the champion's.
        facts: more headline numbers: rows, seconds, the stream's name, …
    """

    title: str
    about: str
    loop: str
    metric: str
    greater_is_better: bool
    unit: str | None = None
    measurements: tuple[Measurement, ...] = ()
    events: tuple[Event, ...] = ()
    decisions: tuple[Decision, ...] = ()
    runs: tuple[Run, ...] = ()
    versions: tuple[ModelVersion, ...] = ()
    champion: int | None = None
    comparisons: tuple[Comparison, ...] = ()
    lines: tuple[Line, ...] = ()
    facts: tuple[Fact, ...] = ()

    def __post_init__(self) -> None:
        """Check that the measurements are of one metric of the champion."""
        for m in self.measurements:
            if m.metric != self.metric or m.subject is not None:
                rule = f"of {self.metric!r}, of the champion as a whole"
                got = m.metric if m.subject is None else f"{m.metric} of {m.subject}"
                raise SettingInvalid("measurements", rule, got)
