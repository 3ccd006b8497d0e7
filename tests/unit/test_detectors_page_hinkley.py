from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pytest
from river import drift as river

from ratoon.core.measuring import Measurement, RowRange, Window
from ratoon.core.times import EPOCH
from ratoon.detectors import PageHinkley


def alarms(detector: PageHinkley, values: Iterable[float]) -> Iterator[tuple[int, int | None]]:
    """The positions of the alarms, each with its change point."""
    state = detector.init()
    for i, value in enumerate(values):
        window = Window(start=EPOCH, end=EPOCH, rows=RowRange(start=i, stop=i + 1))
        m = Measurement(metric="loss", window=window, value=float(value), n=1)
        state, detection = detector.step(state, m)
        if detection.status == "drift":
            yield i, detection.change_row


def naive(detector: PageHinkley, values: Sequence[float]) -> Iterator[tuple[int, int]]:
    """The definition, all sums anew at every step: PH_T = U_T - min over t of U_t."""
    first = 0
    for last in range(len(values)):
        x = np.asarray(values[first : last + 1]) * (1 if detector.direction == "up" else -1)
        means = np.cumsum(x) / np.arange(1, len(x) + 1)
        u = np.cumsum(x - means - detector.delta)
        if len(x) >= detector.warm_up and u[-1] - u.min() > detector.threshold:
            yield last, first + int(np.argmin(u)) + 1
            first = last + 1


def of_river(detector: PageHinkley, values: Iterable[float]) -> list[int]:
    """River's alarms under the same settings; its fading of the sum is not in the definition."""
    peer = river.PageHinkley(
        min_instances=detector.warm_up,
        delta=detector.delta,
        threshold=detector.threshold,
        alpha=1.0,
        mode=detector.direction,
    )
    found = []
    for i, value in enumerate(values):
        peer.update(float(value))
        if peer.drift_detected:
            found.append(i)
    return found


def stream(name: str, seed: int, size: int) -> list[float]:
    """Three equal parts: a level, a higher one, a lower one."""
    generator = np.random.default_rng(seed)
    level = np.repeat([0.2, 0.5, 0.1], size)
    drawn = {
        "errors": generator.random(3 * size) < level,
        "normal": 3.0 * level + generator.normal(size=3 * size),
    }
    return np.asarray(drawn[name], dtype=float).tolist()


SETTINGS = [
    PageHinkley(delta=0.1, threshold=8.0, warm_up=30),
    PageHinkley(delta=0.005, threshold=10.0, warm_up=5),
    PageHinkley(delta=0.1, threshold=8.0, warm_up=100, direction="down"),
]


@pytest.mark.parametrize("detector", SETTINGS)
@pytest.mark.parametrize("name", ["errors", "normal"])
def test_alarms_and_change_points_are_those_of_the_definition(
    detector: PageHinkley, name: str
) -> None:
    """Over several restarts both equal naive code that sums everything anew."""
    values = stream(name, seed=1, size=400)
    expected = list(naive(detector, values))
    assert expected
    assert list(alarms(detector, values)) == expected


@pytest.mark.parametrize("detector", SETTINGS)
@pytest.mark.parametrize("name", ["errors", "normal"])
@pytest.mark.parametrize("seed", range(3))
def test_alarms_are_those_of_river(detector: PageHinkley, name: str, seed: int) -> None:
    """Without fading, river 0.26.1 alarms at the same values."""
    values = stream(name, seed, size=2000)
    expected = of_river(detector, values)
    assert expected
    assert [i for i, _ in alarms(detector, values)] == expected


def test_alarm_of_menelaus() -> None:
    """With a warm-up of 30, thirty times 1 and then 100 alarm at the 31st, as in menelaus."""
    assert list(alarms(PageHinkley(), [1.0] * 30 + [100.0])) == [(30, 30)]


def test_noise_alarms_seldom_by_default() -> None:
    """In 100,000 values of normal noise at most 5 alarms, where river has more than 50."""
    noise = np.random.default_rng(0).standard_normal(100_000).tolist()
    peer = river.PageHinkley()
    of_peer = 0
    for value in noise:
        peer.update(value)
        of_peer += peer.drift_detected
    assert of_peer > 50
    assert len(list(alarms(PageHinkley(), noise))) <= 5


def test_a_rise_is_found_in_time_by_default() -> None:
    """A rise by one standard deviation is found after 60 values in the median and dated to 60."""
    generator = np.random.default_rng(1)
    delays, misdated = [], []
    for _ in range(40):
        values = generator.standard_normal(1000) + np.repeat([0.0, 1.0], 500)
        seen, since = next((i, s) for i, s in alarms(PageHinkley(), values) if i >= 500)
        delays.append(seen - 499)
        misdated.append(abs((since or 0) - 500))
    assert np.median(delays) <= 60
    assert np.median(misdated) <= 60


def test_alarms_of_frouros() -> None:
    """Three levels alarm at 113 and 226, which frouros documents for what it calls CUSUM.

    That is this recursion. What it calls Page-Hinkley sums without the minimum, and gives 227.
    """
    generator = np.random.RandomState(31)
    levels = [(0.0, 0.5), (4.0, 0.2), (6.0, 0.5)]
    values = np.concatenate([generator.normal(*level, 100) for level in levels])
    detector = PageHinkley(delta=0.005, threshold=50.0, warm_up=1)
    assert [i for i, _ in alarms(detector, values.tolist())] == [113, 226]


def test_alarms_of_an_older_river() -> None:
    """Up alone and without fading 1020 and 1991, as river's tests had it before both came in."""
    generator = np.random.RandomState(12345)
    values = np.concatenate([generator.randint(2, size=1000), generator.randint(8, size=1000)])
    detector = PageHinkley(delta=0.005, threshold=50.0)
    assert [i for i, _ in alarms(detector, values.tolist())] == [1020, 1991]
