from __future__ import annotations

import math

import numpy as np
import pytest

from ratoon.core.errors import (
    BatchEmpty,
    LengthMismatch,
    MetricNeedsColumn,
    SettingInvalid,
    ValueForbidden,
)
from ratoon.estimates import DLE
from ratoon.windows.judged import Judged, Scored
from tests.unit.estimates_world import NUMBERS, WINDOW, binary, frame

SMALL = DLE(trees=15)


def spread(rows: int, seed: int, *, high: bool = False) -> Judged:
    """Return a regression whose errors grow with x; labels lie about 10."""
    draw = np.random.default_rng(seed)
    x = draw.beta(6, 2, rows) if high else draw.random(rows)
    outputs = np.full(rows, 10.0)
    labels = outputs + x * draw.normal(size=rows)
    features = frame(x=x, useless=draw.normal(size=rows))
    return Judged(target=NUMBERS, labels=labels, scored=Scored(outputs=outputs), features=features)


def test_losses_are_foretold() -> None:
    """Where rows move to where errors are large, the estimates move with them."""
    dle = DLE(metrics=("mae", "rmse", "mape"))
    state, window = dle.fit(spread(4000, 0)), spread(3000, 1, high=True)
    assert window.features is not None
    found = dle.estimate(state, window.scored, WINDOW, window.features)
    errors = np.abs(window.labels - window.scored.outputs)
    expected = (
        errors.mean(),
        math.sqrt((errors**2).mean()),
        (errors / np.abs(window.labels)).mean(),
    )
    for one, number in zip(found, expected, strict=True):
        assert one.measurement.value == pytest.approx(number, rel=0.06)
        assert one.doubts == ()
        assert one.assumptions


def test_sampling_errors_are_nannymls() -> None:
    """The sampling error is that of the reference's losses over √n, of RMSE by the delta method."""
    reference, window = spread(500, 0), spread(100, 1)
    assert window.features is not None
    mae, rmse = SMALL.estimate(SMALL.fit(reference), window.scored, WINDOW, window.features)
    losses = np.abs(reference.labels - reference.scored.outputs)
    assert mae.sampling_error == pytest.approx(losses.std() / 10)
    of_root = math.sqrt((losses**2).var() / (4 * 100 * (losses**2).mean()))
    assert rmse.sampling_error == pytest.approx(of_root)


def test_band_holds_without_drift() -> None:
    """Without drift about 95 of a hundred 95% bands hold the MAE that is measured."""
    inside = 0
    for seed in range(20):
        state = DLE(metrics=("mae",), trees=5).fit(spread(400, seed))
        window = spread(4000, seed + 100)
        for part in (window.take(slice(at, at + 400)) for at in range(0, 4000, 400)):
            assert part.features is not None
            (one,) = DLE(metrics=("mae",), trees=5).estimate(
                state, part.scored, WINDOW, part.features
            )
            assert one.band is not None
            measured = float(np.abs(part.labels - part.scored.outputs).mean())
            inside += one.band[0] <= measured <= one.band[1]
    assert inside >= 180


def test_same_rows_make_the_same_estimates() -> None:
    """What is learnt is learnt again from the same rows, to the last bit."""
    reference, window = spread(300, 0), spread(100, 1)
    assert window.features is not None
    first, second = (
        SMALL.estimate(SMALL.fit(reference), window.scored, WINDOW, window.features)
        for _ in range(2)
    )
    assert first == second


def test_rows_beyond_the_reference_are_told() -> None:
    """Rows that hold values which the reference never had are a doubt."""
    state, far = SMALL.fit(spread(400, 0)), spread(100, 1)
    features = frame(x=np.full(100, 7.0), useless=np.zeros(100))
    one, _ = SMALL.estimate(state, far.scored, WINDOW, features)
    assert one.doubts == ("100.0% of the rows hold values that the reference did not have",)


def test_bad_input_is_refused() -> None:
    """Classes, a handful of rows, missing features, labels of 0 under MAPE are refused."""
    reference = spread(300, 0)
    with pytest.raises(SettingInvalid, match="metrics"):
        DLE(metrics=("r2",))
    bare = Judged(target=NUMBERS, labels=reference.labels, scored=reference.scored)
    with pytest.raises(MetricNeedsColumn, match="features"):
        SMALL.fit(bare)
    with pytest.raises(BatchEmpty):
        SMALL.fit(reference.take(slice(20)))
    classes = binary(300, 0)
    named = Judged(
        target=classes.target,
        labels=classes.labels,
        scored=classes.scored,
        features=reference.features,
    )
    with pytest.raises(SettingInvalid, match="regression"):
        SMALL.fit(named)
    zeros = Judged(
        target=NUMBERS,
        labels=np.zeros(300),
        scored=reference.scored,
        features=reference.features,
    )
    with pytest.raises(ValueForbidden, match="mape"):
        DLE(metrics=("mape",)).fit(zeros)
    state = SMALL.fit(reference)
    with pytest.raises(LengthMismatch):
        SMALL.estimate(state, reference.scored, WINDOW, frame(x=np.zeros(3), useless=np.zeros(3)))
    none = reference.take(slice(0))
    assert none.features is not None
    with pytest.raises(BatchEmpty):
        SMALL.estimate(state, none.scored, WINDOW, none.features)
