"""The doors for arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from ratoon.core.errors import LengthMismatch, SettingInvalid
from ratoon.core.measuring import Measurement, RowRange, Window
from ratoon.core.times import EPOCH
from ratoon.detectors import DDM, HDDMA, HDDMW, STEPD, Adwin, PageHinkley, Scans

ERRORS = np.random.default_rng(0).random(3000) < np.repeat([0.1, 0.5, 0.1], 1000)


def test_rows_are_counted_from_the_first() -> None:
    """`first` shifts the alarms, and names the change by the same ordinals."""
    (alarm,) = Adwin().scan(Adwin().init(), ERRORS[:1500])[1]
    (later,) = Adwin().scan(Adwin().init(), ERRORS[:1500], first=10_000)[1]
    assert later.row == alarm.row + 10_000
    assert later.detection.change_row == (alarm.detection.change_row or 0) + 10_000
    assert later.detection.change_point is None


def test_a_change_may_begin_before_the_array() -> None:
    """The onset is remembered from the scan before."""
    detector = PageHinkley(delta=0.1, threshold=20.0)
    state, none = detector.scan(detector.init(), ERRORS[:1030])
    assert none == ()
    _, (alarm,) = detector.scan(state, ERRORS[1030:1400], first=1030)
    assert alarm.row > 1030
    assert 950 < (alarm.detection.change_row or 0) < 1030


def test_steps_go_on_where_a_scan_ended() -> None:
    """The state of a scan is one of `step`; the onset that it brings has a row and no moment."""
    detector = HDDMA()
    state, _ = detector.scan(detector.init(), ERRORS[:1010])
    for row in range(1010, 1200):
        window = Window(start=EPOCH, end=EPOCH, rows=RowRange(start=row, stop=row + 1))
        loss = float(ERRORS[row])
        m = Measurement(metric="zero_one", window=window, value=loss, n=1)
        state, detection = detector.step(state, m)
        if detection.status == "drift":
            break
    assert detection.status == "drift"
    assert detection.change_row is not None
    assert detection.change_row < 1010
    assert detection.change_point is None


@pytest.mark.parametrize("empty", [[], [math.nan] * 3, [None]])
def test_nothing_known_changes_nothing(empty: list[Any]) -> None:
    """An empty array, and one of missing values, leave the state as it is."""
    for detector in (DDM(), Adwin(), STEPD(), HDDMW()):
        state, _ = detector.scan(detector.init(), ERRORS[:100])
        assert detector.scan(state, empty) == (state, ())


def test_infinite_values_count_as_very_large() -> None:
    """As in a step they alarm, and leave a finite state."""
    detector = PageHinkley()
    _, alarms = detector.scan(detector.init(), [0.0] * 50 + [math.inf])
    assert [alarm.row for alarm in alarms] == [50]


@pytest.mark.parametrize(
    ("values", "rule"),
    [([[1.0]], "(n,)"), (1.0, "(n,)"), (["a"], "numbers"), ([object()], "numbers")],
)
def test_no_array_of_numbers_is_refused(values: Any, rule: str) -> None:
    """The error says what shape was asked for."""
    with pytest.raises(SettingInvalid, match="values must be") as caught:
        DDM().scan(DDM().init(), values)
    assert rule in str(caught.value)


def test_streams_need_a_state_each() -> None:
    """Two states for three streams are refused, as is one stream without its axis."""
    with pytest.raises(LengthMismatch, match="states"):
        DDM().scan_streams([DDM().init()] * 2, np.zeros((3, 5)))
    with pytest.raises(SettingInvalid, match="streams, n"):
        DDM().scan_streams([DDM().init()], np.zeros(5))
    with pytest.raises(SettingInvalid, match="first"):
        DDM().scan(DDM().init(), np.zeros(5), first=-1)


@pytest.mark.parametrize("detector", [DDM(), Adwin()])
def test_no_streams_give_none(detector: Scans[Any]) -> None:
    """No streams, no states, no alarms."""
    assert detector.scan_streams([], np.zeros((0, 7))) == ((), ())


def test_thousands_of_streams() -> None:
    """3,000 streams, half of which change, are told apart."""
    generator = np.random.default_rng(1)
    rates = np.full((3000, 400), 0.1)
    rates[::2, 200:] = 0.6
    detector = HDDMA()
    states, alarms = detector.scan_streams(
        [detector.init()] * 3000, generator.random(rates.shape) < rates
    )
    assert len(states) == 3000
    found = {alarm.stream for alarm in alarms}
    assert found >= set(range(0, 3000, 2))
    assert len(found - set(range(0, 3000, 2))) < 10
