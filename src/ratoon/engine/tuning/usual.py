"""What is tried where nobody says what: the built-in triggers, in ranges that fit a history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ratoon.core.settings import not_negative
from ratoon.detectors import KSWIN, Adwin, Cusum
from ratoon.engine.history import History
from ratoon.engine.loop import Loop
from ratoon.engine.tuning.lines import python
from ratoon.engine.tuning.space import Family, Number, OneOf, Whole
from ratoon.triggers import DataDrift, Degraded, Drift, Every, Never, NewLabels, WorthIt
from ratoon.triggers.protocol import Side
from ratoon.windows.labels import infer_target

_DAY_S = 86400.0
_MONTH_DAYS = 30.0
_TIMES = 3  # as many measurements as the newest ones are compared with, and these


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How long a history is, by which the ranges go."""

    days: float  # from the first arrival to the last
    rows: int  # to be predicted
    window: int  # labelled rows a measurement
    retrain_cost: float
    classes: bool  # whether labels are classes


def scale_of(loop: Loop, history: History, retrain_cost: float) -> Scale:
    """Return how long a history is.

    Raises:
        SettingInvalid: the cost is negative or no number.
    """
    not_negative("retrain_cost", retrain_cost)
    first, last = history.at, max((one.at for one in history.arrivals), default=history.at)
    task = loop.task or infer_target(tuple(history.labels)).task
    return Scale(
        days=max((last - first).total_seconds() / _DAY_S, 1e-3),
        rows=len(history),
        window=loop.window,
        retrain_cost=retrain_cost,
        classes=task != "regression",
    )


def usual_space(loop: Loop, history: History, *, retrain_cost: float) -> tuple[Family, ...]:
    """Return the families that are tried by default: the built-in triggers.

    The calendar, new labels, degradation, drift of the metric by CUSUM, KSWIN and, of classes,
    ADWIN, drift of the inputs and of the predictions, and, where a retraining costs something,
    `WorthIt` at multiples of that. Periods and numbers of rows go by the length of the history.

    Args:
        loop: whose policy is searched.
        history: on which; the part to search on is enough.
        retrain_cost: what a fit costs, in the unit of the summed row losses.

    Raises:
        SettingInvalid: the cost is negative or no number.
    """
    scale = scale_of(loop, history, retrain_cost)
    return (*_worth(scale), *_by_the_calendar(scale), *_by_the_metric(scale), *_by_the_inputs())


def untuned(loop: Loop, scale: Scale) -> tuple[Family, ...]:
    """Return the policies that nobody has tuned, the default one first.

    The default is `WorthIt` at the cost of a retraining, where that is above 0, else what a loop
    does that nobody told when to retrain.
    """
    price = scale.retrain_cost
    told: list[tuple[str, Any]] = [("worth", WorthIt(price))] if price else []
    told += [("drift or degraded", Drift() | Degraded(by=0.1)), ("never", Never())]
    told += [("loop", loop.retrain_when), ("every", Every(days=_period(scale)))]
    # One of two that are written alike is enough; the loop as it is keeps its name.
    names = {python(trigger): name for name, trigger in told if name != "every"}
    names[python(loop.retrain_when)] = "loop"
    once = {python(trigger): trigger for _, trigger in told}
    return tuple(_fixed(names.get(line, "every"), trigger) for line, trigger in once.items())


def _fixed(name: str, trigger: Any) -> Family:
    return Family(name, lambda: trigger)


def _worth(scale: Scale) -> Iterator[Family]:
    if not scale.retrain_cost:
        return
    multiples = Number(0.1, 10, log=True)

    def made(multiple: float) -> Any:
        cost = scale.retrain_cost
        return WorthIt(cost if multiple == 1 else _tidy(cost * multiple))

    yield Family("worth", made, settings={"multiple": multiples}, start={"multiple": 1.0})


def _period(scale: Scale) -> float:
    """Return a period in days that somebody would take who has not tried any."""
    return _MONTH_DAYS if scale.days / 3 >= _MONTH_DAYS else _tidy(scale.days / 10)


def _by_the_calendar(scale: Scale) -> Iterator[Family]:
    shortest, longest = _tidy(scale.days / 100), _tidy(scale.days / 2)
    yield Family(
        "every",
        _every,
        settings={"days": Number(shortest, longest, log=True)},
        start={"days": min(longest, max(shortest, _period(scale)))},
    )
    fewest, most = scale.window, max(scale.window, scale.rows // 2)
    yield Family(
        "new labels",
        _new_labels,
        settings={"rows": Whole(fewest, most, log=True)},
        start={"rows": min(most, max(fewest, scale.rows // 10))},
    )


def _by_the_metric(scale: Scale) -> Iterator[Family]:
    yield Family(
        "degraded",
        _degraded,
        settings={"by": Number(0.01, 0.5, log=True), "windows": Whole(1, 5)},
        start={"by": 0.1, "windows": 2},
    )
    yield Family(
        "drift cusum",
        _by_cusum,
        settings={"slack": Number(0.1, 2), "threshold": Number(1, 30, log=True)},
        start={"slack": Cusum().slack, "threshold": Cusum().threshold},
    )
    yield Family(
        "drift kswin",
        _by_kswin,
        settings={"alpha": Number(1e-4, 0.1, log=True), "stat_size": Whole(4, 30, log=True)},
    )
    if scale.classes:
        yield Family(
            "drift adwin",
            _by_adwin,
            settings={"delta": Number(1e-4, 0.5, log=True)},
        )


def _by_the_inputs() -> Iterator[Family]:
    yield Family(
        "data drift",
        _data_drift,
        settings={
            "of": OneOf(("inputs", "outputs")),
            "effect": Number(0.02, 0.5, log=True),
            "windows": Whole(1, 5),
        },
        start={"of": "inputs", "effect": 0.1, "windows": 2},
    )


def _tidy(value: float) -> float:
    return float(f"{value:.3g}")


def _every(days: float) -> Every:
    return Every(days=days)


def _new_labels(rows: int) -> NewLabels:
    return NewLabels(rows)


def _degraded(by: float, windows: int) -> Degraded:
    return Degraded(by=by, windows=windows)


def _by_cusum(slack: float, threshold: float) -> Drift:
    return Drift(detector=Cusum(slack=slack, threshold=threshold))


def _by_kswin(alpha: float, stat_size: int) -> Drift:
    detector = KSWIN(alpha=alpha, window_size=_TIMES * stat_size, stat_size=stat_size)
    return Drift(detector=detector)


def _by_adwin(delta: float) -> Drift:
    return Drift(detector=Adwin(delta=delta, clock=1))  # a measurement is of a window


def _data_drift(of: Side, effect: float, windows: int) -> DataDrift:
    return DataDrift(of=of, effect=effect, windows=windows)
