"""The e-detector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from ratoon.core.errors import SettingInvalid
from ratoon.detectors import EDetector
from tests.unit.detectors_streams import alarms, stepwise

Floats = NDArray[np.float64]


def naive(detector: EDetector, values: Sequence[float]) -> Iterator[tuple[int, int]]:
    """All bettors of all starts, each with the product of its e-values."""
    first = 0
    f = np.array(detector.fractions)[:, np.newaxis]
    wealth = np.zeros((len(f), 0))
    for last, value in enumerate(values):
        held = min(max(value, detector.low), detector.high)
        if detector.direction == "up":
            y = (held - detector.low) / (detector.mean - detector.low)
        else:
            y = (detector.high - held) / (detector.high - detector.mean)
        wealth = np.hstack([wealth, np.ones((len(f), 1))]) * (1 - f + f * y)
        if wealth.sum() / len(f) >= 1 / detector.alpha:
            best = int(np.argmax(wealth.sum(axis=1)))
            yield last, first + int(np.argmax(wealth[best]))
            first, wealth = last + 1, np.zeros((len(f), 0))


@pytest.mark.parametrize(
    "detector",
    [
        EDetector(mean=0.25, alpha=0.01),
        EDetector(mean=0.1, alpha=0.001, fractions=(0.05, 0.9)),
        EDetector(mean=0.4, alpha=0.01, direction="down"),
        EDetector(mean=3.0, alpha=0.01, low=-1.0, high=9.0),
    ],
)
def test_it_is_its_definition(detector: EDetector) -> None:
    """Alarms and change points equal those of all bettors written out."""
    values = stepwise(seed=1, size=300)
    values = 8.0 * values - 0.5 if detector.high > 1.0 else values
    expected = list(naive(detector, values.tolist()))
    assert expected
    assert alarms(detector, values) == expected


def independent(generator: np.random.Generator, n: int) -> Floats:
    """Errors at a rate of 0.2."""
    return (generator.random(n) < 0.2).astype(float)


def skewed(generator: np.random.Generator, n: int) -> Floats:
    """Losses of mean 0.2 with rare large values."""
    return generator.beta(0.05, 0.2, size=n)


def swinging(generator: np.random.Generator, n: int) -> Floats:
    """Losses whose spread hangs on all before; their mean is 0.2, whatever has been."""
    values = np.zeros(n)
    for i in range(n):
        far = values[i - 1] > 0.2 if i else True
        values[i] = (generator.random() < 0.2) if far else 0.1 + 0.2 * (generator.random() < 0.5)
    return values


def seasonal(generator: np.random.Generator, n: int) -> Floats:
    """Errors at a rate that is at most 0.2, and mostly below."""
    return (generator.random(n) < 0.2 * np.sin(np.arange(n) / 100.0) ** 2).astype(float)


@pytest.mark.parametrize("draw", [independent, skewed, swinging, seasonal])
def test_false_alarms_are_as_far_apart_as_promised(draw: object) -> None:
    """The mean time to the first false alarm is at least 1 / alpha, whatever the values hang on.

    Times are cut off at 4 / alpha, which only shortens their mean.
    """
    generator = np.random.default_rng(2)
    detector = EDetector(mean=0.2, alpha=0.01)
    times = []
    for _ in range(150):
        found = alarms(detector, draw(generator, 400))  # type: ignore[operator]
        times.append(found[0][0] + 1 if found else 400)
    assert np.mean(times) >= 100


def test_a_learnt_bound_is_not_promised() -> None:
    """A mean above the bound is a drift, again and again: the bound is the user's word."""
    errors = np.random.default_rng(3).random(5000) < 0.3
    assert len(alarms(EDetector(mean=0.2), errors)) > 5
    assert alarms(EDetector(mean=0.4), errors) == []


def test_a_rise_is_found_and_dated() -> None:
    """From 0.2 to 0.5 after 2,000 errors: seen within 60 (median), dated to 10."""
    generator = np.random.default_rng(4)
    rates = np.repeat([0.2, 0.5], [2000, 500])
    delays, misdated = [], []
    for _ in range(30):
        found = alarms(EDetector(mean=0.2), generator.random(2500) < rates)
        after = [(i, since or 0) for i, since in found if i >= 2000]
        delays.append(after[0][0] - 1999)
        misdated.append(abs(after[0][1] - 2000))
    assert np.median(delays) <= 60
    assert np.median(misdated) <= 10


def test_long_quiet_streams_keep_the_state_finite() -> None:
    """After 200,000 values far below the bound a rise is still found."""
    values = np.append(np.zeros(200_000), np.ones(40))
    detector = EDetector(mean=0.5, fractions=(0.01, 0.99))
    (first, *_) = alarms(detector, values)
    assert 200_000 <= first[0] < 200_040
    assert first[1] == 200_000


@pytest.mark.parametrize(
    "settings",
    [
        {"mean": 0.0},
        {"mean": 1.0},
        {"mean": 0.5, "fractions": ()},
        {"mean": 0.5, "fractions": (0.5, 1.0)},
        {"mean": 0.5, "fractions": (0.5,) * 33},
        {"mean": 0.5, "alpha": 0.0},
        {"mean": 0.5, "low": 0.6},
        {"mean": 0.5, "direction": "both"},
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, object]) -> None:
    """The mean lies between low and high; fractions and alpha between 0 and 1."""
    with pytest.raises(SettingInvalid):
        EDetector(**settings)  # type: ignore[arg-type]
