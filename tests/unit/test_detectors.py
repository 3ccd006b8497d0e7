"""What all detectors promise."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

import ratoon.detectors
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, RowRange, Window
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
from tools.tidy import name_order

RESTARTING: list[Detector[Any]] = [
    Cusum(),
    Cusum(correlated=True),
    HDDMA(),
    HDDMW(drift_confidence=0.01, warning_confidence=0.1),
    PageHinkley(threshold=5.0),
]
DATED: list[Detector[Any]] = [
    *RESTARTING,
    Adwin(clock=1),
    EDetector(mean=0.4),
    KSWIN(window_size=60, stat_size=15),
    STEPD(window_size=15),
]
DETECTORS: list[Detector[Any]] = [*DATED, DDM(least_errors=10.0)]
BEFORE = [0.4, 0.3, 0.2, 0.1, 0.0] * 20
AFTER = [value + 1.0 for value in BEFORE]


def measured(i: int, value: float | None, *, rows: bool = True) -> Measurement:
    """The metric of the i-th day, and of its ten rows where rows are known."""
    start = EPOCH + timedelta(days=i)
    numbered = RowRange(start=10 * i, stop=10 * i + 10) if rows else None
    window = Window(start=start, end=start + timedelta(days=1), rows=numbered)
    return Measurement(metric="log_loss", window=window, value=value, n=10)


def test_all_is_sorted_and_there() -> None:
    """`__all__` is in order, and each name in it can be imported."""
    names = ratoon.detectors.__all__
    assert names == sorted(names, key=name_order)
    assert all(hasattr(ratoon.detectors, name) for name in names)


@pytest.mark.parametrize("detector", DATED)
@pytest.mark.parametrize("row", [1000, None])
def test_drift_names_the_first_window_after_the_change(
    detector: Detector[Any], row: int | None
) -> None:
    """A clear rise is found once, with the start of its first day, and its first row if known."""
    state = detector.init()
    found = []
    for i, value in enumerate(BEFORE + AFTER[:20]):
        state, detection = detector.step(state, measured(i, value, rows=row is not None))
        if detection.status == "drift":
            found.append(detection)
    assert [d.change_point for d in found] == [EPOCH + timedelta(days=100)]
    assert [d.change_row for d in found] == [row]
    assert found[0].statistic > found[0].threshold


@pytest.mark.parametrize("detector", RESTARTING)
def test_after_a_drift_the_state_is_new(detector: Detector[Any]) -> None:
    """Most start from `init()` after a drift, and find the next rise too."""
    state = detector.init()
    twice = BEFORE + AFTER + [value + 5.0 for value in AFTER]
    found = []
    for i, value in enumerate(twice):
        state, detection = detector.step(state, measured(i, value))
        if detection.status == "drift":
            assert state == detector.init()
            found.append(detection.change_row)
    assert found == [1000, 2000]


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("value", [None, math.nan])
def test_a_measurement_without_value_changes_nothing(
    detector: Detector[Any], value: float | None
) -> None:
    """None and NaN leave the state as it is, and are answered as stable."""
    state = detector.init()
    for i, known in enumerate([*BEFORE, 0.6]):
        state, detection = detector.step(state, measured(i, known))
    after, answer = detector.step(state, measured(101, value))
    assert after == state
    assert answer.status == "stable"
    assert answer.statistic == detection.statistic != 0


@pytest.mark.parametrize("detector", DETECTORS)
def test_an_infinite_loss_alarms(detector: Detector[Any]) -> None:
    """Infinite losses are a change, and what follows is still judged by finite numbers."""
    state = detector.init()
    statuses = []
    for i, value in enumerate(BEFORE + [math.inf] * 25):
        state, detection = detector.step(state, measured(i, value))
        statuses.append(detection.status)
        assert math.isfinite(detection.statistic)
    assert "drift" not in statuses[:100]
    assert "drift" in statuses[100:]


@pytest.mark.parametrize(
    ("kind", "setting", "value"),
    [
        (Adwin, "delta", 0.0),
        (Adwin, "delta", 1.0),
        (Adwin, "clock", 0),
        (Adwin, "max_buckets", 1),
        (Adwin, "min_length", 0),
        (Adwin, "warm_up", 0),
        (Adwin, "span", 0.0),
        (DDM, "warm_up", 0),
        (DDM, "least_errors", -1.0),
        (DDM, "warning_threshold", 0.0),
        (DDM, "drift_threshold", 2.0),
        (EDDM, "warm_up", 0),
        (EDDM, "least_errors", -1),
        (EDDM, "alpha", 1.0),
        (EDDM, "beta", 0.9),
        (EDDM, "error_above", math.inf),
        (HDDMA, "drift_confidence", 0.0),
        (HDDMA, "warning_confidence", 0.001),
        (HDDMA, "span", 0.0),
        (HDDMW, "weight", 1.0),
        (HDDMW, "warning_confidence", 0.00001),
        (HDDMW, "span", -1.0),
        (KSWIN, "alpha", 0.0),
        (KSWIN, "window_size", 3),
        (KSWIN, "stat_size", 151),
        (STEPD, "window_size", 1),
        (STEPD, "alpha_drift", 1.0),
        (STEPD, "alpha_warning", 0.000001),
        (Cusum, "slack", 0.0),
        (Cusum, "threshold", math.inf),
        (Cusum, "warm_up", 2),
        (Cusum, "direction", "both"),
        (PageHinkley, "delta", -0.1),
        (PageHinkley, "threshold", 0.0),
        (PageHinkley, "warm_up", 1.5),
        (PageHinkley, "direction", ""),
    ],
)
def test_a_setting_out_of_range_is_refused(kind: type[Any], setting: str, value: object) -> None:
    """The error names the setting and the value that it got."""
    with pytest.raises(SettingInvalid, match=setting) as caught:
        kind(**{setting: value})
    assert caught.value.setting == setting
    assert caught.value.got == value
