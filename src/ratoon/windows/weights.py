"""How much each row of a snapshot counts."""

from __future__ import annotations

import base64
import zlib

import numpy as np

from ratoon.core.deciding import RowChoice
from ratoon.windows.judged import Floats
from ratoon.windows.rows import Array

_SECOND = np.timedelta64(1, "s")


def weights_of(choice: RowChoice, times: Array) -> Floats | None:
    """Return the weight of each row that a choice has led to, or None where all count alike.

    A half-life gives the newest row the weight 1, and half of it to one that is a half-life older:
    0.5 ^ (age / half-life). Age is counted in newer rows of the same snapshot, or in event time.

    Args:
        choice: what was chosen, with the weights of the person's function packed into it.
        times: event times of the rows, (rows,), in the order of their labels.

    >>> from ratoon.core.measuring import RowRange
    >>> choice = RowChoice(rows=RowRange(start=0, stop=3), rule="all", half_life_rows=1)
    >>> weights_of(choice, np.zeros(3, "datetime64[us]")).tolist()
    [0.25, 0.5, 1.0]
    """
    if choice.weights is not None:
        return unpacked(choice.weights)
    if choice.half_life_rows is not None:
        newer = np.arange(len(times) - 1, -1, -1, dtype=np.float64)
        return _halved(newer / choice.half_life_rows)
    if choice.half_life_s is not None:
        age: Floats = (times.max() - times) / _SECOND
        return _halved(age / choice.half_life_s)
    return None


def effective(rows: int, weights: Floats | None) -> float:
    """Return to how many rows that count alike weighted ones amount: (sum w)^2 / sum w^2.

    Source: Kish, L. (1965). Survey sampling, section 11.7.

    >>> effective(4, np.array([1.0, 1.0, 0.0, 0.0]))
    2.0
    """
    if weights is None:
        return float(rows)
    return float(weights.sum() ** 2 / (weights**2).sum())


def packed(weights: Floats) -> str:
    """Return weights as text, to the last bit: little-endian doubles, zlib, base64.

    >>> unpacked(packed(np.array([0.1, 2.0]))).tolist()
    [0.1, 2.0]
    """
    return base64.b64encode(zlib.compress(weights.astype("<f8").tobytes())).decode()


def unpacked(text: str) -> Floats:
    """Return the weights that `packed` made a text of."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<f8").astype(np.float64)


def _halved(half_lives: Floats) -> Floats:
    # A weight of 0 is no row at all to some models, and an error to others.
    return np.maximum(np.exp2(-half_lives), np.finfo(np.float64).tiny)
