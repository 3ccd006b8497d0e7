"""The policies that the benchmark of decisions compares, with the settings that are tried."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.decisions_running import (
    Array,
    Done,
    Run,
    Setting,
    Settings,
    Task,
    challenged,
    scanned,
    triggered,
)
from ratoon import detectors, triggers

OURS = "WorthIt"
PREFIX = 20  # chunks that fitted policies learn from beforehand

_ALL = 2  # the place of the window of all rows; 0 and 1 are the last five and fifteen chunks
_PLACES = (_ALL, 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A policy, and the settings among which one is chosen on other streams."""

    name: str
    run: Run
    settings: Settings  # the first is the default: taken where there is no other stream
    by_cost: bool = True  # whether it knows what a fit costs
    prefixed: bool = False  # whether it is given all models of the prefix, which nobody pays
    reference: bool = False  # shown beside the policies, and none of them
    of: tuple[Any, ...] = ()  # classes whose code the decisions depend on

    def __post_init__(self) -> None:
        """Check that there is something to run."""
        if not self.settings:
            raise ValueError(f"{self.name} has no settings")


def families() -> list[Family]:
    """Return all: ours first, then those of the literature, then the references."""
    return [_ours(), *_blind(), *_thresholds(), *_of_detectors(), *_of_cost(), *_references()]


def grid(**values: Iterable[Any]) -> Settings:
    """Return every combination; of all rows first, then of the other training windows."""
    named = {"window": _PLACES, **values}
    return [dict(zip(named, each, strict=True)) for each in itertools.product(*named.values())]


def _ours() -> Family:
    """Return the default policy, as a user has it who states what a retraining costs."""

    def run(task: Task, setting: Setting) -> Done:
        trigger = triggers.WorthIt(retrain_cost=task.cost)
        return triggered(task, setting, trigger, watch=2)

    return Family(name=OURS, run=run, settings=[{"window": _ALL}], of=(triggers.WorthIt,))


def _simple(
    name: str, kind: Any, make: Callable[[Task, Setting], Any], settings: Settings, **more: Any
) -> Family:
    """Return a policy that is a trigger, which sees a chunk at once."""
    watch = more.pop("watch", 0)

    def run(task: Task, setting: Setting) -> Done:
        return triggered(task, setting, make(task, setting), watch=watch)

    return Family(name=name, run=run, settings=settings, of=(kind, make), **more)


def _blind() -> list[Family]:
    """Return policies that look at no losses."""
    t, free = triggers, {"by_cost": False}
    periods = (1, 2, 3, 5, 7, 10, 14, 20, 28, 40)
    chances = (0.05, 0.02, 0.1, 0.2, 0.4)
    rows = (1000, 250, 500, 2000, 4000, 8000)
    return [
        _simple("Never", t.Never, lambda *_: t.Never(), grid(), **free),
        _simple("Always", t.Always, lambda *_: t.Always(), grid(), **free),
        _simple(
            "Every", t.Every, lambda _, s: t.Every(days=s["chunks"]), grid(chunks=periods), **free
        ),
        _simple(
            "Random", t.Random, lambda _, s: t.Random(s["chance"]), grid(chance=chances), **free
        ),
        _simple(
            "NewLabels", t.NewLabels, lambda _, s: t.NewLabels(s["rows"]), grid(rows=rows), **free
        ),
        Family(
            name="DataDrift",
            run=drifted,
            settings=[
                {"window": _ALL, "windows": windows, "effect": effect}
                for windows in (2, 1)
                for effect in (None, 0.2, 0.4)
            ],
            of=(t.DataDrift, drifted),
            by_cost=False,
        ),
    ]


def drifted(task: Task, setting: Setting) -> Done:
    """Run `DataDrift` on the inputs; what is compared is charged as if each run did it itself."""
    trigger = triggers.DataDrift(windows=setting["windows"], effect=setting["effect"])
    inputs, seconds, champions = task.bed.inputs, list[float](), set[int]()

    def beside(born: int, window: int, chunk: int) -> Iterator[Any]:
        del window
        closed, took = inputs.beside(born, chunk)
        seconds.append(took if born in champions else took + inputs.paid(born))
        champions.add(born)
        yield closed

    done = triggered(task, setting, trigger, beside=beside)
    return Done(schedule=done.schedule, scored=done.scored, cpu_s=done.cpu_s + sum(seconds))


def _thresholds() -> list[Family]:
    """Return thresholds on the mean loss of a chunk."""
    t, free = triggers, {"by_cost": False}
    return [
        _simple(
            "Degraded, absolute",
            t.Degraded,
            lambda _, s: t.Degraded(beyond=s["beyond"], windows=1, sure=0.0),
            grid(beyond=(0.3, 0.1, 0.15, 0.2, 0.4, 0.5)),
            **free,
        ),
        _simple(
            "Degraded, relative",
            t.Degraded,
            lambda _, s: t.Degraded(by=s["by"], windows=s["windows"], sure=0.0),
            grid(by=(0.1, 0.05, 0.2, 0.4), windows=(2, 1)),
            **free,
        ),
        _simple(
            "RollingThreshold",
            t.RollingThreshold,
            lambda _, s: t.RollingThreshold(s["deviation"], windows=s["windows"]),
            grid(deviation=(0.1, 0.05, 0.2, 0.4), windows=(15, 5)),
            **free,
        ),
        _simple(
            "QuantileThreshold",
            t.QuantileThreshold,
            lambda _, s: t.QuantileThreshold(s["quantile"], windows=s["windows"]),
            grid(quantile=(0.05, 0.02, 0.15, 0.3), windows=(15, 30)),
            **free,
        ),
        _simple(
            "Rccda",
            t.Rccda,
            lambda _, s: t.Rccda(s["budget"], weight=s["weight"]),
            grid(budget=(0.05, 0.02, 0.1, 0.2), weight=(10.0, 1.0, 100.0)),
            **free,
        ),
        _simple(
            "Pilot",
            (t.Pilot, t.PilotScorer),
            _pilot,
            grid(threshold=(1.0, 0.5, 2.0), cooldown=(5, 10)),
            **free,
        ),
    ]


def _pilot(task: Task, setting: Setting) -> Any:
    """Return PILOT, its scorer learned on the losses of the first model in the prefix."""
    frozen = task.bed.means[0, setting["window"], : _prefix(task)]
    learned = triggers.Pilot.fitted(frozen)
    return triggers.Pilot(
        learned.scorer, threshold=setting["threshold"], cooldown=setting["cooldown"]
    )


def _of_detectors() -> list[Family]:
    """Return drift detectors on the champion's loss: row by row, in short windows, by chunks."""
    d = detectors

    def cusum(task: Task, setting: Setting) -> Done:
        detector = d.Cusum(threshold=setting["threshold"], warm_up=setting["warm_up"])
        pieces = _short(task) if setting["feed"] == "short" else 1
        trigger = triggers.Drift(detector=detector)
        return triggered(task, setting, trigger, pieces=pieces)

    tried = [
        ("ADWIN", lambda b, v: d.Adwin(delta=v, clock=b.clock), (0.002, 0.05, 0.3, 1e-6)),
        ("DDM", lambda _, v: d.DDM(drift_threshold=v, warning_threshold=v / 2), (3.0, 2.0, 5.0)),
        ("EDDM", lambda _, v: d.EDDM(beta=v, alpha=(1 + v) / 2), (0.85, 0.7, 0.95)),
        (
            "HDDM-A",
            lambda _, v: d.HDDMA(drift_confidence=v, warning_confidence=0.5),
            (1e-3, 1e-6, 0.05),
        ),
        (
            "HDDM-W",
            lambda _, v: d.HDDMW(drift_confidence=v, warning_confidence=0.5),
            (1e-5, 1e-9, 1e-3),
        ),
        (
            "PageHinkley",
            lambda _, v: d.PageHinkley(delta=0.02, threshold=v),
            (50.0, 1.0, 5.0, 20.0),
        ),
        (
            "KSWIN",
            lambda _, v: d.KSWIN(alpha=v, window_size=200, stat_size=50),
            (1e-5, 1e-9, 1e-3),
        ),
        ("STEPD", lambda _, v: d.STEPD(alpha_drift=v, alpha_warning=0.5), (1e-6, 1e-9, 1e-3)),
        ("EDetector", _betting, (1e-4, 1e-2, 1e-6)),
    ]
    fed = ("short", "chunks")
    return [
        Family(
            name="CUSUM",
            run=cusum,
            settings=grid(threshold=(7.0, 3.0, 15.0), feed=fed, warm_up=(20, 5)),
            by_cost=False,
            of=(d.Cusum, triggers.Drift),
        ),
        *(_of_detector(name, make, values) for name, make, values in tried),
    ]


def _of_detector(
    name: str, make: Callable[[_Bounds, float], Any], values: Iterable[float]
) -> Family:
    def run(task: Task, setting: Setting) -> Done:
        most = int(task.bed.rows) + 1
        pieces = {"rows": most, "short": _short(task), "chunks": 1}[setting["feed"]]
        return scanned(task, setting, make(_bounds(task, setting), setting["value"]), pieces)

    settings = grid(feed=("rows", "short", "chunks"), value=values)
    kind = type(make(_Bounds(mean=0.5, high=1.0), next(iter(values))))
    return Family(name=name, run=run, settings=settings, by_cost=False, of=(kind, make))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    """Of the row losses of the first model on the prefix, and how often they are looked at."""

    mean: float
    high: float
    clock: int = 1  # values from a look of ADWIN to the next: each of a few, river's of many


def _bounds(task: Task, setting: Setting) -> _Bounds:
    matrix, place, few = task.bed.matrix, setting["window"], _prefix(task)
    stop = matrix.chunks.end(few) - matrix.chunks.first
    high = max(1.0, float(matrix.losses[0, place, :stop].max()))
    mean = float(task.bed.means[0, place, :few].mean())
    clock = 32 if setting["feed"] == "rows" else 1
    return _Bounds(mean=min(max(mean, 0.01 * high), 0.99 * high), high=high, clock=clock)


def _betting(bounds: _Bounds, alpha: float) -> Any:
    """Return the one detector that must be told beforehand which mean is no drift."""
    return detectors.EDetector(mean=bounds.mean, high=bounds.high, alpha=alpha)


def _short(task: Task) -> int:
    """Return how many windows of about ten rows a chunk has; at most twenty."""
    return max(1, min(20, int(task.bed.rows) // 10))


def _of_cost() -> list[Family]:
    """Return policies that weigh the loss against the cost of a fit."""
    t, factors = triggers, (1.0, 0.5, 2.0, 4.0)
    return [
        _simple(
            "AvoidableErrors",
            t.AvoidableErrors,
            lambda task, s: t.AvoidableErrors(s["factor"] * task.cost),
            grid(factor=factors),
        ),
        _simple(
            "SkiRental",
            t.SkiRental,
            lambda task, s: t.SkiRental(s["factor"] * task.cost, seed=0),
            grid(factor=factors),
        ),
        _simple(
            "BackOff",
            t.BackOff,
            lambda task, s: t.BackOff(s["factor"] * task.cost),
            grid(factor=factors),
            watch=2,
        ),
        _fitted("CARA-T", t.CaraThreshold),
        _fitted("CARA-CT", t.CaraCumulative),
        _fitted("CARA-P", t.CaraPeriod),
        _simple(
            "UPF",
            t.UPF,
            lambda task, s: t.UPF.fitted(
                _models(task, s),
                task.cost,
                rows=_rows(task),
                start=task.bed.matrix.chunks.first,
                horizon=s["horizon"],
                level=s["level"],
            ),
            grid(horizon=(10, 25), level=(0.95, 0.5)),
            prefixed=True,
        ),
    ]


def _fitted(name: str, kind: Any) -> Family:
    """Return an algorithm of CARA, fitted on the prefix."""
    return _simple(
        name,
        kind,
        lambda task, s: kind.fitted(_models(task, s), task.cost, rows=_rows(task)),
        grid(),
        prefixed=True,
    )


def _prefix(task: Task) -> int:
    return min(PREFIX, task.bed.matrix.chunks.count)


def _models(task: Task, setting: Setting) -> Array:
    """Return the losses of all models of the prefix on its chunks: nobody is charged for them."""
    few = _prefix(task)
    return np.asarray(task.bed.means[:few, setting["window"], :few])


def _rows(task: Task) -> int:
    return max(1, round(task.bed.rows))


def _references() -> list[Family]:
    """Return what stands beside: what a challenger at every decision tells, free and paid."""
    settings = grid(factor=(1.0, 0.5, 2.0))
    return [
        Family(
            name=f"challenger, {word}",
            run=_challenger(charged=charged),
            settings=settings,
            reference=True,
            of=(challenged,),
        )
        for word, charged in (("free", False), ("charged", True))
    ]


def _challenger(*, charged: bool) -> Run:
    def run(task: Task, setting: Setting) -> Done:
        return challenged(task, setting, charged=charged)

    return run
