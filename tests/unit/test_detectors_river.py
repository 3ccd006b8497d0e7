"""River's detectors as ours."""

from __future__ import annotations

from typing import Any

import pytest
from river import drift, stats
from river.drift import binary

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, RowRange, Window
from ratoon.core.times import EPOCH
from ratoon.detectors import River
from tests.unit.detectors_streams import alarms, legacy, of_river, stepwise

PEERS: list[Any] = [
    drift.ADWIN(),
    drift.KSWIN(seed=42),
    drift.PageHinkley(),
    drift.NoDrift(),
    binary.DDM(),
    binary.EDDM(),
    binary.FHDDM(),
    binary.FHDDM(short_window_size=20),
    binary.HDDMA(two_sided_test=True),
    binary.HDDMW(two_sided_test=True),
]


@pytest.mark.parametrize("peer", PEERS, ids=repr)
def test_alarms_are_those_of_river(peer: Any) -> None:
    """Over several alarms, and the detector handed in is not changed."""
    values = stepwise(seed=1)
    expected = of_river(peer.clone(), values)
    assert [i for i, _ in alarms(River(detector=peer), values)] == expected
    assert [i for i, _ in alarms(River(detector=peer), values)] == expected


@pytest.mark.parametrize("peer", PEERS, ids=repr)
def test_a_restart_after_every_step_changes_nothing(peer: Any) -> None:
    """The state goes through JSON after every step, and alarms stay river's."""
    values = stepwise(seed=2, size=130)
    detector = River(detector=peer)
    state, found = detector.init(), []
    for row, loss in enumerate(values):
        window = Window(start=EPOCH, end=EPOCH, rows=RowRange(start=row, stop=row + 1))
        m = Measurement(metric="zero_one", window=window, value=float(loss), n=1)
        state, detection = detector.step(wire.loads(type(state), wire.dumps(state)), m)
        if detection.status == "drift":
            found.append(row)
    assert found == of_river(peer.clone(), values)


def test_a_warning_dates_the_change() -> None:
    """Where the detector warns, the drift names the first window of the warning."""
    assert alarms(River(detector=binary.DDM()), legacy("errors")) == [(1049, 1007)]


def test_without_warnings_the_alarm_dates_it() -> None:
    """ADWIN tells no change point: the window that raised the alarm stands for it."""
    assert alarms(River(detector=drift.ADWIN()), legacy("integers")) == [(1023, 1023)]


@pytest.mark.parametrize("no_detector", [stats.Mean(), 3, drift.ADWIN, drift.KSWIN()], ids=repr)
def test_what_cannot_be_replayed_is_refused(no_detector: Any) -> None:
    """Something else than a detector, a class, and one that draws by chance without a seed."""
    with pytest.raises(SettingInvalid, match="detector"):
        River(detector=no_detector)


def test_what_cannot_be_written_is_refused() -> None:
    """A detector that holds an open file, say, has no state in JSON."""

    class Odd(drift.NoDrift):
        def __init__(self) -> None:
            super().__init__()
            self.held = object()

        def clone(self, *_: Any, **__: Any) -> Odd:
            return self

    with pytest.raises(SettingInvalid, match="written"):
        River(detector=Odd())
