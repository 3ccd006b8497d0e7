"""What NannyML's own tests say of its sample of two classes, from counts of its rows.

The scores of the sample have two digits, so that rows of one score and label are alike: how many
there are is all that these figures rest on.

Source: NannyML 0.13.1 (Apache 2.0), `datasets/data/synthetic_sample_*.csv`, for the rows;
`tests/performance_estimation/CBPE` and `tests/performance_calculation/metrics` for the figures.
"""

from __future__ import annotations

import numpy as np
import pytest

from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.estimates import CBPE
from ratoon.metrics import by_name
from ratoon.windows.judged import Floats, Judged, Scored, Target

TARGET = Target(task="binary", classes=(0, 1))
WINDOW = Window(start=EPOCH, end=EPOCH)
CUT = 0.475  # the sample's outputs are 1 from here on

# Rows with a score of 0.00, 0.01 … 1.00: of label 0, then of label 1. The reference, and the first
# and second 5,000 rows of what follows.
REFERENCE = """
3719 3832 3177 2411 1847 1429 1037 915 674 541 397 365 354 288 232 188 175 150 129 132 105 107
109 96 97 69 65 67 65 61 47 60 51 42 50 58 49 46 47 36 39 31 40 35 35 32 27 22 25 27 29 23 27 21
24 27 26 26 20 24 27 20 16 14 19 22 25 17 26 22 26 12 18 17 19 25 16 17 17 15 14 14 16 19 16 19
13 24 18 30 25 21 25 30 28 44 54 71 85 96 90

84 97 87 77 49 36 43 26 24 24 13 16 21 21 6 12 20 14 14 14 17 9 9 13 13 13 16 13 6 15 9 15 21 12
7 21 20 16 26 16 18 19 29 18 25 30 23 20 30 29 27 29 39 33 18 24 24 38 33 35 39 43 50 54 60 55
60 52 64 68 73 74 94 90 85 103 106 100 117 132 129 172 170 165 196 225 228 329 375 387 478 588
720 928 1116 1492 1809 2516 3151 3655 3105
"""
FIRST = """
354 378 283 250 170 122 100 86 75 63 36 39 23 21 24 25 14 16 15 6 7 7 11 9 12 5 5 1 5 5 7 8 9 5
8 3 1 8 8 2 4 5 3 7 2 5 4 6 3 0 1 2 1 2 0 4 3 6 0 2 4 2 5 3 5 3 1 0 2 3 3 2 2 3 3 0 2 4 2 2 1 3
2 2 0 0 0 3 2 3 1 1 6 2 3 4 9 8 7 13 7

9 9 5 9 2 6 3 0 2 0 3 0 2 4 1 0 1 0 2 1 0 0 2 2 1 1 1 4 0 2 2 2 2 3 1 3 4 2 3 0 4 2 0 2 7 0 1 1
3 6 1 3 3 6 3 9 2 7 6 3 3 0 5 3 6 2 4 8 3 5 9 7 11 9 11 9 15 13 13 10 12 12 12 18 22 32 25 33 31
43 50 62 82 101 129 150 209 272 291 372 319
"""
SECOND = """
373 387 319 236 193 148 128 88 73 42 45 30 32 30 25 21 13 18 12 12 13 13 7 13 4 13 12 8 4 10 4 4
8 4 1 4 2 6 8 7 4 7 4 3 0 5 6 3 1 2 1 1 0 3 2 7 0 6 4 0 4 2 2 1 2 2 4 1 1 2 2 1 1 3 1 2 0 2 3 1
0 2 4 3 1 3 2 2 0 2 1 3 4 2 5 7 5 5 6 8 11

9 11 7 10 4 4 6 1 3 3 2 2 3 1 0 2 0 1 2 0 1 2 1 3 1 2 1 3 0 1 1 1 2 3 0 2 6 3 2 1 3 1 3 2 3 0 3
1 7 2 5 3 4 2 4 1 0 6 1 3 7 5 3 4 7 3 5 8 6 5 4 4 9 9 8 7 7 16 4 12 8 20 16 16 26 24 33 35 38 44
53 64 70 84 108 129 201 246 301 350 298
"""

# The rows that are estimated, whose labels do not matter: the first 20,000, and the next 30,000.
EARLIER = """
1497 1595 1274 1013 744 606 466 324 321 244 164 163 120 108 95 87 65 71 59 48 51 56 39 47 44 37
49 34 30 34 24 29 36 32 20 23 25 35 35 22 28 25 15 21 25 23 21 20 23 18 17 21 19 24 17 28 20 32
23 21 24 22 32 28 29 26 29 27 31 29 38 33 35 44 54 46 45 62 53 52 48 79 68 63 91 98 100 131 141
163 216 252 319 359 496 595 852 1034 1208 1486 1255
"""
LATER = """
1208 1454 1308 1124 970 774 673 607 504 431 362 373 342 283 263 211 212 215 170 176 172 140 139
119 113 124 85 98 104 92 95 71 86 84 80 85 75 69 89 60 79 69 66 66 78 56 74 67 68 60 50 60 53 61
57 62 68 79 64 60 67 75 72 75 84 73 104 83 113 95 94 89 111 129 113 101 137 150 167 156 205 189
227 226 266 298 302 368 397 455 465 533 592 712 765 815 1064 1247 1398 1419 1032
"""


def rows_of(counts: str) -> tuple[Floats, Floats]:
    """Return scores and labels, in an order that says nothing."""
    sides = [np.array(side.split(), dtype=int) for side in counts.split("\n\n")]
    scores = np.concatenate([np.repeat(np.arange(101) / 100, side) for side in sides])
    labels = np.repeat(np.arange(len(sides)), [side.sum() for side in sides]).astype(float)
    order = np.random.default_rng(0).permutation(len(scores))
    return scores[order], labels[order]


def said(scores: Floats, cut: float) -> Scored:
    """Return what the model said."""
    return Scored(
        outputs=(scores >= cut).astype(float), scores=np.column_stack([1 - scores, scores])
    )


def judged(counts: str, cut: float) -> Judged:
    """Return labelled rows."""
    scores, labels = rows_of(counts)
    return Judged(target=TARGET, labels=labels, scored=said(scores, cut))


ESTIMATED = {
    "accuracy": (0.9478536003143163, 0.9245926106862006),
    "f1": (0.9479079222515973, 0.9278089207836576),
    "precision": (0.9436121782324026, 0.9197836255005452),
    "recall": (0.9522429574319092, 0.9359754933378336),
    "specificity": (0.9434949869571513, 0.9123732942949082),
    "roc_auc": (0.9711057564966745, 0.9636286015592977),
}
TRUE_POSITIVES = (9488.96406430504, 14537.180201036117)


@pytest.mark.parametrize(("counts", "place"), [(EARLIER, 0), (LATER, 1)])
def test_estimates(counts: str, place: int) -> None:
    """CBPE estimates what NannyML does: exactly, but ROC-AUC, where it orders equal scores."""
    cbpe = CBPE(metrics=(*ESTIMATED, "confusion"))
    state = cbpe.fit(judged(REFERENCE, CUT))
    scores, _ = rows_of(counts)
    found = {
        (e.measurement.metric, e.measurement.subject): e.measurement.value
        for e in cbpe.estimate(state, said(scores, CUT), WINDOW)
    }
    for name, values in ESTIMATED.items():
        near = 3e-6 if name == "roc_auc" else 1e-12
        assert found[name, None] == pytest.approx(values[place], abs=near), name
    positives = found["confusion", "label=1, output=1"]
    assert positives is not None
    assert positives * len(scores) == pytest.approx(TRUE_POSITIVES[place], rel=1e-12)


def test_sampling_errors() -> None:
    """The sampling errors of 5,000 rows are NannyML's, of outputs from a score of 0.8 on."""
    expected = {
        "accuracy": 0.003746,
        "precision": 0.003759,
        "recall": 0.006546,
        "specificity": 0.003413,
        "f1": 0.007549,
    }
    cbpe = CBPE(metrics=(*expected, "roc_auc"))
    state = cbpe.fit(judged(REFERENCE, 0.8))
    scores, _ = rows_of(FIRST)
    found = {
        e.measurement.metric: e.sampling_error
        for e in cbpe.estimate(state, said(scores, 0.8), WINDOW)
    }
    assert len(scores) == 5000
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=5e-7), name
    # it ranks rows of equal scores by where they stand, which counts do not tell
    assert found["roc_auc"] == pytest.approx(0.001811, rel=0.01)


REALISED = {
    "roc_auc": (0.97096, 0.97025),
    "f1": (0.92186, 0.92124),
    "precision": (0.96729, 0.96607),
    "recall": (0.88051, 0.88039),
    "accuracy": (0.9228, 0.926),
}


@pytest.mark.parametrize(("counts", "place"), [(FIRST, 0), (SECOND, 1)])
@pytest.mark.parametrize("name", REALISED)
def test_measurements(name: str, counts: str, place: int) -> None:
    """Metrics on labels are NannyML's to the five digits that its tests give."""
    found = by_name(name).measure(judged(counts, 0.8), WINDOW)
    assert found.value == pytest.approx(REALISED[name][place], abs=6e-6)
    assert found.n == 5000
