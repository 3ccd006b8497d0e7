"""Betting on paired differences: evidence that may be looked at after every row."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ratoon.windows.judged import Floats

_LARGEST_BET = 0.5  # share of the capital that a worst row may cost
_PRIOR = 0.25  # second moment that is assumed before the first row


@dataclass(frozen=True, slots=True, kw_only=True)
class Bet:
    """A betting e-process: what it needs to go on."""

    n: int = 0
    total: float = 0.0  # sum of the numbers
    squares: float = 0.0  # sum of their squares
    log_capital: float = 0.0  # natural logarithm of the capital, the e-value


def play(bet: Bet, gains: Floats, worst: float, alpha: float) -> tuple[Bet, int | None]:
    """Bet on each of `gains` in turn; stop at the row where the capital reaches 1 / alpha.

    The null hypothesis is that the conditional mean of the gains is at most 0. The capital is
    K_t = prod(1 + lambda_i g_i), with lambda_i = clip(S / (1/4 + Q), 0, 0.5 / w) from the
    sum S and the sum of squares Q of the rows before i only: the bet that is best to second order.
    K is a test supermartingale under the null, so by Ville's inequality the chance that it *ever*
    reaches 1 / alpha is at most alpha, however often one looks.

    Args:
        bet: the state so far.
        gains: shape (n,), each at least -worst.
        worst: w, the largest possible loss of a row, above 0.
        alpha: the error rate, between 0 and 1.

    Returns:
        The state after the last row that was bet on, and how many rows that took if the capital
        reached 1 / alpha, else None. Splitting a batch changes nothing.

    Source: Waudby-Smith & Ramdas 2024, "Estimating means of bounded random variables by betting",
    section 4 (arXiv 2010.09686).
    """
    sums = np.cumsum(np.concatenate([[bet.total], gains]))
    squares = np.cumsum(np.concatenate([[bet.squares], gains**2]))
    most = _LARGEST_BET / worst
    stakes = np.clip(sums[:-1] / (_PRIOR + squares[:-1]), 0.0, most)
    capital = np.cumsum(np.concatenate([[bet.log_capital], np.log1p(stakes * gains)]))
    reached = np.flatnonzero(capital[1:] >= -math.log(alpha))
    rows = int(reached[0]) + 1 if len(reached) else len(gains)
    after = Bet(
        n=bet.n + rows,
        total=float(sums[rows]),
        squares=float(squares[rows]),
        log_capital=float(capital[rows]),
    )
    return after, rows if len(reached) else None


def labels_needed(bet: Bet, alpha: float) -> int | None:
    """Estimate how many rows more it takes to reach 1 / alpha, if they are like those so far.

    The log capital grows by about mean² / (2 · second moment) a row. None where it does not grow.
    """
    if bet.n == 0 or bet.total <= 0:
        return None
    growth = bet.total**2 / (2 * bet.n * (bet.squares + _PRIOR))
    return max(1, math.ceil((-math.log(alpha) - bet.log_capital) / growth))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A confidence sequence for the mean of numbers in [0, 1]: what it needs to go on."""

    n: int = 0
    total: float = 0.0
    spread: float = 0.0  # sum of squared distances from the running mean
    weights: float = 0.0
    weighted: float = 0.0
    penalty: float = 0.0


def widen(bounds: Bounds, values: Floats, alpha: float) -> Bounds:
    """Take `values` in [0, 1] into the confidence sequence at 1 - alpha.

    The predictable plug-in empirical-Bernstein sequence (Waudby-Smith & Ramdas 2024, theorem 2):
    lambda_t = min(1/2, sqrt(2 ln(2/alpha) / (v_{t-1} t ln(1+t)))), psi(l) = (-ln(1-l) - l) / 4.
    """
    t = bounds.n + np.arange(1, len(values) + 1)
    totals = np.cumsum(np.concatenate([[bounds.total], values]))
    means = (0.5 + totals) / (1 + np.concatenate([[bounds.n], t]))
    squares = (values - means[1:]) ** 2
    spreads = np.cumsum(np.concatenate([[bounds.spread], squares]))
    variances = (0.25 + spreads[:-1]) / t
    weights = np.minimum(0.5, np.sqrt(2 * math.log(2 / alpha) / (variances * t * np.log1p(t))))
    psi = (-np.log1p(-weights) - weights) / 4
    penalties = 4 * (values - means[:-1]) ** 2 * psi
    return Bounds(
        n=bounds.n + len(values),
        total=float(totals[-1]),
        spread=float(spreads[-1]),
        weights=_carried(bounds.weights, weights),
        weighted=_carried(bounds.weighted, weights * values),
        penalty=_carried(bounds.penalty, penalties),
    )


def interval(bounds: Bounds, alpha: float) -> tuple[float, float]:
    """Return the confidence sequence's interval now, within [0, 1]."""
    if not bounds.weights:
        return 0.0, 1.0
    middle = bounds.weighted / bounds.weights
    half = (math.log(2 / alpha) + bounds.penalty) / bounds.weights
    return max(0.0, middle - half), min(1.0, middle + half)


def _carried(so_far: float, values: Floats) -> float:
    """Sum in order, so that splitting a batch gives the same bits."""
    return float(np.cumsum(np.concatenate([[so_far], values]))[-1])
