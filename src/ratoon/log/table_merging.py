"""Which neighbouring files of a table to merge, and when."""

from __future__ import annotations

from collections.abc import Sequence

from ratoon.log.files import DataFile

_FACTOR = 8  # between the sizes of two tiers


def tiers(rows: int) -> list[int]:
    """Return the least numbers of rows of files in each tier, the largest first.

    >>> tiers(1_000_000)
    [500000, 62500, 7812, 976, 122, 15]
    """
    found: list[int] = []
    least = rows // 2
    while least > 1:
        found.append(least)
        least //= _FACTOR
    return found


def next_merge(files: Sequence[DataFile], rows: int) -> Sequence[DataFile]:
    """Return neighbouring files to be merged into one of at most `rows` rows; none when done.

    Size-tiered (as universal compaction in log-structured merge trees; O'Neil et al., The
    log-structured merge-tree, 1996): a merge takes files that are all below a tier, and its
    result reaches that tier. So a row is rewritten at most once a tier, which is
    log8(rows / 2) times; with `rows` = 1,000,000 six times where rows come one by one, and two
    or three where they come by ten thousand. At most seven files of a tier wait for the next
    merge.

    Args:
        files: In order of their rows.
        rows: The most rows of a file.
    """
    for least in tiers(rows):
        start, total = 0, 0
        for at, file in enumerate(files):
            if file.rows >= least:
                start, total = at + 1, 0
                continue
            total += file.rows
            if total >= least:
                return files[start : at + 1]
    return ()
