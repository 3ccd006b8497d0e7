"""Runs are merged: a little with every flush, beside readers, and on a full disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ratoon.core.errors import LengthMismatch, SettingInvalid
from ratoon.log.ids import IdIndex
from ratoon.log.ids_listing import read_listing
from ratoon.log.ids_merging import due
from tests.unit.ids_world import filled, holds, names, place_of, small_limits


@pytest.fixture
def small_runs() -> Iterator[None]:
    """Make every flush a run of its own, and merges of more than 600 ids long ones."""
    with small_limits(1):
        yield


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    """Numbers that do not fit the ids, or lie below 0, are refused; nothing is added."""
    index = IdIndex(tmp_path)
    with pytest.raises(LengthMismatch, match="ids has 2 rows but numbers has 1"):
        index.add(["a", "b"], np.array([1]))
    with pytest.raises(SettingInvalid, match="numbers must be row numbers of at least 0, got -1"):
        index.add(["a", "b"], np.array([1, -1]))
    with pytest.raises(SettingInvalid, match="covered must be a whole number"):
        index.flush(-1)
    assert (len(index), index.find(["a"]).tolist()) == (0, [-1])


@pytest.mark.usefixtures("small_runs")
@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed on Windows")
def test_a_reader_goes_on_while_a_writer_merges(tmp_path: Path) -> None:
    """What a reader has opened stays readable when its runs are merged and removed."""
    writer = filled(tmp_path, 10, 20, 30)
    reader = IdIndex(tmp_path, writable=False)
    writer.add(names(30, 40), np.arange(30, 40))
    writer.flush(4)
    assert len(writer._runs) == 1
    assert reader.find(names(0, 40)).tolist() == [*range(30), *[-1] * 10]


@pytest.mark.usefixtures("small_runs")
def test_a_list_that_is_replaced_while_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is gone because the list has moved on is no damage: the new list is read."""
    writer = filled(tmp_path, 10, 20, 30)
    old = read_listing(tmp_path)
    writer.add(names(30, 40), np.arange(30, 40))
    writer.flush(4)
    lists = iter([old])
    monkeypatch.setattr(
        "ratoon.log.ids_listing.read_listing",
        lambda at, state: next(lists, None) or read_listing(at, state),
    )
    assert IdIndex(tmp_path, writable=False).find(names(0, 40)).tolist() == [*range(40)]


@pytest.mark.parametrize(
    ("sizes", "first"),
    [
        ([], None),
        ([9], None),
        ([40_000] * 3, None),
        ([40_000] * 4, 0),
        ([40_000] * 3 + [5], None),
        ([4_000_000, 40_000, 40_000, 40_000, 40_000, 7], 1),
        ([200_000, 200_000, 200_000, 40_000, 40_000, 40_000, 40_000], 3),
        ([200_000, 200_000, 200_000, 200_000, 40_000], 0),
        ([200_000, 40_000, 200_000, 40_000, 200_000], 0),
        ([10**8, 10**6, 10**6, 10**6], None),
    ],
)
def test_which_runs_are_merged(sizes: list[int], first: int | None) -> None:
    """Four runs of a tier, with the smaller ones between and behind them, are merged."""
    assert due(sizes, float("inf")) == first


def test_a_merge_above_the_limit_leaves_smaller_ones_to_do() -> None:
    """While a long merge is under way, only merges up to the limit are due."""
    sizes = [200_000] * 4 + [40_000] * 4
    assert due(sizes, 600_000) == 4
    assert due(sizes, 100_000) is None


@pytest.mark.usefixtures("small_runs")
def test_a_long_merge_goes_on_with_the_flushes(tmp_path: Path) -> None:
    """A merge of many rows takes several flushes, is right all the while, and ends."""
    index = filled(tmp_path, 500, 1000, 1500, 2000)
    steps = 0
    while index._merging is not None:
        steps += 1
        index.add(names(2000 + steps, 2001 + steps), np.array([2000 + steps]))
        index.flush(100 + steps)
        assert index.find(names(0, 2000)).tolist() == list(range(2000))
    assert steps > 3
    assert max(len(run) for run in index._runs) >= 2000
    assert {path.name for path in tmp_path.glob("*.ids")} == {r.path.name for r in index._runs}


@pytest.mark.usefixtures("small_runs")
def test_a_long_merge_that_is_cut_off_leaves_nothing(tmp_path: Path) -> None:
    """When the index is closed amid a merge, the half file is gone and nothing else."""
    index = filled(tmp_path, 500, 1000, 1500, 2000)
    assert index._merging is not None
    index.close()
    assert len(list(tmp_path.glob("*.ids"))) == 4
    assert IdIndex(tmp_path).find(names(0, 2000)).tolist() == list(range(2000))


@pytest.mark.usefixtures("small_runs")
def test_too_many_runs_are_merged_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes that live for one flush each do not pile up runs."""
    monkeypatch.setattr("ratoon.log.ids_merging.MOST_RUNS", 8)
    monkeypatch.setattr("ratoon.log.ids.MOST_RUNS", 8)
    most = 0
    for number in range(30):
        index = IdIndex(tmp_path)
        start = 300 * number
        index.add(names(start, start + 300), np.arange(start, start + 300))
        index.flush(number + 1)
        most = max(most, len(index._runs))
        index.close()
    assert most <= 9
    assert IdIndex(tmp_path).find(names(0, 9000)).tolist() == list(range(9000))


def refused(*_: object) -> None:
    """Refuse to write, as a full disk does."""
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.usefixtures("small_runs")
def test_a_full_disk_keeps_a_merge_waiting_and_no_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is room for the new ids and none for a merge, the flush is done and says so."""
    index = filled(tmp_path, 100, 200, 300)
    index.add(names(300, 400), np.arange(300, 400))
    with monkeypatch.context() as full:
        full.setattr("ratoon.log.ids_write.RunWriter.sync", refused)
        index.flush(4)
    assert isinstance(index.merge_error, OSError)
    assert (index.covered, index.pending, len(index._runs)) == (4, 0, 4)
    assert len(list(tmp_path.glob("*.ids"))) == 4
    index.flush(5)
    assert index.merge_error is None
    assert len(index._runs) == 1
    assert index.find(names(0, 400)).tolist() == list(range(400))


@pytest.mark.usefixtures("small_runs")
def test_a_full_disk_is_told_when_runs_pile_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more runs than allowed, a merge that fails is an error of the flush."""
    monkeypatch.setattr("ratoon.log.ids.MOST_RUNS", 5)
    monkeypatch.setattr("ratoon.log.ids_write.RunWriter.sync", refused)
    index = filled(tmp_path, 1, 2, 3, 4, 5)
    index.add(["order-5"], np.array([5]))
    with pytest.raises(OSError, match="No space"):
        index.flush(6)
    assert index.find(names(0, 6)).tolist() == list(range(6))


@pytest.mark.parametrize("where", ["ids_write.sync_file", "ids_files.sync_file"])
def test_a_flush_that_fails_can_be_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """When the disk refuses a flush, the index is as before, and a later flush has it all."""
    index = filled(tmp_path, 10)
    index.add(names(10, 20), np.arange(10, 20))
    with monkeypatch.context() as full:
        full.setattr(f"ratoon.log.{where}", refused)
        with pytest.raises(OSError, match="No space"):
            index.flush(2)
    assert (index.covered, index.pending) == (1, 10)
    assert index.find(names(0, 20)).tolist() == list(range(20))
    index.flush(2)
    index.close()
    assert IdIndex(tmp_path).find(names(0, 20)).tolist() == list(range(20))


@pytest.mark.usefixtures("small_runs")
def test_removing_amid_a_long_merge(tmp_path: Path) -> None:
    """A merge under way does not bring a removed id back, and leaves no half file with it."""
    index = filled(tmp_path, 500, 1000, 1500, 2000)
    first = min(range(2000), key=place_of)  # what the merge has written already
    assert index._merging is not None
    assert holds(tmp_path, f"order-{first}")
    index.remove([f"order-{first}"])
    assert not holds(tmp_path, f"order-{first}")
    for covered in range(10, 30):
        index.flush(covered)
    assert index._merging is None
    assert index.find(names(0, 2000)).tolist() == [-1 if n == first else n for n in range(2000)]
