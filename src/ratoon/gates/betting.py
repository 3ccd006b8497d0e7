"""Betting on paired differences: evidence that may be looked at after every row."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ratoon.windows.judged import Floats

_LARGEST_BET = 0.5  # share of the capital that a worst row may cost
_PRIOR = 0.25  # second moment that is assumed before the first row
_NEAREST, _RATIO, _STEPS = 2e-4, 1.15, 68  # how far from the centre the candidate means stand
_BATCH = 512  # rows that are bet on at once against all candidates
_NO_GROWTH = 1e-15  # of the log capital a row: below, no number of rows would do
_ROUNDING = 1e-9  # a candidate's log capital and that of `play` differ by less


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
    if growth < _NO_GROWTH:
        return None
    return max(1, math.ceil((-math.log(alpha) - bet.log_capital) / growth))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A confidence sequence for the mean of numbers in [-1, 1]: what it needs to go on."""

    n: int = 0
    total: float = 0.0  # sum of the numbers
    squares: float = 0.0  # sum of their squares
    above: tuple[float, ...] = ()  # log capital of the bets that the mean is above each candidate
    below: tuple[float, ...] = ()  # the same for below


def candidates(centre: float) -> Floats:
    """Return the means between -1 and 1 that are tested: `centre`, and others ever farther off.

    The first stands 0.0002 off, each further one 1.15 times as far as the one before it.
    """
    offsets = _NEAREST * _RATIO ** np.arange(_STEPS)
    means = np.concatenate([centre - offsets[::-1], [centre], centre + offsets])
    return means[(means > -1) & (means < 1)]


def widen(bounds: Bounds, values: Floats, centre: float) -> Bounds:
    """Take `values` in [-1, 1] into the confidence sequence around `centre`.

    Two bets run against each candidate m, both with the stakes of `play`: on the values less m
    that the mean is above it, on m less the values that it is below.
    """
    for start in range(0, len(values), _BATCH):
        bounds = _widened(bounds, values[start : start + _BATCH], candidates(centre))
    return bounds


def _widened(bounds: Bounds, values: Floats, means: Floats) -> Bounds:
    totals = np.cumsum(np.concatenate([[bounds.total], values]))
    squares = np.cumsum(np.concatenate([[bounds.squares], values**2]))
    before = (bounds.n + np.arange(len(values)))[:, None]  # rows before each
    sums = totals[:-1, None] - before * means
    seconds = squares[:-1, None] - 2 * means * totals[:-1, None] + before * means**2
    stakes = sums / (_PRIOR + np.maximum(seconds, 0.0))
    gains = values[:, None] - means
    above = np.log1p(np.clip(stakes, 0.0, _LARGEST_BET / (1 + means)) * gains)
    below = np.log1p(np.clip(-stakes, 0.0, _LARGEST_BET / (1 - means)) * -gains)
    return Bounds(
        n=bounds.n + len(values),
        total=float(totals[-1]),
        squares=float(squares[-1]),
        above=_carried(bounds.above, above),
        below=_carried(bounds.below, below),
    )


def interval(bounds: Bounds, centre: float, alpha: float) -> tuple[float, float]:
    """Return the confidence sequence's interval now, within [-1, 1].

    A candidate is refuted where its capital has reached 1 / alpha. The lower bound is the highest
    candidate up to which all are refuted, the upper bound the lowest from which all are; neither
    contradicts what `play` says of `centre`. Each of them holds at all times with a chance of
    1 - alpha: where the lower one is wrong, the lowest candidate above the true mean is refuted,
    and the bet against that one is fair or worse.

    Source: Waudby-Smith & Ramdas 2024, section 4, the hedged capital, here each side by itself.
    """
    if not bounds.n:
        return -1.0, 1.0
    means, limit = candidates(centre), -math.log(alpha) - _ROUNDING
    over, under = np.array(bounds.above) >= limit, np.array(bounds.below) >= limit
    low = np.concatenate([[-1.0], means])[int(np.cumprod(over).sum())]
    high = np.concatenate([[1.0], means[::-1]])[int(np.cumprod(under[::-1]).sum())]
    middle = int(np.searchsorted(means, centre))
    low = max(low, centre) if over[middle] else low
    high = min(high, centre) if under[middle] else high
    return float(low), float(high)


def _carried(so_far: tuple[float, ...], growth: Floats) -> tuple[float, ...]:
    """Add up in the order of the rows, so that splitting a batch gives the same bits."""
    start = np.array([so_far or (0.0,) * growth.shape[1]])
    return tuple(np.cumsum(np.concatenate([start, growth]), axis=0)[-1].tolist())
