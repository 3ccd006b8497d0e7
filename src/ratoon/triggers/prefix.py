"""What some triggers learn from: the losses, on an early part, of models trained at each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ratoon.core.errors import SettingInvalid
from ratoon.windows.judged import Floats

_MOST = 256  # values of a setting that are tried


def checked(losses: ArrayLike) -> Floats:
    """Return the losses of a prefix as an array.

    Args:
        losses: square; `losses[trained_at, window]` is the mean row loss on a window of the model
            that was trained just before window `trained_at`. What stands below the diagonal is
            not looked at.

    Raises:
        SettingInvalid: the array is not square, or a loss on or above the diagonal is not finite.
    """
    array = np.asarray(losses, dtype=float)
    square = array.ndim == 2 and array.shape[0] == array.shape[1] and len(array) > 0  # noqa: PLR2004 - rows and columns
    if not square:
        rule = "a square array, trained_at by window"
        raise SettingInvalid("losses", rule, array.shape)
    if not np.isfinite(array[np.triu_indices(len(array))]).all():
        raise SettingInvalid("losses", "finite on and above the diagonal", "a loss that is not")
    return array


def schedule_cost(
    losses: Floats, cost: float, retrain: Callable[[float, float, int], bool]
) -> float:
    """Return what a rule costs on a prefix: all losses, and `cost` for each retraining.

    The first model is there without cost. After each window but the last the rule is asked, with
    the loss of the window, the sum of the losses since the last training, and the windows since
    then; where it retrains, the new model serves from the next window on.
    """
    trained, total, summed = 0, 0.0, 0.0
    last = len(losses) - 1
    for window in range(last + 1):
        loss = float(losses[trained, window])
        total, summed = total + loss, summed + loss
        if window < last and retrain(loss, summed, window + 1 - trained):
            trained, total, summed = window + 1, total + cost, 0.0
    return total


def cheapest(candidates: Sequence[float], cost_of: Callable[[float], float]) -> float:
    """Return the candidate of least cost; of equal ones the largest, which retrains least."""
    return min(sorted(candidates, reverse=True), key=cost_of)


def thinned(values: Floats) -> list[float]:
    """Return the distinct values in order; of many, evenly spread ones with the two ends."""
    distinct = np.unique(values)
    if len(distinct) <= _MOST:
        return distinct.tolist()
    return distinct[np.linspace(0, len(distinct) - 1, _MOST).round().astype(int)].tolist()
