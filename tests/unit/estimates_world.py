"""Rows whose truth is known, and the definitions written out row by row."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np

from ratoon.core.measuring import Window
from ratoon.core.schema import Column, Schema
from ratoon.core.times import EPOCH
from ratoon.windows.judged import Floats, Judged, Scored, Target
from ratoon.windows.rows import Rows

WINDOW = Window(start=EPOCH, end=EPOCH)
BINARY = Target(task="binary", classes=("good", "bad"))
SEVERAL = Target(task="multiclass", classes=("a", "b", "c"))
NUMBERS = Target(task="regression")


def day(number: int) -> Window:
    """Return the window of a day."""
    start = EPOCH + timedelta(days=number)
    return Window(start=start, end=start + timedelta(days=1))


def said(scores: Floats, threshold: float = 0.5) -> Scored:
    """Return what a model of two classes says, by the score of the second."""
    outputs = (scores >= threshold).astype(float)
    return Scored(outputs=outputs, scores=np.column_stack([1 - scores, scores]))


def binary(rows: int, seed: int, *, sharp: float = 1.5, threshold: float = 0.5) -> Judged:
    """Return rows whose scores are surer than they should be where `sharp` is above 1."""
    draw = np.random.default_rng(seed)
    hint = draw.normal(0, 2, rows)
    labels = (draw.random(rows) < 1 / (1 + np.exp(-hint))).astype(float)
    scored = said(1 / (1 + np.exp(-sharp * hint + 0.5)), threshold)
    return Judged(target=BINARY, labels=labels, scored=scored)


def several(rows: int, seed: int) -> Judged:
    """Return rows of three classes whose scores are too sure."""
    draw = np.random.default_rng(seed)
    hints = draw.normal(0, 1.5, (rows, 3))
    shares = np.exp(hints)
    shares /= shares.sum(axis=1, keepdims=True)
    labels = (draw.random((rows, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    scores = shares**2
    scores /= scores.sum(axis=1, keepdims=True)
    scored = Scored(outputs=scores.argmax(axis=1).astype(float), scores=scores)
    return Judged(target=SEVERAL, labels=labels.astype(float), scored=scored)


def frame(**columns: Floats) -> Rows:
    """Return features that are numbers."""
    names = tuple(Column(name=name, kind="number", nullable=True) for name in columns)
    return Rows(schema=Schema(columns=names), columns=columns)


def naive_pool(shares: list[float], weights: list[float]) -> list[float]:
    """Pool adjacent violators, block by block, as the paper says it."""
    blocks: list[list[float]] = []  # mean, weight, length
    for share, weight in zip(shares, weights, strict=True):
        blocks.append([share, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, heavy, length = blocks.pop()
            last = blocks[-1]
            total = last[1] + heavy
            blocks[-1] = [(last[0] * last[1] + mean * heavy) / total, total, last[2] + length]
    return [mean for mean, _, length in blocks for _ in range(int(length))]


def naive_metrics(outputs: Floats, scores: Floats, p: Floats) -> dict[str, float]:
    """Return the expected metrics of two classes, added up row by row."""
    tp = fp = fn = tn = brier = loss = 0.0
    for output, score, chance in zip(outputs, scores, p, strict=True):
        tp += chance if output == 1 else 0
        fn += chance if output == 0 else 0
        fp += 1 - chance if output == 1 else 0
        tn += 1 - chance if output == 0 else 0
        brier += chance * (1 - score) ** 2 + (1 - chance) * score**2
        loss -= chance * math.log(max(score, 1e-6))
        loss -= (1 - chance) * math.log(max(1 - score, 1e-6))
    wins = sum(
        up * (1 - down) * ((one > other) + (one == other) / 2)
        for one, up in zip(scores, p, strict=True)
        for other, down in zip(scores, p, strict=True)
    )
    n = len(p)
    return {
        "accuracy": (tp + tn) / n,
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "roc_auc": wins / (p.sum() * (1 - p).sum()),
        "brier": brier / n,
        "log_loss": loss / n,
    }
