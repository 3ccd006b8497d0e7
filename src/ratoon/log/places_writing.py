"""Numbers written at their places in the data file of an array."""

from __future__ import annotations

from io import FileIO

import numpy as np
from numpy.typing import NDArray

from ratoon.log.places_state import words_of

_WORD = 8
_GAP = 512  # words, 4 KiB, between two changes that are written in one go with what lies between
_RUN = 2**17  # words, 1 MiB, that are written in one go at most


def write_words(
    file: FileIO,
    places: NDArray[np.int64],
    values: NDArray[np.int64],
    known: NDArray[np.uint64],
) -> None:
    """Write numbers at places that are in order; those that are near each other in one go.

    What lies between them, in `known`, is written again as it is.
    """
    if not len(places):
        return
    words = words_of(places, values).astype("<u8")
    inside = places < len(known)
    far = np.diff(places) > np.where(inside[1:], _GAP, 1)
    far |= (np.diff(places // _RUN) > 0) | (inside[1:] != inside[:-1])
    stops = [*(np.flatnonzero(far) + 1).tolist(), len(places)]
    start = 0
    for stop in stops:
        first, last = int(places[start]), int(places[stop - 1])
        run = words[start:stop]
        if last - first >= stop - start:
            run = known[first : last + 1].copy()
            run[places[start:stop] - first] = words[start:stop]
        file.seek(first * _WORD)
        _write_all(file, run.data.cast("B"))
        start = stop


def _write_all(file: FileIO, body: memoryview) -> None:
    """Write every byte; a full disk may take some of them before it refuses."""
    while len(body):
        body = body[file.write(body) :]
