"""Laws that every detector keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ratoon.core import wire
from ratoon.core.measuring import Detection, Measurement, RowRange, Window
from ratoon.core.times import EPOCH
from ratoon.detectors import (
    DDM,
    EDDM,
    HDDMA,
    HDDMW,
    KSWIN,
    STEPD,
    Adwin,
    Cusum,
    Detector,
    EDetector,
    PageHinkley,
)

Row: TypeAlias = tuple[float | None, float | None]  # value, stderr
EXAMPLES = settings(max_examples=60)

# Low thresholds, so that short streams alarm.
ADWIN = Adwin(clock=3, min_length=2, warm_up=5, delta=0.2)
CUSUM = Cusum(threshold=3.0, warm_up=5)
PAGE_HINKLEY = PageHinkley(delta=0.05, threshold=4.0, warm_up=5)
CORRELATED = replace(CUSUM, correlated=True)
HDDM_A = HDDMA(drift_confidence=0.3, warning_confidence=0.5, two_sided=True)
HDDM_W = HDDMW(drift_confidence=0.3, warning_confidence=0.5, two_sided=True, weight=0.25)
KS = KSWIN(alpha=0.1, window_size=13, stat_size=4)
OF_ERRORS: list[Detector[Any]] = [
    DDM(warm_up=5, least_errors=1.0, drift_threshold=2.0, warning_threshold=1.0),
    EDDM(warm_up=3, least_errors=2, alpha=0.99, beta=0.95),
    EDetector(mean=0.3, alpha=0.1),
    STEPD(window_size=5, alpha_drift=0.1, alpha_warning=0.3),
]
LEVEL_FREE: list[Detector[Any]] = [ADWIN, CUSUM, CORRELATED, PAGE_HINKLEY, HDDM_A, HDDM_W, KS]
DETECTORS: list[Detector[Any]] = [*LEVEL_FREE, *OF_ERRORS]


def measurements(rows: Sequence[Row], scale: float = 1.0, shift: float = 0.0) -> list[Measurement]:
    """One window a day; values and standard errors scaled, values shifted."""
    made = []
    for i, (value, stderr) in enumerate(rows):
        start = EPOCH + timedelta(days=i)
        numbered = RowRange(start=7 * i, stop=7 * i + 7)
        window = Window(start=start, end=start + timedelta(days=1), rows=numbered)
        made.append(
            Measurement(
                metric="loss",
                window=window,
                value=None if value is None else scale * value + shift,
                n=7 + i % 3,
                stderr=None if stderr is None else abs(scale) * stderr,
            )
        )
    return made


def answers(detector: Detector[Any], seen: Sequence[Measurement]) -> list[Detection]:
    state, said = detector.init(), []
    for m in seen:
        state, detection = detector.step(state, m)
        said.append(detection)
    return said


def found(detector: Detector[Any], seen: Sequence[Measurement]) -> list[tuple[int, int | None]]:
    """The alarms: which window raised each, and which row it names."""
    said = answers(detector, seen)
    return [(i, d.change_row) for i, d in enumerate(said) if d.status == "drift"]


@st.composite
def streams(draw: DrawFn, *, gaps: bool = False) -> list[Row]:
    """Two levels of values on a grid of 1/64, with or without standard errors and gaps."""
    noise = st.integers(-32, 32).map(lambda k: k / 64)
    value = st.one_of(st.none(), noise) if gaps else noise
    stderr = st.one_of(st.none(), st.integers(0, 16).map(lambda k: k / 64))
    part = st.lists(st.tuples(value, stderr), min_size=8, max_size=40)
    rise = draw(st.integers(-4, 8))
    higher = [(None if v is None else v + rise, s) for v, s in draw(part)]
    return draw(part) + higher


@pytest.mark.parametrize("detector", DETECTORS)
@given(rows=streams(gaps=True))
@EXAMPLES
def test_restart_equals_no_restart(detector: Detector[Any], rows: list[Row]) -> None:
    """A state that is written and read after every step gives the same answers."""
    seen = measurements(rows)
    state, said = detector.init(), []
    for m in seen:
        state, detection = detector.step(state, m)
        read = wire.loads(type(state), wire.dumps(state))
        assert read == state
        state = read
        said.append(detection)
    assert said == answers(detector, seen)


@pytest.mark.parametrize("detector", DETECTORS)
@given(rows=streams(), data=st.data())
@EXAMPLES
def test_missing_values_change_nothing(
    detector: Detector[Any], rows: list[Row], data: st.DataObject
) -> None:
    """The answers are those of the stream without them, wherever they stand."""
    seen = measurements(rows)
    gaps = data.draw(st.sets(st.integers(0, len(seen) - 1)))
    holed: list[Measurement] = []
    for i, m in enumerate(seen):
        holed += [replace(m, value=None), m] if i in gaps else [m]
    said = answers(detector, holed)
    kept = [d for m, d in zip(holed, said, strict=True) if m.value is not None]
    assert kept == answers(detector, seen)


@pytest.mark.parametrize("detector", LEVEL_FREE)
@given(
    value=st.floats(-1e12, 1e12),
    stderr=st.one_of(st.none(), st.floats(0.0, 1e6)),
    windows=st.integers(1, 120),
)
@EXAMPLES
def test_a_constant_stream_never_alarms(
    detector: Detector[Any], value: float, stderr: float | None, windows: int
) -> None:
    """Whatever its level and standard error."""
    assert found(detector, measurements([(value, stderr)] * windows)) == []


@pytest.mark.parametrize("detector", LEVEL_FREE)
@given(rows=streams(), shift=st.integers(-1000, 1000))
@EXAMPLES
def test_a_shift_of_all_values_changes_nothing(
    detector: Detector[Any], rows: list[Row], shift: int
) -> None:
    """The level is no part of the judgement; values may be negative."""
    moved = measurements(rows, shift=float(shift))
    assert found(detector, moved) == found(detector, measurements(rows))


@pytest.mark.parametrize("detector", [CUSUM, CORRELATED, KS])
@given(rows=streams(), power=st.integers(-20, 20))
@EXAMPLES
def test_the_unit_does_not_matter(detector: Detector[Any], rows: list[Row], power: int) -> None:
    """Values and standard errors in another unit give the same answers, to the last digit."""
    scaled = measurements(rows, scale=2.0**power)
    assert answers(detector, scaled) == answers(detector, measurements(rows))


@given(rows=streams(), power=st.integers(-20, 20))
@EXAMPLES
def test_settings_in_the_unit_of_the_values_scale_with_it(rows: list[Row], power: int) -> None:
    """Another unit for `span`, `delta` and `threshold` too gives the same alarms."""
    unit = 2.0**power
    scaled = measurements(rows, scale=unit)
    adwin = replace(ADWIN, span=unit * ADWIN.span)
    page_hinkley = replace(
        PAGE_HINKLEY, delta=unit * PAGE_HINKLEY.delta, threshold=unit * PAGE_HINKLEY.threshold
    )
    for hddm in (HDDM_A, HDDM_W):
        assert found(replace(hddm, span=unit), scaled) == found(hddm, measurements(rows))
    assert found(adwin, scaled) == found(ADWIN, measurements(rows))
    assert found(page_hinkley, scaled) == found(PAGE_HINKLEY, measurements(rows))


@given(rows=streams())
@EXAMPLES
def test_down_is_up_in_the_mirror(rows: list[Row]) -> None:
    """A fall under "down" is a rise under "up"; others look both ways."""
    seen, mirrored = measurements(rows), measurements(rows, scale=-1.0)
    assert answers(replace(CUSUM, direction="down"), mirrored) == answers(CUSUM, seen)
    assert answers(replace(PAGE_HINKLEY, direction="down"), mirrored) == answers(PAGE_HINKLEY, seen)
    for both in (ADWIN, HDDM_A, HDDM_W, KS):
        assert answers(both, mirrored) == answers(both, seen)
