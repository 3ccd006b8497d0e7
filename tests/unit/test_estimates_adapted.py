from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from ratoon.core import wire
from ratoon.core.errors import BatchEmpty, LengthMismatch, MetricNeedsColumn, SettingInvalid
from ratoon.core.schema import Column, Schema
from ratoon.estimates import CBPE, PAPE, Estimate, RegionalCBPE, RegionalCBPEState, Weighted
from ratoon.estimates.ratio import density_ratio
from ratoon.estimates.regions import grow
from ratoon.estimates.support import Support, support_of
from ratoon.windows.judged import Floats, Judged, Scored
from ratoon.windows.rows import Rows
from tests.unit.estimates_world import BINARY, NUMBERS, WINDOW, binary, frame, said

METHODS = [RegionalCBPE(metrics=("accuracy",)), PAPE(metrics=("accuracy",)), Weighted()]


def misled(rows: int, seed: int, x: Floats | None = None) -> Judged:
    """Return rows of a model that is blind to x: where x is above 0 its scores are too high."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=rows) if x is None else x
    scores = draw.random(rows)
    truth = np.where(x > 0, scores * 0.4, 0.1 + 0.9 * scores)
    labels = (draw.random(rows) < truth).astype(float)
    features = frame(x=x, useless=draw.normal(size=rows))
    return Judged(target=BINARY, labels=labels, scored=said(scores), features=features)


def moved(rows: int, seed: int) -> Judged:
    """Return a window whose rows lie mostly where the model is wrong."""
    draw = np.random.default_rng(seed + 1000)
    return misled(rows, seed, draw.normal(1.0, 1.0, rows))


def value(estimates: tuple[Estimate, ...]) -> float:
    found = estimates[0].measurement.value
    assert found is not None
    return found


def accuracy(judged: Judged) -> float:
    return float((judged.labels == judged.scored.outputs).mean())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_covariate_shift_is_followed(method: Any) -> None:
    """Under a shift that the scores do not show, each is nearer than CBPE by half and more."""
    reference, window = misled(6000, 0), moved(4000, 1)
    cbpe = CBPE(metrics=("accuracy",))
    blind = value(cbpe.estimate(cbpe.fit(reference), window.scored, WINDOW))
    state = method.fit(reference)
    near = value(method.estimate(state, window.scored, WINDOW, window.features))
    assert abs(near - accuracy(window)) < abs(blind - accuracy(window)) / 2


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_same_rows_make_the_same_estimates(method: Any) -> None:
    """What is learnt is learnt again from the same rows, to the last bit."""
    reference, window = misled(1500, 0), moved(300, 1)
    first, second = (
        method.estimate(method.fit(reference), window.scored, WINDOW, window.features)
        for _ in range(2)
    )
    assert first == second


def test_regions_are_json() -> None:
    """What a regional estimate learnt comes back from JSON as it was, and estimates the same."""
    reference, window = misled(4000, 0), moved(300, 1)
    method = RegionalCBPE()
    state = method.fit(reference)
    assert state.regions is not None
    again = wire.loads(RegionalCBPEState, wire.dumps(state))
    assert again == state
    assert window.features is not None
    assert method.estimate(again, window.scored, WINDOW, window.features) == method.estimate(
        state, window.scored, WINDOW, window.features
    )


def test_regions_without_need_are_none() -> None:
    """Where features tell nothing that scores do not, there are no regions, and it is CBPE."""
    plain = binary(3000, 0)
    draw = np.random.default_rng(0)
    features = frame(x=draw.normal(size=3000))
    judged = Judged(target=BINARY, labels=plain.labels, scored=plain.scored, features=features)
    regional, cbpe = RegionalCBPE(), CBPE()
    state = regional.fit(judged)
    assert state.regions is None
    left = regional.estimate(state, plain.scored, WINDOW, features)
    right = cbpe.estimate(cbpe.fit(judged), plain.scored, WINDOW, features)
    assert [one.measurement for one in left] == [one.measurement for one in right]


def test_regions_of_three_classes() -> None:
    """Chances of several classes sum to 1 in each region too."""
    draw = np.random.default_rng(0)
    x = draw.random(4000)
    scores = draw.dirichlet(np.ones(3), 4000)
    truth = np.where(x[:, None] > 0.5, scores, np.roll(scores, 1, axis=1))
    labels = (draw.random((4000, 1)) > truth.cumsum(axis=1)).sum(axis=1).astype(float)
    target = type(BINARY)(task="multiclass", classes=(0, 1, 2))
    scored = Scored(outputs=scores.argmax(axis=1).astype(float), scores=scores)
    judged = Judged(target=target, labels=labels, scored=scored, features=frame(x=x))
    method = RegionalCBPE(metrics=("accuracy", "confusion"))
    state = method.fit(judged)
    low = judged.take(np.flatnonzero(x < 0.5))
    assert low.features is not None
    first, *cells = method.estimate(state, low.scored, WINDOW, low.features)
    assert sum(value((cell,)) for cell in cells) == pytest.approx(1.0)
    assert value((first,)) == pytest.approx(accuracy(low), abs=0.03)


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_leaves_are_those_of_scikit_learn(gaps: float) -> None:
    """The tree as plain numbers sends rows where scikit-learn's sends them, gaps too."""
    from sklearn.tree import DecisionTreeRegressor  # noqa: PLC0415

    draw = np.random.default_rng(0)
    matrix = draw.normal(size=(2000, 3))
    matrix[draw.random((2000, 3)) < gaps] = np.nan
    residuals = (np.nan_to_num(matrix) @ [1.0, -1.0, 0.5])[:, None]
    ours = grow(matrix, residuals, leaves=8, least=50)
    peer = DecisionTreeRegressor(max_leaf_nodes=8, min_samples_leaf=50, random_state=0)
    asked = draw.normal(size=(500, 3))
    asked[draw.random((500, 3)) < gaps] = np.nan
    assert (ours.apply(asked) == peer.fit(matrix, residuals).apply(asked)).all()
    assert set(ours.apply(asked).tolist()) <= set(ours.leaves())


def test_weights_follow_the_ratio() -> None:
    """Weights rise with the true ratio of densities, and without a shift nearly all rows count."""
    draw = np.random.default_rng(0)
    reference = draw.normal(size=(4000, 2))
    same = density_ratio(reference, draw.normal(size=(1000, 2)), clip=50.0, seed=0)
    assert same.effective > 0.9 * 4000
    shifted = density_ratio(reference, draw.normal([1, 0], 1, (1000, 2)), clip=50.0, seed=0)
    true = np.exp(reference[:, 0] - 0.5)
    ranks = [np.argsort(np.argsort(numbers)) for numbers in (shifted.weights, true)]
    assert np.corrcoef(*ranks)[0, 1] > 0.9
    assert shifted.weights.mean() == pytest.approx(1.0)
    assert 0.2 < shifted.effective / 4000 < 0.6  # that of the true ratio is 1 / e = 0.37


def test_few_rows_weigh_nothing() -> None:
    """A window of a handful of rows leaves all weights at 1, and says so."""
    reference, window = misled(1000, 0), moved(20, 1)
    pape = PAPE(metrics=("accuracy",))
    assert window.features is not None
    (one,) = pape.estimate(pape.fit(reference), window.scored, WINDOW, window.features)
    assert any("the window has 20 rows" in doubt for doubt in one.doubts)


def test_window_elsewhere_is_told() -> None:
    """Where few of the reference's rows speak for the window, the estimate says so."""
    reference = misled(3000, 0)
    far = misled(500, 1, np.full(500, 2.9) + np.random.default_rng(0).normal(0, 0.1, 500))
    pape = PAPE(metrics=("accuracy",))
    assert far.features is not None
    (one,) = pape.estimate(pape.fit(reference), far.scored, WINDOW, far.features)
    assert any("the reference counts as" in doubt for doubt in one.doubts)
    assert one.measurement.stderr is not None


def test_weighted_measures_what_it_knows() -> None:
    """With all weights at 1 the values are those measured on the reference."""
    reference = misled(800, 0)
    method = Weighted(metrics=("accuracy", "roc_auc"))
    few = reference.take(slice(10))
    assert few.features is not None
    found = method.estimate(method.fit(reference), few.scored, WINDOW, few.features)
    assert value(found) == pytest.approx(accuracy(reference))


def test_weighted_numbers() -> None:
    """MAE and RMSE of a regression follow rows to where its errors are large."""
    draw = np.random.default_rng(0)
    x = draw.random(6000)
    labels = x * draw.normal(size=6000)
    judged = Judged(
        target=NUMBERS,
        labels=labels,
        scored=Scored(outputs=np.zeros(6000)),
        features=frame(x=x),
    )
    there = draw.beta(6, 2, 2000)
    method = Weighted()
    mae, rmse = method.estimate(
        method.fit(judged), Scored(outputs=np.zeros(2000)), WINDOW, frame(x=there)
    )
    expected = there.mean() * math.sqrt(2 / math.pi), math.sqrt((there**2).mean())
    assert value((mae,)) == pytest.approx(expected[0], abs=0.02)
    assert value((rmse,)) == pytest.approx(expected[1], abs=0.02)
    losses = np.abs(labels)
    assert mae.sampling_error == pytest.approx(losses.std() / math.sqrt(2000))
    squares = labels**2
    rooted = squares.std() / (2 * math.sqrt(squares.mean() * 2000))  # NannyML's for RMSE
    assert rmse.sampling_error == pytest.approx(rooted)


def test_support_is_json_and_told_apart() -> None:
    """Ranges, categories and gaps are kept as JSON; what is new of any kind lies outside."""
    schema = Schema(
        columns=(
            Column(name="x", kind="number", nullable=True),
            Column(name="city", kind="category", nullable=True),
            Column(name="at", kind="time"),
        )
    )

    def rows(x: list[float], city: list[str | None], at: list[str]) -> Rows:
        columns = {
            "x": np.array(x),
            "city": np.array(city, dtype=object),
            "at": np.array(at, dtype="datetime64[us]"),
        }
        return Rows(schema=schema, columns=columns)

    days = ["2020-01-01", "2020-01-02", "2020-01-03"]
    support = support_of(rows([0.0, 1.0, math.nan], ["a", "b", "a"], days))
    assert wire.loads(Support, wire.dumps(support)) == support
    assert support.categorical == (False, True, False)
    asked = rows([0.5, 2.0, math.nan], ["b", "a", None], days)
    assert support.outside(asked).tolist() == [False, True, True]
    assert support.outside(rows([0.5], ["c"], days[:1])).tolist() == [True]
    assert support.matrix(asked)[:, 1].tolist()[:2] == [1.0, 0.0]
    assert np.isnan(support.matrix(asked)[2, 1])


def test_bad_input_is_refused() -> None:
    """Features must be there, and be those of the rows scored; settings keep their rules."""
    bare = binary(500, 0)
    for method in (RegionalCBPE(), PAPE(), Weighted()):
        with pytest.raises(MetricNeedsColumn, match="features"):
            method.fit(bare)
    reference = misled(1000, 0)
    pape, weighted = PAPE(), Weighted()
    with pytest.raises(LengthMismatch):
        pape.estimate(pape.fit(reference), bare.scored, WINDOW, frame(x=np.zeros(3)))
    empty = reference.take(slice(0))
    assert empty.features is not None
    with pytest.raises(BatchEmpty):
        weighted.estimate(weighted.fit(reference), empty.scored, WINDOW, empty.features)
    with pytest.raises(SettingInvalid, match="task binary"):
        Weighted(metrics=("mae",)).fit(reference)
    with pytest.raises(SettingInvalid, match="above 1"):
        PAPE(clip=1.0)
    with pytest.raises(SettingInvalid):
        Weighted(metrics=("mae", "accuracy"))
    with pytest.raises(SettingInvalid):
        RegionalCBPE(leaves=1)


def test_a_long_reference_is_thinned() -> None:
    """No more rows are weighed than asked for."""
    pape = PAPE(most_rows=100)
    assert len(pape.fit(misled(1000, 0)).weighable.matrix) == 100
