from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ratoon.core.errors import SettingInvalid
from ratoon.core.events import DEGRADED
from ratoon.triggers import QuantileThreshold, RollingThreshold
from ratoon.triggers.protocol import Promoted, TimePassed
from tests.unit.triggers_views import HOUR, START, answers, closed, fired, view


def of(metric: str, values: list[float]) -> list[Any]:
    return [closed(i, {"mae": 1.0, "accuracy": 0.5} | {metric: v}) for i, v in enumerate(values)]


def test_it_fires_where_the_value_is_so_much_above_the_rolling_mean() -> None:
    """With means 1, 1, 1.1 and 1.2 over two windows, 10 % above is reached at 1.2 and 1.4."""
    trigger = RollingThreshold(0.1, windows=2, warm_up=2)
    #             mean of the two before: -   -   1.0  1.1  1.2  1.3
    assert fired(trigger, of("mae", [1.0, 1.0, 1.2, 1.2, 1.4, 1.0])) == [2, 4]


def test_an_absolute_deviation_is_in_the_unit_of_the_metric() -> None:
    """A distance of 0.25 from the mean of 10 counts, of 0.125 does not; neither is 10 %."""
    trigger = RollingThreshold(0.25, absolute=True, windows=3, warm_up=2)
    assert fired(trigger, of("mae", [10.0, 10.0, 10.125])) == []
    assert fired(trigger, of("mae", [10.0, 10.0, 10.25])) == [2]


def test_what_is_better_when_larger_fires_below() -> None:
    """Accuracy fires where it falls below its mean, and not where it rises."""
    trigger = RollingThreshold(0.1, metric="accuracy", windows=5, warm_up=1)
    assert fired(trigger, of("accuracy", [0.9, 0.7])) == [1]
    assert fired(trigger, of("accuracy", [0.7, 0.9])) == []
    low = QuantileThreshold(0.25, metric="accuracy", windows=4, warm_up=4)
    # the lowest quarter of 0.5, 0.6, 0.7, 0.8 begins at 0.575
    assert fired(low, of("accuracy", [0.5, 0.6, 0.7, 0.8, 0.576])) == []
    assert fired(low, of("accuracy", [0.5, 0.6, 0.7, 0.8, 0.574])) == [4]


def test_a_loss_that_stays_zero_is_no_cause() -> None:
    """Ten per cent above a mean of 0 is 0, and a loss of 0 is not above it."""
    assert fired(RollingThreshold(0.1, warm_up=1), of("mae", [0.0] * 9)) == []


def test_a_quantile_is_that_of_the_last_windows() -> None:
    """The naive rule: worse than the interpolated quantile of the values before it."""
    values = np.random.default_rng(3).normal(size=300).tolist()
    expected = []
    for i, value in enumerate(values):
        late = sorted(values[max(0, i - 9) : i])
        place = 0.8 * (len(late) - 1)
        if i >= 4:
            low, part = int(place), place % 1
            limit = late[low] + part * (late[min(low + 1, len(late) - 1)] - late[low])
            if value > limit:
                expected.append(i)
    assert 50 < len(expected) < 100
    assert fired(QuantileThreshold(0.2, windows=9, warm_up=4), of("mae", values)) == expected


@pytest.mark.parametrize("trigger", [RollingThreshold(0.1), QuantileThreshold(0.1)], ids=str)
def test_the_values_are_kept_over_promotions_and_missing_ones_left_out(trigger: Any) -> None:
    """Modyn's rule: neither a promotion nor an undefined value changes what is late."""
    happened: list[Any] = of("mae", [1.0] * 5)
    happened[2:2] = [Promoted(), closed(0, {"mae": None}), TimePassed()]
    assert fired(trigger, [*happened, *of("mae", [1.2])]) == [8]


def test_it_says_what_was_worse_than_what() -> None:
    """The firing names the metric, its value and the limit; the cause begins with the window."""
    views = [view(one) for one in of("mae", [1.0, 1.0, 1.5])]
    (cause,) = answers(RollingThreshold(0.2, warm_up=2), views)[-1].causes
    assert (cause.event_type, cause.since, cause.since_row) == (DEGRADED, START + 2 * HOUR, 200)
    assert cause.reason == "mae is 1.5, its rolling mean 1"
    assert cause.evidence == {"metric": "mae", "value": 1.5, "mean": 1.0, "limit": 0.2}
    (cause,) = answers(QuantileThreshold(0.2, warm_up=2), views)[-1].causes
    assert cause.reason == "mae is 1.5, beyond 1 of late"


def test_they_are_written_as_a_person_would() -> None:
    """The settings that matter are in the text."""
    assert str(RollingThreshold(0.2)) == "RollingThreshold(0.2)"
    assert str(RollingThreshold(2, absolute=True, metric="mae")) == (
        "RollingThreshold(2, absolute, mae)"
    )
    assert str(QuantileThreshold(0.05, metric="mae")) == "QuantileThreshold(0.05, mae)"


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (RollingThreshold, {"deviation": 0}, "deviation must be a finite number above 0, got 0"),
        (RollingThreshold, {"deviation": 1, "windows": 0}, "windows must be .* least 1, got 0"),
        (QuantileThreshold, {"quantile": 1}, "quantile must be strictly between 0 and 1, got 1"),
        (QuantileThreshold, {"quantile": 0.1, "warm_up": 0}, "warm_up must be .* 1, got 0"),
    ],
    ids=["deviation", "windows", "quantile", "warm_up"],
)
def test_settings_are_checked_when_they_are_made(
    kind: Any, settings: dict[str, float], message: str
) -> None:
    """A setting that breaks its rule is refused by its name, the rule and the value."""
    with pytest.raises(SettingInvalid, match=f"^{message}$"):
        kind(**settings)
