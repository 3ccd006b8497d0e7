"""How far estimates lie from what the labels said, on labelled streams in order of time.

A model is trained on the first rows of a stream, the next are the reference, and the rest is cut
into windows, whose metrics are estimated and then measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from ratoon.core.measuring import Measurement, Window
from ratoon.core.times import EPOCH
from ratoon.estimates import CBPE, DLE, PAPE, Estimate, RegionalCBPE, Trust, TrustState, Weighted
from ratoon.estimates.support import support_of
from ratoon.metrics import by_name
from ratoon.windows.intake import read_rows
from ratoon.windows.judged import Judged, Scored, Target
from ratoon.windows.rows import Rows

TRAINED, REFERENCE = 0.15, 0.15  # shares of a stream
WINDOWS = 20
DELAY = 2  # windows until the labels of a window are there
_NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream as a model has judged it: the reference, then windows."""

    name: str
    drift: str
    reference: Judged
    windows: tuple[Judged, ...]


@dataclass(slots=True, kw_only=True)
class Score:
    """How one method did on one metric of one stream."""

    errors: list[float]
    inside: list[bool]  # of the 95% band
    inside_nannyml: list[bool]  # of ± 3 sampling errors, the band that NannyML draws
    trusted: list[float]  # errors of the estimates that were not withdrawn
    cpu_s: float = 0.0


def load(folder: Path, rows: int) -> Stream:
    """Read a stream, thinned to `rows` at most, train a model on its first rows, and judge."""
    meta = json.loads((folder / "meta.json").read_text())
    table = pq.read_table(folder / "data.parquet")
    table = table.take(np.unique(np.linspace(0, len(table) - 1, min(rows, len(table)), dtype=int)))
    truth = table["target"].to_numpy(zero_copy_only=False)
    table = table.drop_columns(["target", *meta.get("index_columns", [])])
    features = read_rows(pa.table({n: _plain(table[n]) for n in table.column_names}))
    task = meta["task"]
    classes = () if task == "regression" else tuple(np.unique(truth).tolist())
    labels = truth.astype(float) if not classes else np.searchsorted(np.array(classes), truth) * 1.0
    target = Target(task="binary" if len(classes) == 2 else task, classes=classes)
    first, second = (int(len(truth) * share) for share in (TRAINED, TRAINED + REFERENCE))
    scored = _said(target, features, labels, first)
    judged = Judged(target=target, labels=labels, scored=scored, features=features)
    edges = np.linspace(second, len(truth), WINDOWS + 1).astype(int)
    return Stream(
        name=folder.name,
        drift=str(meta.get("kind", "")),
        reference=judged.take(slice(first, second)),
        windows=tuple(judged.take(slice(a, b)) for a, b in pairwise(edges)),
    )


def scores_of(stream: Stream) -> dict[str, dict[str, Score]]:
    """Return for each metric and method how the estimates did."""
    regression = stream.reference.target.task == "regression"
    metrics = ("mae",) if regression else ("accuracy", "roc_auc", "f1")
    methods: dict[str, Any] = (
        {"DLE": DLE(metrics=metrics), "Weighted": Weighted(metrics=metrics)}
        if regression
        else {
            "CBPE": CBPE(metrics=metrics),
            "RegionalCBPE": RegionalCBPE(metrics=metrics),
            "PAPE": PAPE(metrics=metrics),
            "Weighted": Weighted(metrics=metrics),
        }
    )
    scale = _scales(stream, metrics)
    found: dict[str, dict[str, Score]] = {metric: {} for metric in metrics}
    _add(found, "reference", stream, scale, lambda _, window: _as_before(stream, metrics, window))
    for name, method in methods.items():
        began = process_time()
        state = method.fit(stream.reference)
        estimate = _estimator(method, state)
        _add(found, name, stream, scale, estimate)
        for metric in metrics:
            found[metric][name].cpu_s = (process_time() - began) / WINDOWS
    return found


def _add(
    found: dict[str, dict[str, Score]],
    name: str,
    stream: Stream,
    scale: dict[str, float],
    estimate: Callable[[Judged, Window], tuple[Estimate, ...]],
) -> None:
    """Estimate every window, measure it, and hold both against each other."""
    regression = stream.reference.target.task == "regression"
    trust, state = Trust(tolerance=0.1 if regression else 0.03, relative=regression), TrustState()
    waiting: list[list[tuple[Estimate, Measurement]]] = []
    for number, judged in enumerate(stream.windows):
        window = _window(number)
        if len(waiting) >= DELAY:
            state = trust.fold(state, waiting.pop(0))
        pairs = [
            (one, by_name(one.measurement.metric).measure(judged, window))
            for one in estimate(judged, window)
        ]
        waiting.append(pairs)
        for one, measured in pairs:
            metric = measured.metric
            score = found[metric].setdefault(
                name, Score(errors=[], inside=[], inside_nannyml=[], trusted=[])
            )
            if measured.value is None or one.measurement.value is None:
                continue
            error = abs(one.measurement.value - measured.value) / scale[metric]
            score.errors.append(error)
            stderr = (one.measurement.stderr or 0.0) / scale[metric]
            score.inside.append(error <= _NORMAL_95 * stderr)
            score.inside_nannyml.append(error <= 3 * (one.sampling_error or 0.0) / scale[metric])
            if trust.judge(state, one).withdrawn is None:
                score.trusted.append(error)


def _estimator(method: Any, state: Any) -> Callable[[Judged, Window], tuple[Estimate, ...]]:
    return lambda judged, window: method.estimate(state, judged.scored, window, judged.features)


def _as_before(stream: Stream, metrics: tuple[str, ...], window: Window) -> tuple[Estimate, ...]:
    """Say that all is as it was on the reference."""
    found: list[Estimate] = []
    for metric in metrics:
        measured = by_name(metric).measure(stream.reference, window)
        n, m = len(stream.windows[0]), len(stream.reference)
        stderr = None if measured.stderr is None else measured.stderr * float(np.sqrt(1 + m / n))
        found.append(
            Estimate(
                measurement=Measurement(
                    metric=metric, window=window, value=measured.value, n=n, stderr=stderr
                ),
                method="reference",
                assumptions=("nothing has changed",),
            )
        )
    return tuple(found)


def _scales(stream: Stream, metrics: tuple[str, ...]) -> dict[str, float]:
    """Return what errors are counted in: 1, and of MAE that of the reference."""
    if metrics != ("mae",):
        return dict.fromkeys(metrics, 1.0)
    value = by_name("mae").measure(stream.reference, _window(0)).value
    return {"mae": value or 1.0}


def _said(target: Target, features: Rows, labels: Any, first: int) -> Scored:
    """Train on the first rows; return what the model says of all of them."""
    matrix = support_of(features.take(slice(first))).matrix(features)
    matrix = np.nan_to_num(matrix, nan=-1.0)
    if target.task == "regression":
        numbers: Any = RandomForestRegressor(60, min_samples_leaf=5, random_state=0)
        return Scored(outputs=numbers.fit(matrix[:first], labels[:first]).predict(matrix))
    model: Any = RandomForestClassifier(60, min_samples_leaf=5, random_state=0)
    said = model.fit(matrix[:first], labels[:first]).predict_proba(matrix)
    scores = np.zeros((len(matrix), len(target.classes)))
    scores[:, model.classes_.astype(int)] = said
    return Scored(outputs=scores.argmax(axis=1).astype(float), scores=scores)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Read a column of dictionaries as the texts that it stands for."""
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def _window(number: int) -> Window:
    start = EPOCH + timedelta(days=number)
    return Window(start=start, end=start + timedelta(days=1))
