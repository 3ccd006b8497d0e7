"""Rows by their numbers: of each that stands alone one page is decoded, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ratoon.core.errors import FileCorrupt
from ratoon.log.files import DataFile, TableState
from ratoon.log.table_columns import conformed, filled, kinds
from ratoon.log.table_groups import Groups
from ratoon.log.table_pages import Page, PageMap, decoded

_AT_ONCE = 512  # row groups of which pages are in memory at once

Numbers = NDArray[np.int64]
Picked = tuple[pa.Table, NDArray[np.intp]]
"""Rows, and their places among those asked for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Some:
    """Rows of one row group."""

    file: DataFile
    group: int
    rows: Numbers  # their numbers, ascending
    local: Numbers  # their places in the row group
    at: NDArray[np.intp]  # and among those asked for


def picked(groups: Groups, state: TableState, rows: Numbers, schema: pa.Schema) -> Iterator[Picked]:
    """Yield those of `rows`, which ascend, that the table has, and their places in `rows`."""
    places: list[int] = state.files.places(rows).tolist()
    alone: list[_Some] = []
    for start, stop in runs(places):
        if places[start] < 0:
            continue
        file = state.files.files[places[start]]
        for some in _by_group(groups, file, rows[start:stop], start):
            if _is_whole(groups, some, schema.names):
                yield _of_group(groups, some, schema), some.at
            else:
                alone.append(some)
    yield from _of_pages(groups, alone, schema)


def _by_group(groups: Groups, file: DataFile, rows: Numbers, first: int) -> Iterator[_Some]:
    """Find rows, the first of which has the place `first` among those asked for, in a file."""
    footer = groups.footer(file)
    at = np.searchsorted(footer.firsts, rows, side="right") - 1
    for start, stop in runs(at):
        group = int(at[start])
        if group < 0:
            continue
        wanted = rows[start:stop]
        if footer.dense(group):
            local = wanted - footer.firsts[group]
            here = local < footer.counts[group]
        else:
            has = groups.arrays(file, group, ["row"])["row"].to_numpy()
            local = np.minimum(np.searchsorted(has, wanted), len(has) - 1)
            here = has[local] == wanted
        if here.any():
            places = first + start + np.flatnonzero(here)
            yield _Some(file=file, group=group, rows=wanted[here], local=local[here], at=places)


def _is_whole(groups: Groups, some: _Some, names: Sequence[str]) -> bool:
    """Whether to read the whole row group."""
    if groups.in_memory(some.file, some.group, names):
        return True
    pages = groups.page_map(some.file)
    if pages is None:
        return True
    has = groups.footer(some.file).columns
    if any(name in has and name not in pages.columns for name in names):
        return True
    count = len(np.unique(some.local // pages.page_rows))
    return groups.is_wanted_whole(some.file, some.group, count)


def _of_group(groups: Groups, some: _Some, schema: pa.Schema) -> pa.Table:
    arrays = groups.arrays(some.file, some.group, schema.names)
    count = int(groups.footer(some.file).counts[some.group])
    table = filled(arrays, count, schema)
    if bool((np.diff(some.local) == 1).all()):
        return table.slice(int(some.local[0]), len(some.local))
    return table.take(cast("Any", pa.array(some.local)))


def _of_pages(groups: Groups, alone: Sequence[_Some], schema: pa.Schema) -> Iterator[Picked]:
    """Read rows page by page: pages of files with the same columns are decoded together."""
    alike: dict[frozenset[str], list[_Some]] = {}
    for some in alone:
        has = groups.footer(some.file).columns.intersection(schema.names)
        alike.setdefault(has, []).append(some)
    for names, those in alike.items():
        known = kinds(schema)
        fields = pa.schema([(name, known[name]) for name in known if name in names])
        for start in range(0, len(those), _AT_ONCE):
            part = those[start : start + _AT_ONCE]
            yield _decoded(groups, part, fields, schema), np.concatenate([one.at for one in part])


def _decoded(
    groups: Groups, those: Sequence[_Some], fields: pa.Schema, schema: pa.Schema
) -> pa.Table:
    """Return rows of several files, all of which have these columns."""
    pages: list[Page] = []
    local: list[Numbers] = []
    before = 0
    for some in those:
        page_rows = cast("PageMap", groups.page_map(some.file)).page_rows
        wanted, at = np.unique(some.local // page_rows, return_inverse=True)
        places = [(some.group, page) for page in wanted.tolist()]
        pages += groups.pages(some.file, places, fields.names)
        local.append(before + at * page_rows + some.local % page_rows)
        before += sum(page.rows for page in pages[len(pages) - len(places) :])
    try:
        table = decoded(pages, fields)
    except (pa.ArrowException, OSError, ValueError):
        if len(those) > 1:
            parts = [_decoded(groups, [some], fields, schema) for some in those]
            return pa.concat_tables(parts)  # not so: one of them raises
        with groups.reading(those[0].file):
            raise
    found = table.take(cast("Any", pa).array(np.concatenate(local)))
    _check(groups, those, found)
    return conformed(found, schema)


def _check(groups: Groups, those: Sequence[_Some], found: pa.Table) -> None:
    """Raise where a page that was read by itself has other rows than it should."""
    numbers = cast("Any", found.column("row")).to_numpy()
    start = 0
    for some in those:
        stop = start + len(some.rows)
        if not np.array_equal(numbers[start:stop], some.rows):
            raise FileCorrupt(groups.path(some.file), "has a page with other rows than its own")
        start = stop


def runs(values: Sequence[int] | NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Yield where runs of equal values begin and end."""
    edges = np.flatnonzero(np.diff(values)) + 1
    yield from zip([0, *edges.tolist()], [*edges.tolist(), len(values)], strict=True)
