"""Drift over time: which columns, since when, and against what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Window
from ratoon.drift import ColumnTest
from ratoon.drift.since import onset
from ratoon.monitors import DriftMonitor, Fixed, Season, Sliding, Span
from ratoon.windows.summaries import Reference, reference_of

START, DAY = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1)


def spans_of(reference: Reference, tables: list[dict[str, np.ndarray]]) -> list[Span]:
    """Return a window a day."""
    windows = [Window(start=START + i * DAY, end=START + (i + 1) * DAY) for i in range(len(tables))]
    return [
        Span(window=window, summary=reference.summarise(table))
        for window, table in zip(windows, tables, strict=True)
    ]


@pytest.mark.parametrize("aspect", ["distribution", "missing"])
def test_since_when(aspect: str) -> None:
    """The change point is the window in which values, or gaps, became others."""
    rng = np.random.default_rng(0)
    reference = reference_of({"x": rng.normal(size=3000), "y": rng.normal(size=3000)})

    def table(day: int) -> dict[str, np.ndarray]:
        x = rng.normal(size=400)
        if day >= 12:
            x = x + 0.8 if aspect == "distribution" else np.where(rng.random(400) < 0.2, np.nan, x)
        return {"x": x, "y": rng.normal(size=400)}

    found = DriftMonitor().run(reference, spans_of(reference, [table(day) for day in range(20)]))
    column = found.columns[0]
    assert {drift.newest.column for drift in found.columns} == {"x"}
    assert (column.newest.column, column.newest.aspect) == ("x", aspect)
    assert column.since == START + 12 * DAY
    assert column.between
    assert column.between[0] <= column.since <= column.between[1]
    assert column.windows >= 7
    assert found.explained == ("x",)


def test_onset_covers_the_change() -> None:
    """The interval of the change point holds the true window in nine of ten streams or more."""
    rng, inside, far = np.random.default_rng(1), 0, 0
    reference = reference_of({"x": rng.normal(size=2000)})
    for _ in range(60):
        days = [rng.normal(size=60) + (0.5 if day >= 10 else 0.0) for day in range(20)]
        columns = [reference.summarise({"x": day}).columns["x"] for day in days]
        found = onset(reference, "x", columns)
        inside += found.earliest <= 10 <= found.latest
        far += abs(found.window - 10) > 2
    assert inside >= 50
    assert far <= 12


def test_season_is_not_drift() -> None:
    """A column that differs at weekends drifts from the reference, not from past weekends."""
    rng = np.random.default_rng(2)
    reference = reference_of({"x": rng.normal(size=3000)})
    tables = [
        {"x": rng.normal(size=500) + (1.0 if day % 7 in (2, 3) else 0.0)} for day in range(35)
    ]
    spans = spans_of(reference, tables)
    fixed = DriftMonitor(against=Fixed()).run(reference, spans)
    season = DriftMonitor(against=Season()).run(reference, spans)
    assert fixed.columns[0].windows == 10
    assert season.columns == ()
    assert [len(step.changes) > 0 for step in season.steps[:8]] == [False] * 7 + [True]


def test_sliding_sees_what_is_new() -> None:
    """Against its own past a shift is a drift until the past has it too."""
    rng = np.random.default_rng(3)
    reference = reference_of({"x": rng.normal(size=3000)})
    tables = [{"x": rng.normal(size=500) + (1.0 if day >= 10 else 0.0)} for day in range(20)]
    found = DriftMonitor(against=Sliding(windows=3)).run(reference, spans_of(reference, tables))
    hit = [i for i, step in enumerate(found.steps) if any(c.drifted for c in step.changes)]
    assert hit[0] == 10
    assert set(hit) <= {10, 11, 12}
    assert not found.columns[0].now
    assert not found.steps[2].changes, "too little of the past"


def test_weights_rank() -> None:
    """What matters to the model comes first, and three columns explain the drift."""
    rng = np.random.default_rng(4)
    names = list("abcdef")
    reference = reference_of({name: rng.normal(size=3000) for name in names})
    shift = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.6}
    now = {name: rng.normal(size=1000) + shift.get(name, 0.0) for name in names}
    weights = {"a": 5.0, "b": 1.0, "c": 0.05, "d": 0.05, "e": 0.0, "f": 0.0}
    found = DriftMonitor(weights=weights).run(reference, spans_of(reference, [now]))
    ranked = [d.newest.column for d in found.columns if d.newest.aspect == "distribution"]
    assert ranked == list("abcd")
    assert found.explained == ("a",)


def test_settings_are_checked() -> None:
    """References that make no sense are refused."""
    with pytest.raises(SettingInvalid):
        Sliding(windows=0)
    with pytest.raises(SettingInvalid):
        Season(every=timedelta(0))
    assert DriftMonitor().test == ColumnTest()
