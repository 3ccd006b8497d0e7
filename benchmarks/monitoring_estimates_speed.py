"""CBPE beside NannyML's: fit on a million rows, estimate 100 windows of 10,000, the same numbers.

Each side runs in a process of its own, on the same arrays. Nothing of Ratoon is imported on the
peer's side, and nothing of the peer on Ratoon's.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from benchmarks.data_measuring import once

WINDOW = 10_000
METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc")
Numbers = dict[str, list[list[float]]]


def make_scores(folder: str, rows: int) -> None:
    """Write scores and labels of a reference and of as many rows more; the scores are too sure."""
    draw = np.random.default_rng(0)
    hint = draw.normal(0, 2, 2 * rows)
    labels = draw.random(2 * rows) < 1 / (1 + np.exp(-hint))
    scores = 1 / (1 + np.exp(-1.5 * hint + 0.2))
    np.savez(Path(folder) / "rows.npz", scores=scores, labels=labels.astype(np.int64))


def ratoon_step(folder: str, rows: int) -> dict[str, Any]:
    """Fit and estimate with Ratoon."""
    import scipy.optimize  # noqa: F401, PLC0415 - the import is not what is measured

    from ratoon.core.measuring import Window  # noqa: PLC0415
    from ratoon.core.times import EPOCH  # noqa: PLC0415
    from ratoon.estimates import CBPE  # noqa: PLC0415
    from ratoon.windows.judged import Judged, Scored, Target  # noqa: PLC0415

    scores, labels = _read(folder)
    outputs = (scores >= 0.5).astype(float)
    said = Scored(outputs=outputs, scores=np.column_stack([1 - scores, scores]))
    reference = Judged(
        target=Target(task="binary", classes=(0, 1)),
        labels=labels[:rows].astype(float),
        scored=said.take(slice(rows)),
    )
    window, cbpe = Window(start=EPOCH, end=EPOCH), CBPE(metrics=METRICS)
    began = process_time()
    state = cbpe.fit(reference)
    fitted = process_time()
    found = [
        cbpe.estimate(state, said.take(slice(at, at + WINDOW)), window)
        for at in range(rows, 2 * rows, WINDOW)
    ]
    ended = process_time()
    numbers = {
        name: [[one[i].measurement.value, one[i].sampling_error] for one in found]
        for i, name in enumerate(METRICS)
    }
    _write(folder, "ratoon", numbers)
    return {"fit_s": fitted - began, "estimate_s": ended - fitted}


def nannyml_step(folder: str, rows: int) -> dict[str, Any]:
    """Fit and estimate with NannyML."""
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
    import nannyml  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    scores, labels = _read(folder)
    columns = {"p": scores, "said": (scores >= 0.5).astype(int), "true": labels}
    frame = pd.DataFrame(columns)
    method = nannyml.CBPE(
        y_true="true",
        y_pred="said",
        y_pred_proba="p",
        metrics=list(METRICS),
        problem_type="classification_binary",
        chunk_size=WINDOW,
    )
    began = process_time()
    method.fit(frame[:rows])
    fitted = process_time()
    result = method.estimate(frame[rows:].drop(columns="true").reset_index(drop=True))
    ended = process_time()
    table = result.filter(period="analysis").to_df()
    pairs = {name: table[name][["value", "sampling_error"]] for name in METRICS}
    _write(folder, "nannyml", {name: pair.to_numpy().tolist() for name, pair in pairs.items()})
    return {"fit_s": fitted - began, "estimate_s": ended - fitted}


def speed(peer: str | None, rows: int, runs: int) -> dict[str, Any]:
    """Return CPU seconds of both, their ratio, and how far their numbers lie apart."""
    with tempfile.TemporaryDirectory() as folder:
        make_scores(folder, rows)
        given = {"folder": folder, "rows": rows}
        step = "monitoring_estimates_speed"
        figures: dict[str, Any] = {"rows": rows, "windows": rows // WINDOW}
        found = [once(f"{step}:ratoon_step", given) for _ in range(runs)]
        figures["ratoon"] = {n: statistics.median(one[n] for one in found) for n in found[0]}
        if peer is None:
            return figures
        figures["nannyml"] = once(f"{step}:nannyml_step", given, peer)
        ours, theirs = (sum(figures[side].values()) for side in ("ratoon", "nannyml"))
        figures["ratio"] = round(theirs / ours, 1)
        left, right = (np.load(Path(folder) / f"{side}.npz") for side in ("ratoon", "nannyml"))
        for name in METRICS:
            apart = np.abs(left[name] - right[name]).max(axis=0)
            figures[f"{name}_apart"] = float(apart[0])
            figures[f"{name}_sampling_error_apart"] = float(apart[1])
        return figures


def _read(folder: str) -> tuple[Any, Any]:
    found = np.load(Path(folder) / "rows.npz")
    return found["scores"], found["labels"]


def _write(folder: str, side: str, numbers: Numbers) -> None:
    np.savez(Path(folder) / f"{side}.npz", **{k: np.array(v) for k, v in numbers.items()})
