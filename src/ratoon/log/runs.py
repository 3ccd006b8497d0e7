"""Numbers that go on one by one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_PIECE = 2**16  # numbers looked at together: what is made of them stays in the cache


def side_by_side(numbers: NDArray[np.int64]) -> bool:
    """Tell whether each number, of one or more, is the one before it plus 1.

    >>> side_by_side(np.array([3, 4, 5])), side_by_side(np.array([3, 5, 4, 6]))
    (True, False)
    """
    if numbers[-1] - numbers[0] != len(numbers) - 1:
        return False
    pieces = (numbers[at : at + _PIECE + 1] for at in range(0, len(numbers), _PIECE))
    return all(bool((piece[1:] - piece[:-1] == 1).all()) for piece in pieces)
