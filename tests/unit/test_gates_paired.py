from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.core.times import EPOCH
from ratoon.core.versions import Verdict
from ratoon.gates import Better, Gate, NotWorse, Untested
from ratoon.gates.paired import Evidence, differences
from ratoon.metrics import (
    F1,
    MAE,
    R2,
    RMSE,
    Accuracy,
    Brier,
    Custom,
    LogLoss,
    Metric,
    RocAuc,
)
from ratoon.windows.judged import Judged, Scored, Target

NUMBER = Target(task="regression")
PAIR = Target(task="binary", classes=("fair", "fraud"))
TRIPLE = Target(task="multiclass", classes=("a", "b", "c"))


def measured(**values: float | None) -> dict[str, Measurement]:
    window = Window(start=EPOCH, end=EPOCH)
    return {n: Measurement(metric=n, window=window, value=v, n=100) for n, v in values.items()}


def erring(errors: ArrayLike) -> Judged:
    """A regression's rows with these errors."""
    outputs = np.array(errors, dtype=float)
    return Judged(target=NUMBER, labels=np.zeros(len(outputs)), scored=Scored(outputs=outputs))


def wrong(rows: ArrayLike) -> Judged:
    """A binary classifier's rows, 1 where it is wrong, with certain probabilities."""
    outputs = np.array(rows, dtype=float)
    scores = np.column_stack([1 - outputs, outputs])
    labels = np.zeros(len(outputs))
    return Judged(target=PAIR, labels=labels, scored=Scored(outputs=outputs, scores=scores))


def looked(
    gate: Gate[Any],
    champion: Judged,
    challenger: Judged,
    baseline: Mapping[str, Measurement] | None = None,
) -> tuple[Verdict, int]:
    state = gate.init(baseline or measured(mae=1.0, accuracy=0.9), champion.target)
    _, found = gate.step(state, champion, challenger)
    return found.verdict, found.rows


def uneven(rows: int, champion: float, challenger: float, seed: int = 0) -> tuple[Judged, Judged]:
    """Rows that both get wrong at these rates, each by itself."""
    rng = np.random.default_rng(seed)
    return wrong(rng.random(rows) < champion), wrong(rng.random(rows) < challenger)


@pytest.mark.parametrize("metric", ["accuracy", "brier"])
def test_a_real_improvement_passes(metric: str) -> None:
    """A challenger that errs half as often passes, with its effect and bounds above 0."""
    verdict, rows = looked(Better(metric), *uneven(2000, 0.2, 0.1))
    assert (verdict.outcome, verdict.metric, verdict.n) == ("pass", metric, rows)
    assert rows < 1000
    assert verdict.evidence is not None
    assert verdict.evidence >= 20
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.effect is not None
    assert 0 <= verdict.low < verdict.effect < verdict.high
    assert verdict.needed is None
    assert f"{verdict.effect:+.4g} [{verdict.low:+.4g}, {verdict.high:+.4g}]" in verdict.reason


def test_pass_and_fail_mirror_each_other() -> None:
    """With the sides exchanged `Better` fails where it passed, by the opposite effect."""
    champion, challenger = uneven(2000, 0.2, 0.1)
    passed, rows = looked(Better("accuracy"), champion, challenger)
    failed, rows_of_failure = looked(Better("accuracy"), challenger, champion)
    assert (passed.outcome, failed.outcome) == ("pass", "fail")
    assert (rows, passed.effect) == (rows_of_failure, -(failed.effect or 0.0))
    assert passed.low == pytest.approx(-(failed.high or 0.0))
    assert passed.high == pytest.approx(-(failed.low or 0.0))
    assert failed.reason.startswith("not good enough: accuracy")


def test_patience_ends_in_a_failure() -> None:
    """Where nothing decides, the champion stays after exactly `patience` rows, and no earlier."""
    champion, challenger = uneven(700, 0.1, 0.1)
    gate = Better("accuracy", patience=600)
    state = gate.init({}, PAIR)
    state, found = gate.step(state, champion.take(slice(0, 599)), challenger.take(slice(0, 599)))
    assert (found.verdict.outcome, found.rows, found.verdict.needed) == ("inconclusive", 599, 1)
    assert "about 1 more label" in found.verdict.reason
    rest = slice(599, 700)
    state, found = gate.step(state, champion.take(rest), challenger.take(rest))
    assert (found.verdict.outcome, found.rows, found.verdict.n) == ("fail", 1, 600)
    assert found.verdict.reason.startswith("still undecided: accuracy")


def test_without_rows_nothing_is_decided() -> None:
    """An empty batch is inconclusive, with the widest bounds and no effect."""
    verdict, rows = looked(Better("mae"), erring([]), erring([]))
    assert (verdict.outcome, rows, verdict.n, verdict.effect) == ("inconclusive", 0, 0, None)
    assert (verdict.low, verdict.high) == (-5.0, 5.0)
    assert verdict.needed == 2000


def test_the_number_of_labels_needed_shrinks_to_patience() -> None:
    """An inconclusive verdict never asks for more labels than patience allows."""
    champion, challenger = uneven(300, 0.12, 0.1)
    for rows in (10, 100, 290):
        gate = Better("accuracy", patience=300)
        verdict, _ = looked(gate, champion.take(slice(0, rows)), challenger.take(slice(0, rows)))
        assert verdict.outcome == "inconclusive"
        assert verdict.needed is not None
        assert 1 <= verdict.needed <= 300 - rows


@pytest.mark.parametrize(
    ("gate", "gain", "outcome"),
    [
        (Better("mae", by=1.0), 2.0, "pass"),
        (Better("mae", by=1.0), 0.5, "fail"),
        (Better("mae", by=1.0), 1.0, "fail"),  # nothing can tell; patience ends
        (NotWorse("mae", margin=1.0), 0.0, "pass"),
        (NotWorse("mae", margin=1.0), -0.5, "pass"),
        (NotWorse("mae", margin=1.0), -2.0, "fail"),
    ],
    ids=str,
)
def test_margins_are_in_the_unit_of_the_metric(
    gate: Better | NotWorse, gain: float, outcome: str
) -> None:
    """An improvement of `by`, or a loss of `margin`, is meant in the unit that errors have."""
    champion, challenger = erring([6.0] * 2000), erring([6.0 - gain] * 2000)
    verdict, _ = looked(gate, champion, challenger, measured(mae=2.0))
    assert verdict.outcome == outcome
    assert verdict.effect == pytest.approx(gain)
    assert verdict.low is not None
    assert verdict.high is not None
    margin = gate.by if isinstance(gate, Better) else -gate.margin
    if outcome == "pass":
        assert verdict.low >= margin
    elif gain != margin:
        assert verdict.high <= margin
    assert verdict.low <= gain <= verdict.high


@pytest.mark.parametrize("unit", [1e-3, 100.0, 1e6])
def test_another_unit_changes_no_decision(unit: float) -> None:
    """Errors, baseline and margin in cents decide as in euros, with the effect in cents."""
    rng = np.random.default_rng(5)
    champion, challenger = rng.normal(0, 2, 1500), rng.normal(0, 1.8, 1500)
    small = looked(NotWorse("mae", margin=0.1), erring(champion), erring(challenger))
    large = looked(
        NotWorse("mae", margin=0.1 * unit),
        erring(champion * unit),
        erring(challenger * unit),
        measured(mae=unit),
    )
    assert (small[0].outcome, small[1]) == (large[0].outcome, large[1])
    for one, other in zip(
        (small[0].effect, small[0].low, small[0].high),
        (large[0].effect, large[0].low, large[0].high),
        strict=True,
    ):
        assert one is not None
        assert other == pytest.approx(one * unit)


def test_one_wild_row_cannot_decide() -> None:
    """A difference beyond five times the champion's mean loss counts as that, on either side."""
    champion, challenger = [1.0] * 50, [1.0] * 50
    wild = Better("mae").init(measured(mae=2.0), NUMBER)
    assert wild.bound == 10.0
    for error in (1e3, 1e300, -1e308):
        d = differences(MAE(), wild.bound, erring([*champion, 1.0]), erring([*challenger, error]))
        assert d.tolist() == [0.0] * 50 + [-1.0]
    verdict, rows = looked(
        Better("mae"), erring([*champion, 1e9]), erring([*challenger, 1.0]), measured(mae=2.0)
    )
    assert (verdict.outcome, rows) == ("inconclusive", 51)
    assert verdict.effect == pytest.approx(10.0 / 51)


def test_large_errors_of_both_still_differ() -> None:
    """Where a champion has fallen far behind its baseline, differences are not cut away."""
    champion, challenger = erring([60.0] * 100), erring([55.0] * 100)
    verdict, _ = looked(Better("mae"), champion, challenger, measured(mae=2.0))
    assert (verdict.outcome, verdict.effect) == ("pass", pytest.approx(5.0))


def test_errors_beyond_all_floats_are_a_tie() -> None:
    """Two infinite losses cannot be told apart; they count as equal and poison nothing."""
    far = Judged(target=NUMBER, labels=np.full(3, 1e308), scored=Scored(outputs=np.full(3, -1e308)))
    assert differences(MAE(), 1.0, far, far).tolist() == [0.0, 0.0, 0.0]
    assert differences(MAE(), 1.0, far, erring([1.0] * 3)).tolist() == [1.0, 1.0, 1.0]


def test_a_brier_score_of_several_classes_has_twice_the_range() -> None:
    """Three classes: the loss of a row is up to 2, and a margin counts in that unit."""
    gate = NotWorse("brier", margin=1.5)
    assert gate.init(measured(brier=0.3), TRIPLE).bound == 2.0
    with pytest.raises(SettingInvalid, match=r"^margin must be below 1, .* brier, got 1.5$"):
        gate.init(measured(brier=0.3), PAIR)
    right = Scored(outputs=np.zeros(40), scores=np.tile([1.0, 0.0, 0.0], (40, 1)))
    off = Scored(outputs=np.ones(40), scores=np.tile([0.0, 1.0, 0.0], (40, 1)))
    champion = Judged(target=TRIPLE, labels=np.zeros(40), scored=off)
    verdict, _ = looked(Better("brier"), champion, replace(champion, scored=right))
    assert (verdict.outcome, verdict.effect) == ("pass", pytest.approx(2.0))


def test_a_metric_is_named_or_given() -> None:
    """A metric's name and the metric itself give the same verdict, and read alike."""
    pair = uneven(500, 0.3, 0.2)
    assert looked(Better("accuracy"), *pair) == looked(Better(Accuracy()), *pair)
    assert str(Better(Accuracy())) == str(Better("accuracy")) == "Better(accuracy)"
    assert str(NotWorse("mae", margin=0.5)) == "NotWorse(mae, margin=0.5)"
    assert str(Better(by=0.01)) == "Better(by=0.01)"


def pay(labels: Any, outputs: Any, _: Any) -> Any:
    return 10.0 - np.abs(labels - outputs)


@pytest.mark.parametrize("largest", [10.0, None])
def test_a_metric_of_ones_own_may_be_better_when_greater(largest: float | None) -> None:
    """A gain a row, bounded or not, decides in its own unit: more of it passes."""
    metric = Custom(name="pay", function=pay, greater_is_better=True, per_row=True, largest=largest)
    champion, challenger = erring([4.0] * 200), erring([1.0] * 200)
    verdict, _ = looked(Better(metric), champion, challenger, measured(pay=6.0))
    assert (verdict.outcome, verdict.effect) == ("pass", pytest.approx(3.0))
    verdict, _ = looked(Better(metric), challenger, champion, measured(pay=6.0))
    assert verdict.outcome == "fail"


def mean_error(labels: Any, outputs: Any, _: Any) -> float:
    return float(np.abs(labels - outputs).mean())


NO_MEANS: list[str | Metric] = [
    *("f1", "precision", "recall", "roc_auc", "r2", "rmse"),
    *(F1(), RocAuc(), R2(), RMSE()),
    Custom(name="own", function=mean_error, greater_is_better=False),
]


@pytest.mark.parametrize("metric", NO_MEANS, ids=repr)
def test_a_metric_that_is_no_mean_of_row_losses_is_refused(metric: str | Metric) -> None:
    """The gate cannot be made at all, and says which metrics would do."""
    for make in (Better, lambda m: NotWorse(m, margin=0.01)):
        with pytest.raises(
            SettingInvalid, match=r"^the gate's metric must be a mean of row losses"
        ):
            make(metric)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": "nonsense"}, "metric must be one of .*, got 'nonsense'"),
        ({"by": -0.1}, "by must be a finite number of at least 0, got -0.1"),
        ({"by": 1.0, "metric": "accuracy"}, "by must be below 1, .* accuracy, got 1.0"),
        ({"by": 2.0, "metric": "brier"}, "by must be below 2, .* brier, got 2.0"),
        ({"alpha": 0.0}, "alpha must be strictly between 0 and 1, got 0.0"),
        ({"alpha": 1}, "alpha must be strictly between 0 and 1, got 1"),
        ({"patience": 0}, "patience must be a whole number .* of at least 1, got 0"),
        ({"patience": 100.0}, "patience must be a whole number .*, got 100.0"),
    ],
    ids=[str(i) for i in range(8)],
)
def test_settings_are_checked_when_they_are_made(settings: dict[str, Any], message: str) -> None:
    """A setting that breaks its rule is refused by its name, the rule and the value."""
    with pytest.raises(SettingInvalid, match=f"^{message}$"):
        Better(**settings)
    with pytest.raises(SettingInvalid, match=r"^margin must be a finite number above 0, got 0$"):
        NotWorse(margin=0)


@pytest.mark.parametrize(
    ("names", "target", "metric"),
    [
        (("log_loss", "brier", "accuracy"), PAIR, "brier"),
        (("accuracy",), PAIR, "accuracy"),
        (("log_loss", "f1"), PAIR, "brier"),
        (("roc_auc",), TRIPLE, "brier"),
        (("f1",), PAIR, "accuracy"),
        (("own",), TRIPLE, "accuracy"),
        ((), PAIR, "accuracy"),
        (("mae", "rmse"), NUMBER, "mae"),
        (("rmse",), NUMBER, "mae"),
    ],
)
def test_without_a_metric_the_task_has_its_usual_one(
    names: tuple[str, ...], target: Target, metric: str
) -> None:
    """Brier where there are probabilities, else the error rate; absolute errors for numbers."""
    state = Better().init(measured(**dict.fromkeys(names, 0.5)), target)
    assert state.metric == metric


def test_losses_without_a_bound_need_the_champions_own() -> None:
    """An unbounded metric that the loop does not measure has no scale, and is refused."""
    for gate, baseline in ((Better("mae"), measured(r2=0.5)), (Better(), {})):
        with pytest.raises(SettingInvalid, match=r"^the gate's metric must be among the loop's"):
            gate.init(baseline, NUMBER)
    for value in (0.0, None):
        assert Better("mae").init(measured(mae=value), NUMBER).bound == 1.0
    assert NotWorse("mae", margin=50.0).init(measured(mae=2.0), NUMBER).bound == 100.0


def test_log_loss_is_bounded_by_its_clip() -> None:
    """The largest difference of log losses is that of the metric's own bound."""
    assert Better("log_loss").init({}, PAIR).bound == pytest.approx(-math.log(1e-6))
    assert Better(LogLoss(clip=0.1)).init({}, PAIR).bound == pytest.approx(-math.log(0.1))
    assert Better(Brier()).init({}, PAIR).bound == 1.0


def test_the_state_is_json() -> None:
    """A gate goes on from the JSON of its state as if nothing had happened."""
    champion, challenger = uneven(400, 0.2, 0.15)
    gate: Better = Better("accuracy")
    state, _ = gate.step(
        gate.init({}, PAIR), champion.take(slice(0, 150)), challenger.take(slice(0, 150))
    )
    loaded = gate.load(json.loads(wire.dumps(state)))
    assert isinstance(loaded, Evidence)
    assert loaded == state
    rest = slice(150, 400)
    on = gate.step(loaded, champion.take(rest), challenger.take(rest))
    assert on == gate.step(state, champion.take(rest), challenger.take(rest))


def test_no_gate_passes_everything_and_says_so() -> None:
    """`Untested` passes a worse challenger, without a number that looks like evidence."""
    verdict, _ = looked(Untested(), *uneven(50, 0.0, 0.9))
    assert (verdict.outcome, verdict.gate, verdict.n) == ("pass", "Untested()", 0)
    assert (verdict.effect, verdict.evidence, verdict.reason) == (None, None, "untested")
    state = Untested().init({}, PAIR)
    assert Untested().load(json.loads(wire.dumps(state))) == state
