"""Labels of one type, held as an array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast, overload

import numpy as np
from numpy.typing import NDArray

from ratoon.windows.judged import Scalar

Array = NDArray[Any]


class LabelColumn(Sequence[Scalar]):
    """Labels that are read like a tuple, and cost no Python value a row until they are.

    >>> labels = LabelColumn(np.array([7, 8]), np.array([1, 0, 1]))
    >>> labels[0], labels.count(8), labels == (8, 7, 8), labels.array.tolist()
    (8, 2, True, [8, 7, 8])
    """

    def __init__(self, distinct: Array, codes: NDArray[np.integer[Any]] | None = None) -> None:
        """Hold labels of dtype int64, float64, bool, or objects that are all texts.

        Args:
            distinct: The labels that there may be, or, without codes, the label of each row.
            codes: Which of them each row has, of shape (rows,).
        """
        self._distinct = distinct
        self._codes = codes

    @property
    def array(self) -> Array:
        """The labels, of shape (rows,)."""
        return self._distinct if self._codes is None else self._distinct[self._codes]

    def coded(self) -> tuple[list[Scalar], NDArray[np.integer[Any]]] | None:
        """Return the distinct labels that stand there, and which of them each row has.

        They come in the order in which they first stand there. None where labels hardly repeat.
        """
        if self._codes is None:
            return None
        places = np.flatnonzero(np.bincount(self._codes, minlength=len(self._distinct)))
        firsts = [int(np.argmax(self._codes == place)) for place in places]
        ordered = places[np.argsort(firsts)]
        again = np.zeros(len(self._distinct), dtype=np.int64)
        again[ordered] = np.arange(len(ordered))
        return cast("list[Scalar]", self._distinct[ordered].tolist()), again[self._codes]

    def kept(self, mask: NDArray[np.bool_]) -> LabelColumn:
        """Return the labels where the mask holds."""
        if self._codes is None:
            return LabelColumn(self._distinct[mask])
        return LabelColumn(self._distinct, self._codes[mask])

    def __len__(self) -> int:
        return len(self._distinct if self._codes is None else self._codes)

    def __iter__(self) -> Iterator[Scalar]:
        return iter(cast("list[Scalar]", self.array.tolist()))

    @overload
    def __getitem__(self, index: int) -> Scalar: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Scalar, ...]: ...
    def __getitem__(self, index: int | slice) -> Scalar | tuple[Scalar, ...]:
        if isinstance(index, slice):
            part = self._distinct[index] if self._codes is None else self._codes[index]
            return tuple((part if self._codes is None else self._distinct[part]).tolist())
        at: Any = index if self._codes is None else self._codes[index]
        label = self._distinct[at]
        return cast("Scalar", label.item() if isinstance(label, np.generic) else label)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, tuple | LabelColumn):
            return NotImplemented
        return tuple(self) == tuple(cast("Sequence[Scalar]", other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"LabelColumn of {len(self):,}, {self._distinct.dtype}"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:  # noqa: FBT001 - numpy's
        """Return the labels for numpy."""
        return np.array(self.array, dtype=dtype, copy=copy)
