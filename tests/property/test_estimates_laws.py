from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratoon.estimates import CBPE
from ratoon.estimates.asked import asked_of
from ratoon.estimates.chances import Chances, Figure
from ratoon.metrics import by_name
from ratoon.windows.judged import Floats, Judged
from tests.unit.estimates_world import WINDOW, binary, several

EXAMPLES = settings(deadline=None, max_examples=20)
SEEDS = st.integers(0, 2**31)
METRICS = ("accuracy", "precision", "recall", "specificity", "f1", "roc_auc", "brier", "log_loss")
COSTS = {2: ((0.0, 3.0), (10.0, -4.0)), 3: ((0.0, 3.0, 1.0), (10.0, -4.0, 2.0), (1.0, 1.0, 5.0))}


def rows_of(seed: int, classes: int, rows: int) -> tuple[Judged, Floats]:
    """Return rows, and the chances of their labels."""
    judged = binary(rows, seed) if classes == 2 else several(rows, seed)
    return judged, np.random.default_rng(seed).dirichlet(np.ones(classes), rows)


def figures(judged: Judged, likely: Floats, weights: Floats | None = None) -> list[Figure]:
    """Return all figures of rows whose labels have these chances."""
    classes = likely.shape[1]
    assert judged.scored.scores is not None
    chances = Chances(
        outputs=judged.scored.outputs.astype(int),
        scores=judged.scored.scores,
        likely=likely,
        weights=weights,
    )
    asked = asked_of((*METRICS, "cost", "confusion"), COSTS[classes])
    return asked.figures(chances, judged.target.classes)


def value_of(judged: Judged, masses: Floats, figure: int) -> float:
    """Return a figure's value where the rows weigh what their masses sum to."""
    weights = masses.sum(axis=1)
    value = figures(judged, masses / weights[:, None], weights)[figure].value
    assert value is not None
    return value


@given(seed=SEEDS, classes=st.sampled_from([2, 3]))
@settings(deadline=None, max_examples=6)
def test_variances_by_differences(seed: int, classes: int) -> None:
    """Noise and spread are what central differences of each label's mass make of the values."""
    judged, likely = rows_of(seed, classes, 12)
    weights = np.random.default_rng(seed).random(12) + 0.5
    masses, step = likely * weights[:, None], 1e-6
    for number, figure in enumerate(figures(judged, likely, weights)):
        if figure.value is None:
            continue
        gradient = np.zeros_like(masses)
        for cell in np.ndindex(masses.shape):
            for sign in (1, -1):
                moved = masses.copy()
                moved[cell] += sign * step
                gradient[cell] += sign * value_of(judged, moved, number) / (2 * step)
        means = (likely * gradient).sum(axis=1)
        seconds = (likely * gradient**2).sum(axis=1)
        assert figure.noise == pytest.approx((weights**2 * (seconds - means**2)).sum(), abs=1e-6)
        assert figure.spread == pytest.approx((weights**2 * seconds).sum(), abs=1e-6)
        assert figure.each == pytest.approx(weights.sum() * (weights * seconds).sum(), abs=1e-6)


@given(seed=SEEDS, classes=st.sampled_from([2, 3]), rows=st.integers(20, 200))
@EXAMPLES
def test_labels_that_are_known(seed: int, classes: int, rows: int) -> None:
    """Where the labels are certain, the values and errors are those that the metrics measure."""
    judged, _ = rows_of(seed, classes, rows)
    certain = np.eye(classes)[judged.labels.astype(int)]
    found = figures(judged, certain)
    if len(np.unique(np.append(judged.labels, judged.scored.outputs))) < classes:
        return
    for figure in found[: len(METRICS)]:
        measured = by_name(figure.metric).measure(judged, WINDOW)
        assert figure.noise == pytest.approx(0, abs=1e-12)
        if measured.value is None or figure.value is None:
            continue
        if len(np.unique(judged.labels)) == classes:
            assert figure.value == pytest.approx(measured.value, abs=1e-9)
        if figure.metric != "roc_auc" and measured.stderr:  # DeLong divides by each class less 1
            inflated = np.sqrt(figure.spread * rows / (rows - 1))
            assert inflated == pytest.approx(measured.stderr, rel=1e-6)


@given(seed=SEEDS, classes=st.sampled_from([2, 3]))
@EXAMPLES
def test_order_is_irrelevant(seed: int, classes: int) -> None:
    """The order of the window's rows changes no estimate."""
    judged, _ = rows_of(seed, classes, 300)
    cbpe = CBPE(costs=COSTS[classes])
    state = cbpe.fit(judged)
    mixed = np.random.default_rng(seed).permutation(300)
    before = cbpe.estimate(state, judged.scored, WINDOW)
    after = cbpe.estimate(state, judged.scored.take(mixed), WINDOW)
    for left, right in zip(before, after, strict=True):
        assert left.measurement.value == pytest.approx(right.measurement.value, abs=1e-12)
        assert left.measurement.stderr == pytest.approx(right.measurement.stderr, abs=1e-12)


@given(seed=SEEDS)
@EXAMPLES
def test_weights_count_rows(seed: int) -> None:
    """A row of weight two counts as the row twice."""
    judged, likely = rows_of(seed, 2, 30)
    weights = np.random.default_rng(seed).integers(1, 4, 30)
    again: Any = np.repeat(np.arange(30), weights)
    left = figures(judged, likely, weights.astype(float))
    right = figures(judged.take(again), likely[again])
    for one, other in zip(left, right, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-9)
