"""A scan of an array is the steps one by one, to the last digit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift

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
    EDetector,
    PageHinkley,
    River,
    Scans,
)

EXAMPLES = settings(max_examples=25)

# Low thresholds, so that short streams alarm.
DETECTORS: list[Scans[Any]] = [
    Adwin(clock=3, min_length=2, warm_up=5, delta=0.5, span=0.2),
    Adwin(clock=1, max_buckets=2, min_length=1, warm_up=1, delta=0.9, span=0.01),
    Cusum(threshold=3.0, warm_up=5),
    Cusum(threshold=2.0, warm_up=4, correlated=True, direction="down"),
    DDM(warm_up=5, least_errors=1.0, drift_threshold=2.0, warning_threshold=1.0),
    EDDM(warm_up=3, least_errors=2, alpha=0.99, beta=0.95),
    EDetector(mean=0.3, alpha=0.1),
    EDetector(mean=0.7, alpha=0.2, direction="down", fractions=(0.9,)),
    HDDMA(drift_confidence=0.3, warning_confidence=0.5),
    HDDMA(drift_confidence=0.3, warning_confidence=0.5, two_sided=True),
    HDDMW(drift_confidence=0.3, warning_confidence=0.5),
    HDDMW(drift_confidence=0.3, warning_confidence=0.5, two_sided=True, weight=0.3),
    KSWIN(alpha=0.1, window_size=13, stat_size=4),
    PageHinkley(delta=0.05, threshold=2.0, warm_up=3),
    PageHinkley(delta=0.01, threshold=1.0, warm_up=1, direction="down"),
    STEPD(window_size=5, alpha_drift=0.1, alpha_warning=0.3),
    River(detector=drift.binary.DDM(warm_start=5, drift_threshold=2.0)),
    River(detector=drift.ADWIN(clock=3, delta=0.5)),
]


def value() -> st.SearchStrategy[float]:
    """Errors, losses in between, and ties."""
    return st.one_of(st.sampled_from([0.0, 1.0, 0.25]), st.floats(0.0, 1.0))


@st.composite
def streams(draw: st.DrawFn) -> list[float]:
    """A quiet part, a bad part, a quiet part, with gaps; some are repeated, to be long."""
    parts = []
    for odds in (0.8, 0.2, 0.9):
        part = draw(st.lists(st.one_of(value(), st.just(float("nan"))), min_size=2, max_size=40))
        low = [x * (1.0 - odds) for x in part]
        parts += low * draw(st.integers(1, 9))
    return parts


@st.composite
def noise(draw: st.DrawFn) -> list[float]:
    """Errors at up to four rates, of up to 1,500 in all."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rates = draw(st.lists(st.sampled_from([0.0, 0.05, 0.2, 0.5, 0.9]), min_size=1, max_size=4))
    parts = [generator.random(draw(st.integers(1, 400))) < rate for rate in rates]
    return np.concatenate(parts).astype(float).tolist()


def stepped(
    detector: Scans[Any], values: Sequence[float], first: int = 0
) -> tuple[Any, list[tuple[int, Detection]]]:
    """The state after all steps, and the drifts with the rows that raised them."""
    state, found = detector.init(), []
    for row, loss in enumerate(values, start=first):
        window = Window(start=EPOCH, end=EPOCH, rows=RowRange(start=row, stop=row + 1))
        m = Measurement(metric="loss", window=window, value=loss, n=1)
        state, detection = detector.step(state, m)
        if detection.status == "drift":
            found.append((row, replace(detection, change_point=None)))
    return state, found


def timeless(state: object) -> str:
    """The state as JSON, without the moments, which an array has not."""
    return wire.dumps(state).replace(f'"start":"{EPOCH.isoformat()}"', '"start":null')


@pytest.mark.parametrize("detector", DETECTORS, ids=repr)
@given(values=st.one_of(streams(), noise()), data=st.data())
@EXAMPLES
def test_scans_of_any_parts_are_the_steps(
    detector: Scans[Any], values: list[float], data: st.DataObject
) -> None:
    """However a stream is split, states and drifts are those of the steps; so is going on."""
    cuts = data.draw(st.lists(st.integers(0, len(values)), max_size=4).map(sorted))
    expected, drifts = stepped(detector, values, first=100)
    state, found = detector.init(), []
    for start, stop in zip([0, *cuts], [*cuts, len(values)], strict=True):
        state, alarms = detector.scan(state, np.array(values[start:stop]), first=100 + start)
        found += [(alarm.row, alarm.detection) for alarm in alarms]
        state = wire.loads(type(state), wire.dumps(state))
    assert found == drifts
    assert timeless(state) == timeless(expected)


@pytest.mark.parametrize("detector", DETECTORS, ids=repr)
@given(rows=st.lists(st.one_of(streams(), noise()), min_size=1, max_size=4))
@EXAMPLES
def test_streams_know_nothing_of_each_other(detector: Scans[Any], rows: list[list[float]]) -> None:
    """Several streams at once, of any lengths, give what each gives alone."""
    matrix = np.full((len(rows), max(map(len, rows))), np.nan)
    for line, values in zip(matrix, rows, strict=True):
        line[: len(values)] = values
    begun = [detector.scan(detector.init(), values[:5])[0] for values in rows]
    states, alarms = detector.scan_streams(begun, matrix)
    for stream, (state, values) in enumerate(zip(begun, rows, strict=True)):
        after, alone = detector.scan(state, values)
        assert states[stream] == after
        assert [replace(a, stream=0) for a in alarms if a.stream == stream] == list(alone)
    assert [a.stream for a in alarms] == sorted(a.stream for a in alarms)
