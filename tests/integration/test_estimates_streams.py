"""Estimates on flights in order of time, and what the self-check says when labels turn over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier

from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.estimates import CBPE, Estimate, RegionalCBPE, Trust, TrustState
from ratoon.estimates.support import support_of
from ratoon.metrics import by_name
from ratoon.windows.intake import read_rows
from ratoon.windows.judged import Judged, Scored, Target

STREAM = Path(__file__).parents[2] / "src" / "ratoon" / "demo" / "streams" / "flights_2013"
TRAINED, KNOWN, ROWS = 2000, 2000, 400  # rows of the training, the reference, a window
BEGINS = 10  # the window from which labels are turned over


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The reference and the windows of a stream that a model has judged."""

    reference: Judged
    windows: tuple[Judged, ...]


@pytest.fixture(scope="module")
def past() -> Past:
    """Train on the first flights; the next are the reference, shuffled windows follow.

    The order is drawn anew, so that nothing drifts but what a test makes drift.
    """
    table = pq.read_table(STREAM / "data.parquet")
    truth = table["target"].to_numpy(zero_copy_only=False)
    classes = tuple(np.unique(truth).tolist())
    order = np.random.default_rng(0).permutation(len(truth))
    labels = np.searchsorted(np.array(classes), truth)[order].astype(float)
    named = [name for name in table.column_names if name not in ("target", "timestamp", "time")]
    features = read_rows(table.select(named)).take(order)
    matrix = np.nan_to_num(support_of(features).matrix(features), nan=-1.0)
    model = RandomForestClassifier(40, min_samples_leaf=5, random_state=0)
    model.fit(matrix[:TRAINED], labels[:TRAINED])
    scores = model.predict_proba(matrix)
    judged = Judged(
        target=Target(task="binary", classes=classes),
        labels=labels,
        scored=Scored(outputs=scores.argmax(axis=1).astype(float), scores=scores),
        features=features,
    )
    begin = TRAINED + KNOWN
    starts = range(begin, min(len(judged) - ROWS, begin + 20 * ROWS) + 1, ROWS)
    windows = tuple(judged.take(slice(at, at + ROWS)) for at in starts)
    return Past(reference=judged.take(slice(TRAINED, begin)), windows=windows)


def window(number: int) -> Window:
    """Return the window of a day."""
    start = EPOCH + timedelta(days=number)
    return Window(start=start, end=start + timedelta(days=1))


def turned(judged: Judged, share: float) -> Judged:
    """Turn the labels of a share of the rows over; inputs and scores stay."""
    flipped = np.arange(len(judged)) < share * len(judged)
    labels = np.where(flipped, 1.0 - judged.labels, judged.labels)
    return Judged(
        target=judged.target, labels=labels, scored=judged.scored, features=judged.features
    )


def history(past: Past, method: Any, share: float) -> list[str | None]:
    """Return what is said of the estimate of each window once its labels are there."""
    trust, state, said = Trust(tolerance=0.03), TrustState(), list[str | None]()
    learnt = method.fit(past.reference)
    for number, judged in enumerate(past.windows):
        assert judged.features is not None
        labelled = turned(judged, share) if number >= BEGINS else judged
        one: Estimate = method.estimate(learnt, judged.scored, window(number), judged.features)[0]
        measured = by_name("accuracy").measure(labelled, window(number))
        state = trust.step(state, one, measured)
        said.append(trust.judge(state, one).withdrawn)
    return said


METHODS = [CBPE(metrics=("accuracy",)), RegionalCBPE(metrics=("accuracy",))]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_without_drift_estimates_are_trusted(past: Past, method: CBPE | RegionalCBPE) -> None:
    """On flights in a drawn order every estimate is trusted."""
    assert history(past, method, 0.0) == [None] * len(past.windows)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
@pytest.mark.parametrize(("share", "windows"), [(1.0, 1), (0.5, 2), (0.3, 4)])
def test_concept_drift_withdraws(
    past: Past, method: CBPE | RegionalCBPE, share: float, windows: int
) -> None:
    """Where labels turn over and inputs stay, estimates are withdrawn within 1, 2, 4 windows."""
    said = history(past, method, share)
    assert said[:BEGINS] == [None] * BEGINS
    assert said[BEGINS + windows - 1] is not None
    assert "too high" in (said[BEGINS + windows - 1] or "")


def test_no_input_shows_concept_drift(past: Past) -> None:
    """The estimate itself, and its checks, say the same whether labels turned over or not."""
    cbpe, judged = CBPE(metrics=("accuracy",)), past.windows[0]
    state = cbpe.fit(past.reference)
    (one,) = cbpe.estimate(state, judged.scored, window(0), judged.features)
    (other,) = cbpe.estimate(state, turned(judged, 1.0).scored, window(0), judged.features)
    assert one == other
