from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from ratoon.core import wire
from ratoon.core.errors import (
    BatchEmpty,
    LengthMismatch,
    MetricNeedsColumn,
    SettingInvalid,
    ValueForbidden,
)
from ratoon.estimates import CBPE, CBPEState, Estimate
from ratoon.windows.judged import Judged, Scored, Target
from tests.unit.estimates_world import (
    BINARY,
    WINDOW,
    binary,
    frame,
    naive_metrics,
    said,
    several,
)

USUAL = ("accuracy", "precision", "recall", "specificity", "f1", "roc_auc", "brier", "log_loss")
COSTS = ((0.0, -5.0), (-100.0, 20.0))

# NannyML 0.13.1 on `binary(6000, 167, sharp=2.5, threshold=0.8)` and `several(6000, 31)`: fitted on
# the first 3,000 rows, the two chunks of 1,500 after them, and the sampling error of a chunk.
NANNYML_BINARY = {
    "accuracy": (0.756486031495511, 0.7615801950200557, 0.011135259314447959),
    "precision": (0.8712455162977828, 0.8634589364007176, 0.015002136321016143),
    "recall": (0.6074393972890345, 0.6210041296453132, 0.01792223058526287),
    "specificity": (0.9084651453406574, 0.9019459065166732, 0.010567958818483028),
    "f1": (0.7158101721981578, 0.7224316691316972, 0.02249996384861938),
    "roc_auc": (0.8717835483414798, 0.8743655296107247, 0.006371027215700102),
    "confusion": (0.30667842173681953, 0.31026957781332454, 0.01181328505131844),  # true positives
    "cost": (-20868.417721065536 / 1500, -19463.298250990665 / 1500, 1697.8346491438244 / 1500),
}
NANNYML_SEVERAL = {
    "accuracy": (0.6916166485840557, 0.6875022161541056, 0.01203770619222659),
    "precision": (0.691841214590934, 0.6877725549661662, 0.012020179690394116),
    "recall": (0.6919942621129116, 0.6875993113569675, 0.012030384309979165),
    "specificity": (0.8457663959366445, 0.8437680747378101, 0.006680792955532228),
    "f1": (0.6915824557832716, 0.6873988518172277, 0.011234484945916065),
    "roc_auc": (0.8584058523393076, 0.855464942258411, 0.005703677084124805),
}


def by_metric(estimates: tuple[Estimate, ...]) -> dict[str, Estimate]:
    """Return the estimates by metric; of the confusion matrix the last cell, true positives."""
    return {one.measurement.metric: one for one in estimates}


def value(estimate: Estimate) -> float:
    assert estimate.measurement.value is not None
    return estimate.measurement.value


@pytest.mark.parametrize(
    ("judged", "expected", "costs"),
    [
        (binary(6000, 167, sharp=2.5, threshold=0.8), NANNYML_BINARY, COSTS),
        (several(6000, 31), NANNYML_SEVERAL, None),
    ],
    ids=["binary", "several"],
)
def test_numbers_are_those_of_nannyml(judged: Judged, expected: Any, costs: Any) -> None:
    """Values and sampling errors are NannyML's; its ROC-AUC is rounded on the way."""
    cbpe = CBPE(metrics=tuple(expected), costs=costs)
    state = cbpe.fit(judged.take(slice(3000)))
    for chunk in (0, 1):
        start = 3000 + 1500 * chunk
        part = judged.scored.take(slice(start, start + 1500))
        found = by_metric(cbpe.estimate(state, part, WINDOW))
        for metric, numbers in expected.items():
            near = 1e-7 if metric == "roc_auc" else 1e-12
            assert value(found[metric]) == pytest.approx(numbers[chunk], abs=near)
            assert found[metric].sampling_error == pytest.approx(numbers[2], abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_values_row_by_row(seed: int) -> None:
    """Each value is what adding up the rows gives, with ties, by calibrated chances."""
    judged = binary(600, seed)
    cbpe = CBPE(calibrate="always")
    state = cbpe.fit(judged.take(slice(400)))
    scores = np.round(judged.scored.scores[400:, 1], 2)  # pyright: ignore[reportOptionalSubscript]
    p = state.calibration.calibrators[0].calibrate(scores)
    found = by_metric(cbpe.estimate(state, said(scores), WINDOW))
    expected = naive_metrics((scores >= 0.5) * 1.0, scores, p)
    assert tuple(found) == USUAL
    for metric, number in expected.items():
        assert value(found[metric]) == pytest.approx(number, abs=1e-12)


def test_confusion_names_its_cells() -> None:
    """The confusion matrix comes as shares of the rows, by label and output, that sum to 1."""
    judged = binary(1000, 0)
    cbpe = CBPE(metrics=("confusion",))
    found = cbpe.estimate(cbpe.fit(judged), judged.scored, WINDOW)
    assert [one.measurement.subject for one in found] == [
        "label=good, output=good",
        "label=good, output=bad",
        "label=bad, output=good",
        "label=bad, output=bad",
    ]
    assert sum(value(one) for one in found) == pytest.approx(1.0)


def test_right_without_drift() -> None:
    """Without drift about 95 of a hundred 95% bands hold what is measured."""
    cbpe = CBPE(metrics=("accuracy", "roc_auc", "brier"))
    inside = {"accuracy": 0, "roc_auc": 0, "brier": 0}
    for seed in range(150):
        judged = binary(1500, seed)
        state = cbpe.fit(judged.take(slice(1000)))
        part = judged.take(slice(1000, 1500))
        scores = part.scored.scores
        assert scores is not None
        truth = {"accuracy": float((part.labels == part.scored.outputs).mean())}
        truth["brier"] = float(((scores[:, 1] - part.labels) ** 2).mean())
        ups, downs = scores[part.labels == 1, 1], scores[part.labels == 0, 1]
        truth["roc_auc"] = float((ups[:, None] > downs).mean())
        for metric, one in by_metric(cbpe.estimate(state, part.scored, WINDOW)).items():
            low, high = one.band or (math.nan, math.nan)
            inside[metric] += low <= truth[metric] <= high
    assert all(0.89 <= count / 150 <= 0.99 for count in inside.values()), inside


def test_state_is_json() -> None:
    """What was learnt comes back from JSON as it was, and estimates the same."""
    judged = several(500, 3)
    cbpe = CBPE()
    state = cbpe.fit(judged)
    again = wire.loads(CBPEState, wire.dumps(state))
    assert again == state
    assert cbpe.estimate(again, judged.scored, WINDOW) == cbpe.estimate(
        state, judged.scored, WINDOW
    )


def test_estimates_are_json() -> None:
    """An estimate comes back from JSON as it was."""
    judged = binary(500, 3)
    cbpe = CBPE()
    for one in cbpe.estimate(cbpe.fit(judged), judged.scored, WINDOW):
        assert wire.loads(Estimate, wire.dumps(one)) == one


def test_a_ratio_of_nothing_is_undefined() -> None:
    """Where no row is predicted positive precision is None, not 0; ROC-AUC of equal chances is."""
    judged = binary(1000, 0)
    cbpe = CBPE(metrics=("precision", "roc_auc", "recall"))
    state = cbpe.fit(judged)
    scores = np.full(20, 0.3)
    precision, area, recall = cbpe.estimate(state, said(scores), WINDOW)
    assert precision.measurement.value is None
    assert precision.band is None
    assert value(area) == pytest.approx(0.5)
    assert value(recall) == 0.0


def test_window_beyond_the_reference_is_told() -> None:
    """Scores and features that the reference never had are told as doubts, with their share."""
    judged = binary(1000, 0)
    low = judged.scored.scores[:, 1].min()  # pyright: ignore[reportOptionalSubscript]
    inside = Judged(
        target=BINARY,
        labels=judged.labels,
        scored=judged.scored,
        features=frame(x=np.linspace(0, 1, 1000)),
    )
    cbpe = CBPE(metrics=("accuracy",))
    state = cbpe.fit(inside)
    (one,) = cbpe.estimate(state, judged.scored, WINDOW, inside.features)
    assert one.doubts == ()
    (one,) = cbpe.estimate(state, said(np.full(10, low / 2)), WINDOW, frame(x=np.full(10, 2.0)))
    assert one.doubts == (
        "100.0% of the scores lie outside of those of the reference",
        "100.0% of the rows hold values that the reference did not have",
    )
    assert all(one.assumptions)


def test_small_reference_is_told() -> None:
    """A reference of few rows is a doubt."""
    judged = binary(100, 0)
    cbpe = CBPE(metrics=("accuracy",))
    (one,) = cbpe.estimate(cbpe.fit(judged), judged.scored, WINDOW)
    assert one.doubts == ("it rests on 100 rows",)


@pytest.mark.parametrize(
    "settings",
    [
        {"metrics": ("gini",)},
        {"metrics": ("cost",)},
        {"costs": ((0.0, math.inf), (1.0, 0.0))},
        {"calibrate": "never!"},
    ],
)
def test_settings_are_checked(settings: Any) -> None:
    """A setting that breaks its rule raises where it is made."""
    with pytest.raises(SettingInvalid):
        CBPE(**settings)


@pytest.mark.parametrize(
    ("scored", "error"),
    [
        (Scored(outputs=np.zeros(2)), MetricNeedsColumn),
        (said(np.zeros(0)), BatchEmpty),
        (said(np.array([0.5, math.nan])), ValueForbidden),
        (said(np.array([0.5, 1.5])), ValueForbidden),
        (Scored(outputs=np.array([0.0, 2.0]), scores=np.full((2, 2), 0.5)), ValueForbidden),
        (Scored(outputs=np.array([0.0, 0.5]), scores=np.full((2, 2), 0.5)), ValueForbidden),
        (Scored(outputs=np.array([0.0, math.nan]), scores=np.full((2, 2), 0.5)), ValueForbidden),
        (Scored(outputs=np.zeros(2), scores=np.full((3, 2), 0.5)), LengthMismatch),
        (Scored(outputs=np.zeros(2), scores=np.full((2, 3), 0.3)), SettingInvalid),
    ],
)
def test_bad_rows_are_refused(scored: Scored, error: type[Exception]) -> None:
    """What is no class and no probability is refused, and said."""
    cbpe = CBPE()
    state = cbpe.fit(binary(100, 0))
    with pytest.raises(error):
        cbpe.estimate(state, scored, WINDOW)


def test_bad_references_are_refused() -> None:
    """A reference of numbers, without rows, or with labels that are none, is refused."""
    judged, cbpe = binary(100, 0), CBPE()
    numbers = Judged(target=Target(task="regression"), labels=judged.labels, scored=judged.scored)
    with pytest.raises(SettingInvalid, match="binary or multiclass"):
        cbpe.fit(numbers)
    with pytest.raises(BatchEmpty):
        cbpe.fit(judged.take(slice(0)))
    with pytest.raises(ValueForbidden):
        cbpe.fit(Judged(target=BINARY, labels=judged.labels + 0.5, scored=judged.scored))
    with pytest.raises(LengthMismatch):
        cbpe.fit(Judged(target=BINARY, labels=judged.labels[1:], scored=judged.scored))
    with pytest.raises(SettingInvalid, match="costs"):
        CBPE(costs=((1.0,),)).fit(judged)


def test_a_class_that_the_model_lacks_has_no_chance() -> None:
    """Scores of fewer classes than the target's are read as 0 for the others."""
    judged, cbpe = several(600, 1), CBPE(metrics=("accuracy",))
    state = cbpe.fit(judged)
    scored = Scored(outputs=np.zeros(50), scores=np.tile([0.7, 0.3], (50, 1)))
    assert 0 < value(cbpe.estimate(state, scored, WINDOW)[0]) < 1
