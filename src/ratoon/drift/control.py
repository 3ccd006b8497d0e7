"""Many tests at once: which of them may be called discoveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ratoon.drift.change import Change
from ratoon.windows.judged import Floats


def adjusted_together(changes: Sequence[Change]) -> list[Change]:
    """Return changes of one window as tests beside each other, in their order.

    Their p-values are adjusted over all of them (Benjamini-Hochberg), so that the window has a
    false alarm at all no more often than a single test would have.
    """
    adjusted = benjamini_hochberg(np.array([change.p_value for change in changes]))
    return [replace(c, adjusted=float(a)) for c, a in zip(changes, adjusted, strict=True)]


def strongest_first(change: Change) -> tuple[bool, float, str]:
    """Return a key that sorts drifts first, and the strongest first."""
    return not change.drifted, -change.strength, change.column


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Return the adjusted p-values: a test is a discovery at a rate where its own is at most that.

    Of all discoveries at a rate of 0.05 at most 5 % are false in the long run, for tests that are
    independent or positively dependent. Where nothing has changed there is a discovery at all in
    5 % of the times.

    >>> benjamini_hochberg(np.array([0.01, 0.9, 0.02])).tolist()
    [0.03, 0.9, 0.03]

    Source: Benjamini & Hochberg (1995), Journal of the Royal Statistical Society B 57, procedure 1;
    Yekutieli & Benjamini (1999), Journal of Statistical Planning and Inference 82, definition 2.4.
    """
    tests = len(p_values)
    order = np.argsort(p_values, kind="stable")[::-1]
    scaled = p_values[order] * tests / np.arange(tests, 0, -1)
    adjusted = np.empty(tests)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return adjusted


def benjamini_yekutieli(p_values: Floats) -> Floats:
    """Return adjusted p-values that hold whatever the tests have to do with each other.

    >>> benjamini_yekutieli(np.array([0.01, 0.9])).round(3).tolist()
    [0.03, 1.0]

    Source: Benjamini & Yekutieli (2001), Annals of Statistics 29, theorem 1.3.
    """
    harmonic = (1 / np.arange(1, len(p_values) + 1)).sum()
    return np.minimum(benjamini_hochberg(p_values) * harmonic, 1.0)


def holm(p_values: Floats) -> Floats:
    """Return adjusted p-values that bound the chance of any false discovery.

    >>> holm(np.array([0.01, 0.04])).tolist()
    [0.02, 0.04]

    Source: Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    tests = len(p_values)
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(tests)
    adjusted[order] = np.maximum.accumulate(p_values[order] * np.arange(tests, 0, -1))
    return np.minimum(adjusted, 1.0)


def e_benjamini_hochberg(e_values: Floats, rate: float) -> NDArray[np.bool_]:
    """Tell which e-values are discoveries at a false discovery rate, under any dependence.

    >>> e_benjamini_hochberg(np.array([100.0, 1.0]), 0.05).tolist()
    [True, False]

    Source: Wang & Ramdas (2022), Journal of the Royal Statistical Society B 84, definition 2.
    """
    tests = len(e_values)
    order = np.argsort(-e_values, kind="stable")
    passed = np.flatnonzero(e_values[order] * np.arange(1, tests + 1) >= tests / rate)
    found = np.zeros(tests, dtype=bool)
    if len(passed):
        found[order[: int(passed[-1]) + 1]] = True
    return found
