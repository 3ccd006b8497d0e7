"""The place of each row's category."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


def category_places(categories: Sequence[str], column: Any) -> NDArray[np.intp]:
    """Return where each row's category stands in `categories`, shape (n,).

    It is one past them where it is another one, and two past them where it is missing: the bins of
    a `CategoryGrid`, and the place of its missing rows.

    Args:
        categories: distinct.
        column: texts, shape (n,): an array of objects, or an Arrow array, chunked or not.

    >>> category_places(["a", "b"], np.array(["b", None, "z"], dtype=object)).tolist()
    [1, 3, 2]
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import
    import pyarrow.compute as pc  # noqa: PLC0415

    texts: Any = column
    if isinstance(column, np.ndarray):
        texts = cast("Any", pa).array(column, from_pandas=True)
    if pa.types.is_dictionary(texts.type):
        texts = texts.cast(texts.type.value_type)
    if pa.types.is_null(texts.type):
        texts = texts.cast(pa.string())
    compute = cast("Any", pc)
    found = compute.index_in(texts, value_set=cast("Any", pa).array(categories, texts.type))
    found = compute.fill_null(found, len(categories))
    gone = compute.is_null(texts)
    return np.where(_array(gone), len(categories) + 1, _array(found)).astype(np.intp)


def _array(values: Any) -> NDArray[Any]:
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    if isinstance(values, pa.ChunkedArray):
        return cast("Any", values).to_numpy()
    return values.to_numpy(zero_copy_only=False)
