from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import pytest
from numpy.random import Generator
from scipy import stats

from ratoon.core.measuring import Measurement, RowRange, Window
from ratoon.core.times import EPOCH
from ratoon.detectors import Cusum, CusumState
from ratoon.detectors.cusum import Reference, _inflation, _normal

Drawn: TypeAlias = Callable[[Generator, int], np.ndarray]
DRAWN: dict[str, Drawn] = {
    "normal": lambda generator, size: generator.normal(size=size),
    "exponential": lambda generator, size: generator.exponential(size=size),
    "lognormal": lambda generator, size: generator.lognormal(size=size),
    "errors": lambda generator, size: (generator.random(size) < 0.05).astype(float),
}


def measured(
    values: Iterable[float], stderrs: Iterable[float | None], rows: Iterable[int]
) -> Iterator[Measurement]:
    for i, (value, stderr, n) in enumerate(zip(values, stderrs, rows, strict=True)):
        window = Window(start=EPOCH, end=EPOCH, rows=RowRange(start=i, stop=i + 1))
        yield Measurement(metric="loss", window=window, value=value, n=n, stderr=stderr)


def plain(values: Sequence[float]) -> Iterator[Measurement]:
    """Measurements of windows whose standard error is not known."""
    return measured(values, [None] * len(values), [1] * len(values))


def of_rows(drawn: Drawn, sizes: np.ndarray, generator: Generator) -> Iterator[Measurement]:
    """The mean loss of windows of so many rows, each with its standard error."""
    losses = drawn(generator, int(sizes.sum()))
    starts = np.cumsum(sizes) - sizes
    means = np.add.reduceat(losses, starts) / sizes
    squares = np.add.reduceat(losses**2, starts) / sizes - means**2
    stderrs = np.sqrt(np.maximum(squares, 0.0) / (sizes - 1))
    return measured(means.tolist(), stderrs.tolist(), sizes.tolist())


def alarms(
    detector: Cusum, measurements: Iterable[Measurement], state: CusumState | None = None
) -> Iterator[tuple[int, int | None]]:
    """The positions of the alarms, each with its change point."""
    state = state or detector.init()
    for i, m in enumerate(measurements):
        state, detection = detector.step(state, m)
        if detection.status == "drift":
            yield i, detection.change_row


def known(mean: float, deviation: float) -> CusumState:
    """A reference of so many windows that its mean and deviation are as good as known."""
    windows = 10**14
    squares = deviation**2 * (windows - 1)
    return CusumState(reference=Reference(windows=windows, mean=mean, squares=squares))


def naive(detector: Cusum, seen: Sequence[Measurement]) -> Iterator[float]:
    """The statistic of each window by the formulas, from lists of windows. No restarts."""
    reference, pending, total = list(seen[: detector.warm_up]), [], 0.0
    yield from [0.0] * detector.warm_up
    for m in seen[detector.warm_up :]:
        values = np.array([r.value for r in reference])
        sampled = [r for r in reference if r.stderr is not None]
        sampling = np.mean([r.stderr**2 for r in sampled]) if sampled else 0.0
        between = max(0.0, values.var(ddof=1) - sampling)
        own = 0.0
        if sampled:
            own = np.mean([r.n * r.stderr**2 for r in sampled]) / m.n
        if sampled and m.stderr is not None:
            share = 4 * detector.slack**2 / (3 * (1 + 4 * detector.slack**2))
            own = (1 - share) * own + share * m.stderr**2
        of_mean = (between + sampling) / len(values)
        deviation = np.sqrt(between + own + of_mean)
        v = len(values) - 1
        z = (m.value - values.mean()) / deviation
        u = np.sign(z) * (8 * v + 1) / (8 * v + 3) * np.sqrt(v * np.log(1 + z**2 / v))
        total = max(0.0, total + u - detector.slack - np.sqrt(of_mean) / deviation)
        pending.append(m)
        if total == 0.0:
            reference, pending = reference + pending, []
        yield total


@pytest.mark.parametrize("with_stderr", ["all", "none", "some"])
def test_statistic_is_that_of_the_formulas(with_stderr: str) -> None:
    """With, without and with part of the standard errors, it equals naive code over all windows."""
    generator = np.random.default_rng(0)
    n = generator.integers(10, 200, size=300)
    stderrs = [
        None if with_stderr == "none" or (with_stderr == "some" and i % 3 == 0) else float(s)
        for i, s in enumerate(generator.uniform(0.8, 1.2, size=300) / np.sqrt(n))
    ]
    values = generator.normal(2.0, 0.15, size=300).tolist()
    seen = list(measured(values, stderrs, n.tolist()))
    detector = Cusum(threshold=1000.0)
    state, statistics = detector.init(), []
    for m in seen:
        state, detection = detector.step(state, m)
        statistics.append(detection.statistic)
    assert max(statistics) > 2.0
    assert statistics == pytest.approx(list(naive(detector, seen)), rel=1e-9, abs=1e-9)


def test_sums_are_those_of_montgomery() -> None:
    """Montgomery's example 9.1: C+ of mean 10, deviation 1, k = 0.5, h = 5.

    It alarms in period 29 with 5.28; the sum was last 0 in period 22, so the change is in 23.
    """
    before = [9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34]
    between = [9.03, 11.47, 10.51, 9.40, 10.08, 9.37, 10.62, 10.31, 8.52, 10.84]
    after = [10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31]
    table = [0, 0, 0, 1.16, 2.82, 2.50, 0.04, 1.00, 0, 0, 0, 0.97, 0.98, 0, 0, 0, 0.12, 0, 0]
    table += [0.34, 0.74, 0, 1.79, 2.79, 2.89, 3.47, 3.35, 4.47, 5.28]
    detector, state, sums = Cusum(threshold=5.0), known(10.0, 1.0), []
    for m in plain(before + between + after):
        state, detection = detector.step(state, m)
        sums.append(detection.statistic)
    assert sums == pytest.approx(table, abs=1e-5)
    assert detection.status == "drift"
    assert detection.change_row == 22


@pytest.mark.parametrize(
    ("shift", "expected", "streams"),
    [(0.0, 2 * 465, 200), (0.5, 38.0, 1000), (1.0, 10.4, 2000), (2.0, 4.01, 2000)],
)
def test_run_lengths_are_those_of_montgomery(shift: float, expected: float, streams: int) -> None:
    """His table for k = 0.5, h = 5 is met within 3 standard errors of the mean of our streams.

    His 465 is of a chart of both sides, whose alarms of no shift are twice as frequent.
    """
    generator = np.random.default_rng(5)
    detector, runs = Cusum(threshold=5.0), []
    for _ in range(streams):
        values = iter(lambda: generator.normal(shift), None)
        endless = (next(plain([value])) for value in values)
        runs.append(next(alarms(detector, endless, known(0.0, 1.0)))[0] + 1)
    assert abs(np.mean(runs) - expected) < 3 * np.std(runs) / math.sqrt(streams)


@pytest.mark.parametrize(
    ("freedom", "within"), [(2, 0.1), (5, 0.05), (19, 0.014), (100, 0.002), (5000, 1e-5)]
)
def test_scores_are_as_likely_as_students(freedom: int, within: float) -> None:
    """Up to 12, Wallace's form is close to the exact normal score of Student's distribution."""
    t = np.concatenate([-np.geomspace(0.1, 12.0, 40), np.geomspace(0.1, 12.0, 40)])
    exact = np.sign(t) * stats.norm.isf(stats.t.sf(np.abs(t), freedom))
    scores = np.array([_normal(float(x), freedom) for x in t])
    assert np.abs(scores - exact).max() < within


def test_false_alarms_are_5000_windows_apart() -> None:
    """Of 200,000 windows without a change at most 40 alarm by default (27 are expected)."""
    values = np.random.default_rng(6).standard_normal(200_000).tolist()
    assert 0 < len(list(alarms(Cusum(), plain(values)))) <= 40


@pytest.mark.parametrize("name", sorted(DRAWN))
@pytest.mark.parametrize("sizes", [(50,), (10, 30, 100, 300)])
def test_skewed_losses_do_not_alarm_more_often(name: str, sizes: tuple[int, ...]) -> None:
    """Of 50,000 windows with their stderr, of equal or unequal rows, at most 10 alarm."""
    generator = np.random.default_rng(7)
    rows = generator.choice(sizes, size=50_000)
    assert len(list(alarms(Cusum(), of_rows(DRAWN[name], rows, generator)))) <= 10


def test_a_young_reference_does_not_alarm_more_often() -> None:
    """Within the first 200 windows fewer than 4 % of streams alarm: 5,000 apart would be 3.5 %."""
    generator = np.random.default_rng(8)
    streams = generator.standard_normal((500, 200)).tolist()
    early = sum(any(alarms(Cusum(), plain(values))) for values in streams)
    assert early / 500 < 0.04


@pytest.mark.parametrize(("shift", "within"), [(1.0, 16), (2.0, 6)])
def test_a_shift_is_found_in_time(shift: float, within: int) -> None:
    """After 100 windows the median delay is at most 16 for 1 deviation, 6 for 2; dated to 5."""
    generator = np.random.default_rng(9)
    delays, misdated = [], []
    for _ in range(300):
        values = generator.normal(size=400) + np.repeat([0.0, shift], [100, 300])
        found = [pair for pair in alarms(Cusum(), plain(values.tolist())) if pair[0] >= 100]
        seen, since = found[0] if found else (400, 400)
        delays.append(seen - 99)
        misdated.append(abs((since or 0) - 100))
    assert np.median(delays) <= within
    assert np.median(misdated) <= 5


def test_a_change_soon_after_the_warm_up_does_not_hide_itself() -> None:
    """Windows under suspicion stay out of the reference: 9 of 10 shifts in window 41 are found."""
    generator = np.random.default_rng(10)
    shifted = np.repeat([0.0, 1.0], [40, 200])
    streams = (generator.normal(size=(300, 240)) + shifted).tolist()
    found = sum(any(i >= 40 for i, _ in alarms(Cusum(), plain(values))) for values in streams)
    assert found / 300 > 0.9


def test_one_wild_row_is_no_drift() -> None:
    """A row of a million among rows of 0 or 1 adds less than 2 to the sum of its window."""
    generator = np.random.default_rng(11)
    detector, state = Cusum(), Cusum().init()
    for m in of_rows(DRAWN["errors"], np.full(60, 50), generator):
        state, _ = detector.step(state, m)
    loss = np.append(np.zeros(49), 1e6)
    stderr = loss.std(ddof=1) / math.sqrt(50)
    (wild,) = measured([loss.mean()], [stderr], [50])
    _, detection = detector.step(CusumState(reference=state.reference), wild)
    assert 1.0 < detection.statistic < 2.0


@pytest.mark.parametrize("stderr", [None, 0.0])
def test_the_first_error_ever_is_no_drift(stderr: float | None) -> None:
    """After windows without one error a first one is stable; errors in every window are not."""
    quiet = [0.0] * 50
    later = None if stderr is None else 0.01
    first = measured([*quiet, 0.01], [stderr] * 50 + [later], [100] * 51)
    assert list(alarms(Cusum(), first)) == []
    often = measured(quiet + [0.1] * 10, [stderr] * 50 + [later and 0.03] * 10, [100] * 60)
    assert list(alarms(Cusum(), often))


def test_rounding_is_no_drift() -> None:
    """Values that differ in their last digits alone are equal."""
    values = [0.1 + 0.2 if i % 10 == 9 else 0.3 for i in range(60)] + [0.1 + 0.2] * 40
    assert len(set(values)) == 2
    assert list(alarms(Cusum(), plain(values))) == []


def test_the_warm_up_gives_no_answer() -> None:
    """A jump within the warm-up is learnt, the same jump after it is found."""
    jump = [0.0, 0.1] * 5 + [5.0, 5.1] * 5
    assert list(alarms(Cusum(warm_up=20), plain(jump))) == []
    assert list(alarms(Cusum(warm_up=10), plain(jump)))


def correlated(generator: Generator, correlation: float, size: int) -> list[float]:
    """A first-order autoregression of mean 0 and deviation 1."""
    fresh = math.sqrt(1.0 - correlation**2)
    values = [float(generator.normal())]
    for noise in generator.normal(size=size - 1).tolist():
        values.append(correlation * values[-1] + fresh * noise)
    return values


@pytest.mark.parametrize("correlation", [0.1, 0.3, 0.5])
def test_correlated_windows_alarm_as_seldom_as_others(correlation: float) -> None:
    """Of 60,000 windows at most 12 alarm with `correlated`, and many more without."""
    values = correlated(np.random.default_rng(12), correlation, 60_000)
    mended = len(Cusum(correlated=True).scan(Cusum().init(), values)[1])
    assert mended <= 12
    assert len(Cusum().scan(Cusum().init(), values)[1]) > 1.5 * mended


@pytest.mark.parametrize(
    ("correlation", "shift", "within"), [(0.0, 1.0, 20), (0.3, 1.0, 40), (0.3, 2.0, 11)]
)
def test_a_shift_of_correlated_windows_is_found(
    correlation: float, shift: float, within: int
) -> None:
    """With `correlated` a shift after 100 windows is seen after so many (median), dated to 9."""
    generator = np.random.default_rng(13)
    detector = Cusum(correlated=True)
    delays, misdated = [], []
    for _ in range(200):
        values = np.array(correlated(generator, correlation, 400))
        values[100:] += shift
        found = [a for a in detector.scan(detector.init(), values)[1] if a.row >= 100]
        delays.append(found[0].row - 99 if found else 300)
        since = found[0].detection.change_row if found else 400
        misdated.append(abs((since or 0) - 100))
    assert np.median(delays) <= within
    assert np.median(misdated) <= 9


def test_correlation_is_that_of_von_neumann() -> None:
    """After the warm-up it is 1 less half of his ratio, and inflates the variance by its rule."""
    values = correlated(np.random.default_rng(14), 0.6, 40)
    detector = Cusum(correlated=True, warm_up=40)
    state, _ = detector.scan(detector.init(), values)
    x = np.array(values)
    correlation = 1.0 - np.mean(np.diff(x) ** 2) / (2.0 * x.var(ddof=1))
    assert 0.0 < correlation < 0.9
    expected = (1.0 + correlation) / (1.0 - correlation)
    assert _inflation(state.reference) == pytest.approx(expected)


def test_without_correlation_nothing_is_kept_of_neighbours() -> None:
    """The default state has no pairs, and windows that alternate are not inflated below 1."""
    state, _ = Cusum().scan(Cusum().init(), [0.0, 1.0] * 20)
    assert (state.reference.pairs, state.last) == (0, None)
    state, _ = Cusum(correlated=True).scan(Cusum().init(), [0.0, 1.0] * 20)
    assert state.reference.pairs == 38
    assert _inflation(state.reference) == 1.0
