from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from ratoon.core import wire
from ratoon.estimates.calibration import Calibration, normalised
from ratoon.estimates.isotonic import (
    Calibrator,
    calibration_error,
    calibration_helps,
    fit_isotonic,
    ordered,
    pooled,
)
from tests.unit.estimates_world import binary, naive_pool

SHARES = st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 9)), min_size=1, max_size=40)


@given(pairs=SHARES)
def test_pooling_is_that_of_the_paper(pairs: list[tuple[float, float]]) -> None:
    """Pooling gives what the paper's loop over blocks gives."""
    shares, weights = zip(*pairs, strict=True)
    expected = naive_pool(list(shares), list(weights))
    assert pooled(np.array(shares), np.array(weights)) == pytest.approx(expected, abs=1e-12)


@given(seed=st.integers(0, 999), rows=st.integers(2, 300), ties=st.booleans())
def test_curve_is_that_of_scikit_learn(seed: int, rows: int, *, ties: bool) -> None:
    """The curve answers as scikit-learn's, also beyond the reference, with ties and weights."""
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, 9, rows) / 8 if ties else draw.random(rows)
    labels, weights = draw.random(rows) < scores, draw.random(rows) + 0.1
    peer = IsotonicRegression(out_of_bounds="clip").fit(scores, labels, sample_weight=weights)
    curve = fit_isotonic(ordered(scores, labels), weights)
    asked = draw.random(50) * 1.4 - 0.2
    assert curve.calibrate(asked) == pytest.approx(peer.predict(asked), abs=1e-9)


def test_curve_is_small() -> None:
    """A hundred thousand rows leave a curve of some hundred points."""
    judged = binary(100_000, 0)
    assert judged.scored.scores is not None
    curve = fit_isotonic(ordered(judged.scored.scores[:, 1], judged.labels > 0))
    assert len(curve.scores) < 400


def test_calibration_is_json() -> None:
    """Calibrators come back from JSON as they were."""
    curve = fit_isotonic(ordered(np.array([0.1, 0.25, 0.7]), np.array([False, True, True])))
    calibration = Calibration(calibrators=(curve, Calibrator()))
    assert wire.loads(Calibration, wire.dumps(calibration)) == calibration


def test_error_by_hand() -> None:
    """Two halves that are out by a tenth each way have an error of a tenth."""
    said, true = np.repeat([0.2, 0.8], 50), np.repeat([0.3, 0.7], 50)
    assert calibration_error(np.ones(100), said, true) == pytest.approx(0.1)


@pytest.mark.parametrize(("sharp", "helps"), [(1.0, False), (2.5, True)])
def test_calibration_helps_where_scores_are_too_sure(sharp: float, *, helps: bool) -> None:
    """Scores that are too sure gain by calibration; of those that are right few samples do."""
    gains = 0
    for seed in range(20):
        draw = np.random.default_rng(seed)
        hint = draw.normal(0, 2, 2000)
        labels = draw.random(2000) < 1 / (1 + np.exp(-hint))
        gains += calibration_helps(ordered(1 / (1 + np.exp(-sharp * hint)), labels))
    assert gains == 20 if helps else gains <= 10


def test_nothing_to_calibrate() -> None:
    """Of one class alone, or of a handful of rows, there is nothing to learn."""
    scores = np.linspace(0, 1, 100)
    assert not calibration_helps(ordered(scores, np.ones(100, dtype=bool)))
    assert not calibration_helps(ordered(scores[:10], scores[:10] > 0.05))


def test_rows_of_zeros_are_shared_evenly() -> None:
    """Where every calibrated score is 0, each class is as likely as another."""
    found = normalised(np.array([[0.0, 0.0], [0.2, 0.6]]))
    assert found.tolist() == [[0.5, 0.5], [0.25, pytest.approx(0.75)]]
