from __future__ import annotations

import random  # noqa: TID251 - the stream is by its generator
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pytest
from river import drift as river

from ratoon.core.measuring import Measurement, RowRange, Window
from ratoon.core.times import EPOCH
from ratoon.detectors import Adwin


def alarms(detector: Adwin, values: Iterable[float]) -> Iterator[tuple[int, int | None]]:
    """The positions of the alarms, each with its change point."""
    state = detector.init()
    for i, value in enumerate(values):
        window = Window(start=EPOCH, end=EPOCH, rows=RowRange(start=i, stop=i + 1))
        m = Measurement(metric="loss", window=window, value=float(value), n=1)
        state, detection = detector.step(state, m)
        if detection.status == "drift":
            yield i, detection.change_row


def compressed(buckets: list[list[int]], limit: int) -> list[list[int]]:
    """Merge the two oldest buckets of each size of which there are too many, small ones first."""
    for size in (1 << i for i in range(32)):
        same = [k for k, bucket in enumerate(buckets) if len(bucket) == size]
        if len(same) > limit:
            k = same[0]
            buckets = [*buckets[:k], buckets[k] + buckets[k + 1], *buckets[k + 2 :]]
    return buckets


def strongest(detector: Adwin, values: Sequence[float], buckets: list[list[int]]) -> list[float]:
    """All borders between buckets, each side's mean from its raw values: ratio and buckets."""
    window = np.array([values[i] for bucket in buckets for i in bucket])
    best, n0 = [0.0, 0], 0
    for k, bucket in enumerate(buckets[:-1], start=1):
        n0 += len(bucket)
        n1 = len(window) - n0
        if min(n0, n1) < detector.min_length:
            continue
        m = 1 / (1 / n0 + 1 / n1)
        log = np.log(2 * np.log(len(window)) / detector.delta)
        cut = np.sqrt(2 / m * window.var() * log) + 2 / (3 * m) * log * detector.span
        ratio = abs(window[:n0].mean() - window[n0:].mean()) / cut
        best = max(best, [ratio, k])
    return best


def naive(detector: Adwin, values: Sequence[float]) -> Iterator[tuple[int, int]]:
    """ADWIN0 over the borders of the buckets, from the raw values at every step."""
    buckets: list[list[int]] = []
    for i in range(len(values)):
        buckets = compressed([*buckets, [i]], detector.max_buckets)
        if (i + 1) % detector.clock or sum(map(len, buckets)) <= detector.warm_up:
            continue
        before = len(buckets)
        while (border := strongest(detector, values, buckets))[0] > 1:
            buckets = buckets[int(border[1]) :]
        if len(buckets) < before:
            yield i, buckets[0][0]


def of_river(values: Iterable[float], **settings: float) -> list[int]:
    peer = river.ADWIN(**settings)
    found = []
    for i, value in enumerate(values):
        peer.update(float(value))
        if peer.drift_detected:
            found.append(i)
    return found


def legacy(name: str) -> np.ndarray:
    """The streams that river documents or tests itself on, by numpy's legacy generator."""
    generator = np.random.RandomState(12345)
    if name == "integers":
        return np.concatenate([generator.randint(2, size=1000), generator.randint(8, size=1000)])
    return np.concatenate([generator.binomial(1, 0.2, 1000), generator.binomial(1, 0.8, 1000)])


@pytest.mark.parametrize(
    "detector",
    [
        Adwin(clock=1),
        Adwin(clock=7, max_buckets=2, min_length=1, warm_up=3),
        Adwin(clock=1, delta=0.3, span=0.01),
        Adwin(clock=1, warm_up=150),
    ],
)
@pytest.mark.parametrize("offset", [0.0, -1000.0])
def test_alarms_and_change_points_are_those_of_naive_code(detector: Adwin, offset: float) -> None:
    """All cuts of the same buckets, from the raw values at every step, give the same."""
    generator = np.random.default_rng(2)
    steps = np.repeat([0.0, 2.0, -1.0, 0.5], 120)
    values = (offset + steps + generator.normal(size=len(steps))).tolist()
    expected = list(naive(detector, values))
    assert expected
    assert list(alarms(detector, values)) == expected


def test_two_changes_between_checks_give_the_later_one() -> None:
    """The window is cut until no border is left: 0, 10, 12 at one check keeps the part at 12."""
    noise = np.random.default_rng(12).normal(size=256)
    values = (noise + np.repeat([0.0, 10.0, 12.0], [128, 64, 64])).tolist()
    detector = Adwin(clock=256)
    assert list(alarms(detector, values)) == list(naive(detector, values)) == [(255, 192)]


def test_alarm_is_at_the_index_that_river_documents() -> None:
    """River 0.26.1 documents 1023 for this stream; the change at 1000 is dated exactly."""
    assert of_river(legacy("integers")) == [1023]
    assert list(alarms(Adwin(), legacy("integers"))) == [(1023, 1000)]


def test_alarms_are_at_the_indices_of_four_parts() -> None:
    """Zeros and ones, 4 to 7, and both again: 1023, 2015 and 3007, as river 0.26.1."""
    generator = random.Random(42)
    parts: list[int] = []
    for _ in range(2):
        parts += generator.choices([0, 1], k=1000) + generator.choices(range(4, 8), k=1000)
    assert of_river(parts) == [1023, 2015, 3007]
    assert list(alarms(Adwin(), parts)) == [(1023, 1000), (2015, 2000), (3007, 3000)]


@pytest.mark.parametrize("offset", [-5000.0, -0.5])
def test_totals_may_be_negative(offset: float) -> None:
    """Values below 0 are judged as those above, where frouros alarms otherwise."""
    assert list(alarms(Adwin(), legacy("integers") + offset)) == [(1023, 1000)]


def test_errors_alarm_where_river_does() -> None:
    """Errors at a rate of 0.2 and then 0.8: the same index as river."""
    assert [i for i, _ in alarms(Adwin(), legacy("errors"))] == of_river(legacy("errors"))


@pytest.mark.parametrize("clock", [1, 32])
@pytest.mark.parametrize("seed", range(5))
def test_first_alarm_is_that_of_river(seed: int, clock: int) -> None:
    """With parts of any length the cuts are the same.

    For longer least parts river puts n - least + 1 where the paper has n, which raises its cut.
    """
    generator = np.random.default_rng(seed)
    values = generator.normal(size=1500) + np.repeat([0.0, 0.5], [1000, 500])
    expected = of_river(values, clock=clock, min_window_length=1)[0]
    detector = Adwin(clock=clock, min_length=1)
    assert next(alarms(detector, values))[0] == expected


@pytest.mark.parametrize("name", ["normal", "errors"])
def test_noise_does_not_alarm(name: str) -> None:
    """50,000 values without a change give no alarm, as with river."""
    generator = np.random.default_rng(3)
    drawn = {"normal": generator.normal(size=50_000), "errors": generator.random(50_000) < 0.2}
    assert list(alarms(Adwin(), drawn[name])) == []
    assert of_river(drawn[name]) == []


def test_a_shift_is_found_once_and_dated() -> None:
    """One standard deviation up: 21 alarms or fewer in 20 streams, dated to 20 values on average.

    Each comes within 96 values. Dropping one bucket at a time gave 57, misdated by 193.
    """
    generator = np.random.default_rng(4)
    count, misdated = 0, []
    for _ in range(20):
        values = generator.normal(size=2500) + np.repeat([0.0, 1.0], [1500, 1000])
        found = list(alarms(Adwin(), values))
        count += len(found)
        assert 1500 <= found[0][0] < 1500 + 96
        misdated.append(abs((found[0][1] or 0) - 1500))
    assert count <= 21
    assert np.mean(misdated) <= 20


def test_the_state_grows_with_the_logarithm() -> None:
    """20,000 values take at most 5 buckets of each size up to 4096."""
    detector = Adwin()
    state = detector.init()
    window = Window(start=EPOCH, end=EPOCH)
    for i in range(20_000):
        value = float(i % 2)
        m = Measurement(metric="loss", window=window, value=value, n=1)
        state, _ = detector.step(state, m)
    assert sum(len(level) << i for i, level in enumerate(state.levels)) == 20_000
    assert len(state.levels) <= 13
    assert max(map(len, state.levels)) <= 5
