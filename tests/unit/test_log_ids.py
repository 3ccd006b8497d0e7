"""The index from ids to row numbers: what is flushed is found, what is removed is gone."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from ratoon.core.errors import SettingInvalid
from ratoon.log import ids as ids_module
from ratoon.log.ids import IdIndex
from ratoon.log.ids_columns import digests
from tests.unit.ids_world import files, filled, holds, names, small_limits


@pytest.fixture
def small_runs() -> Iterator[None]:
    """Make every flush a run of its own, and merges of more than 600 ids long ones."""
    with small_limits(1):
        yield


def test_a_new_index_knows_nothing(tmp_path: Path) -> None:
    """An empty index answers -1 to everything, and covers nothing."""
    index = IdIndex(tmp_path / "deep" / "folder")
    assert index.find(["a", "b"]).tolist() == [-1, -1]
    assert index.find([]).tolist() == []
    assert (len(index), index.covered, index.pending) == (0, 0, 0)


def test_numbers_are_found_from_memory_and_from_disk(tmp_path: Path) -> None:
    """An id is found before its flush and after it, one by one and in batches, twice too."""
    index = filled(tmp_path, 1000)
    index.add(names(1000, 1500), np.arange(1000, 1500))
    asked = [*names(1490, 1510), "order-7", "order-7", "order-1499"]
    expected = [*range(1490, 1500), *[-1] * 10, 7, 7, 1499]
    assert index.find(asked).tolist() == expected
    assert [int(index.find([one])[0]) for one in asked] == expected
    assert index.find(asked).dtype == np.int64
    assert (len(index), index.pending) == (1500, 500)


def test_what_was_flushed_is_there_after_reopening(tmp_path: Path) -> None:
    """Reopened, the index knows what was flushed, what that covered, and nothing else."""
    index = filled(tmp_path, 10, 700)
    index.add(["late"], np.array([700]))
    index.close()
    again = IdIndex(str(tmp_path))
    assert again.find([*names(0, 700), "late"]).tolist() == [*range(700), -1]
    assert (again.covered, len(again)) == (2, 700)


def test_a_flush_without_ids_moves_what_is_covered(tmp_path: Path) -> None:
    """Entries without new ids are covered too; a flush of nothing new writes nothing."""
    index = filled(tmp_path, 10)
    index.flush(9)
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    index.flush(9)
    assert {path.name: path.stat().st_ino for path in tmp_path.iterdir()} == before
    assert IdIndex(tmp_path, writable=False).covered == 9


@pytest.mark.usefixtures("small_runs")
def test_the_last_number_of_an_id_counts(tmp_path: Path) -> None:
    """An id that is added again has its last number: in memory, across runs, and merged."""
    index = IdIndex(tmp_path)
    index.add(["a", "a", "b"], np.array([1, 2, 3]))
    assert index.find(["a", "b"]).tolist() == [2, 3]
    runs: set[int] = set()
    for number in range(10, 20):
        index.flush(number)
        last = number - 1 if number > 10 else 2
        assert index.find(["a", "b"]).tolist() == [last, 3]
        assert index.find(["a"]).tolist() == [last]
        index.add(["a"], np.array([number]))
        runs.add(len(index._runs))
    assert runs == {1, 2, 3}
    assert index.find(["a", "b"]).tolist() == [19, 3]


def test_hostile_ids_are_different_ids(tmp_path: Path) -> None:
    """Long ids, NULs, blanks, cases and forms of one letter are all ids of their own."""
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    hostile = ["x" * 10**6, "x" * 10**6 + "y", "\0", "\0\0", "a\0", "a", "A", "a ", " a", "a\n"]
    hostile += [composed, decomposed, "日本", "\U0001f600", "1", "01", "1.0", "None", "\ufeffa"]
    index = IdIndex(tmp_path)
    index.add(hostile, np.arange(len(hostile)))
    assert index.find(hostile).tolist() == list(range(len(hostile)))
    index.flush(1)
    assert index.find(hostile).tolist() == list(range(len(hostile)))
    assert index.find(["x" * (10**6 - 1), "\0\0\0", "none", ""]).tolist() == [-1] * 4


def test_ids_are_kept_as_blake2b_digests() -> None:
    """A digest is that of hashlib for the UTF-8 bytes, in 16 bytes."""
    texts = ["", "order-17", "é", "x" * 1000]
    expected = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
    assert digests(texts) == expected


def test_a_list_that_is_changed_between_two_calls(tmp_path: Path) -> None:
    """The digests that `find` leaves for `add` are not taken for those of other ids."""
    index = IdIndex(tmp_path)
    batch = ["a", "b"]
    index.find(batch)
    batch[1] = "c"
    index.add(batch, np.array([1, 2]))
    assert index.find(["a", "b", "c"]).tolist() == [1, -1, 2]
    assert index.find(("a", "b", "c")).tolist() == [1, -1, 2]


def test_the_largest_row_number(tmp_path: Path) -> None:
    """Row numbers may be as large as 63 bits hold."""
    index = IdIndex(tmp_path)
    index.add(["a", "b"], np.array([2**63 - 1, 0]))
    index.flush(1)
    assert index.find(["a", "b"]).tolist() == [2**63 - 1, 0]


def test_a_closed_index_refuses(tmp_path: Path) -> None:
    """A closed index raises; it never says that an id is unknown."""
    index = filled(tmp_path, 5)
    index.close()
    index.close()
    with pytest.raises(ValueError, match="is closed"):
        index.find(["order-1"])
    with pytest.raises(ValueError, match="is closed"):
        index.add(["order-9"], np.array([9]))


def test_a_reader_leaves_the_folder_alone(tmp_path: Path) -> None:
    """Opened to be read, an index keeps what is added in memory, and leaves the files alone."""
    filled(tmp_path, 5).close()
    (tmp_path / "run-00000099.ids").write_bytes(b"half a run")
    before = files(tmp_path)
    reader = IdIndex(tmp_path, writable=False)
    assert reader.find(names(0, 6)).tolist() == [0, 1, 2, 3, 4, -1]
    reader.add(["a"], np.array([7]))
    assert reader.find(["a", "order-1"]).tolist() == [7, 1]
    calls: list[Callable[[], None]] = [
        lambda: reader.flush(2),
        lambda: reader.remove(["order-1"]),
        reader.clear,
    ]
    for call in calls:
        with pytest.raises(SettingInvalid, match="writable must be True to change the index"):
            call()
    reader.close()
    assert files(tmp_path) == before


def test_a_reader_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """Without a folder a reader finds an empty index, and makes none."""
    assert IdIndex(tmp_path / "none", writable=False).find(["a"]).tolist() == [-1]
    assert not (tmp_path / "none").exists()


def test_files_that_a_dead_process_left_are_removed(tmp_path: Path) -> None:
    """Half runs and half lists go when a writer opens the folder; other files stay."""
    filled(tmp_path, 10).close()
    kept = set(files(tmp_path))
    for name in ("run-00000077.ids", "ids.json.aside", "notes.txt"):
        (tmp_path / name).write_bytes(b"half")
    IdIndex(tmp_path).close()
    assert set(files(tmp_path)) == kept | {"notes.txt"}


@pytest.mark.usefixtures("small_runs")
def test_removed_ids_are_gone_from_every_file(tmp_path: Path) -> None:
    """After a removal no file holds the digest, in memory nothing is left, the rest is there."""
    index = filled(tmp_path, 300, 700, 750)
    index.add(names(750, 760), np.arange(750, 760))
    gone = ["order-0", "order-299", "order-500", "order-755", "nobody"]
    index.find(gone)
    index.remove(gone)
    assert not [one for one in gone if holds(tmp_path, one)]
    expected = [-1 if f"order-{n}" in gone else n for n in range(760)]
    assert index.find(names(0, 760)).tolist() == expected
    assert (len(index), index.pending, index.covered) == (756, 9, 3)
    index.flush(4)
    index.close()
    assert IdIndex(tmp_path).find(names(0, 760)).tolist() == expected


@pytest.mark.usefixtures("small_runs")
def test_removing_writes_only_the_runs_that_hold_the_ids(tmp_path: Path) -> None:
    """Runs without the ids stay as they are; one of which nothing is left is dropped."""
    index = filled(tmp_path, 300, 310)
    first, second = index._runs
    index.remove(names(300, 310))
    assert index._runs == (first,)
    assert not second.path.exists()
    index.remove(["nobody"])
    index.remove([])
    assert index._runs == (first,)


def test_clear_forgets_everything(tmp_path: Path) -> None:
    """A cleared index is as a new one, also when it is opened again."""
    index = filled(tmp_path, 10)
    index.add(["more"], np.array([10]))
    index.clear()
    for empty in (index, IdIndex(tmp_path, writable=False)):
        assert empty.find(["order-1", "more"]).tolist() == [-1, -1]
        assert (len(empty), empty.covered) == (0, 0)
    assert not list(tmp_path.glob("*.ids"))
    index.add(["order-1"], np.array([1]))
    index.flush(1)
    assert IdIndex(tmp_path).find(["order-1"]).tolist() == [1]


def test_memory_that_was_let_go_is_read_again(tmp_path: Path) -> None:
    """Letting go of mapped memory changes no answer."""
    index = filled(tmp_path, 3000)
    assert index.find(names(0, 3000)).tolist() == list(range(3000))
    index.let_go()
    assert index.find(names(0, 3000)).tolist() == list(range(3000))


@pytest.fixture(scope="module")
def two_million(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdIndex]:
    """Return an index of two million ids that came in eight batches."""
    index = IdIndex(tmp_path_factory.mktemp("two-million"))
    with mock.patch("os.fsync"):  # what is tested here needs no disk
        for covered in range(8):
            start = covered * 250_000
            index.add(names(start, start + 250_000), np.arange(start, start + 250_000))
            index.flush(covered + 1)
    yield index
    index.close()


def test_two_million_ids(two_million: IdIndex) -> None:
    """Among two million ids each that is looked for is found, and no other is."""
    rng = np.random.default_rng(0)
    wanted = rng.integers(0, 4_000_000, 30_000)
    found = two_million.find([f"order-{number}" for number in wanted.tolist()])
    assert np.array_equal(found, np.where(wanted < 2_000_000, wanted, -1))
    assert len(two_million) == 2_000_000
    assert len(two_million._runs) <= 7


def test_few_unknown_ids_pass_a_filter(two_million: IdIndex) -> None:
    """Of 100 unknown ids less than one is searched for in the rows of a run."""
    keys = ids_module.Keys.of(digests(names(5_000_000, 5_050_000)))
    mask = ids_module.filter_mask(keys.low)
    for run in two_million._runs:
        assert len(run.may_hold(keys.high, mask)) < 0.01 * len(keys)
