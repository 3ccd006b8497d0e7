"""States of several parts in one file: all of them are replaced, or none is."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from ratoon.core.errors import StoreDamaged
from ratoon.log.ids import IdIndex
from ratoon.log.places import Places
from ratoon.log.states import States


def test_nothing_counts_before_the_commit(tmp_path: Path) -> None:
    """What was staged is read when it has been committed; other states stay as they are."""
    states = States(tmp_path / "states")
    states.of("a").keep(b"1")
    assert states.of("a").read() is None
    states.commit()
    states.of("b").keep(b"\n2")
    states.drop()
    states.commit()
    states.of("c").keep(b"")
    states.commit()
    again = States(tmp_path / "states")
    assert [again.of(name).read() for name in "abc"] == [b"1", None, b""]


def test_each_flipped_bit_is_told(tmp_path: Path) -> None:
    """A file that is not as it was written is damage, wherever the bit flipped."""
    states = States(tmp_path / "states")
    states.of("a").keep(b"some state")
    states.commit()
    body = (tmp_path / "states").read_bytes()
    for at in range(len(body)):
        bad = bytearray(body)
        bad[at] ^= 1
        (tmp_path / "states").write_bytes(bad)
        with pytest.raises(StoreDamaged):
            States(tmp_path / "states").read()


def test_files_of_an_index_stay_until_the_commit(tmp_path: Path) -> None:
    """The runs that the states on the disk name are there, whenever the power goes."""
    states = States(tmp_path / "states")
    index = IdIndex(tmp_path / "ids", state=states.of("ids"))
    index.add(["a", "b"], np.array([0, 1]))
    index.freeze()
    index.write(1)
    states.commit()
    index.settle()
    index.remove(["a"])
    assert IdIndex(
        tmp_path / "ids", writable=False, state=States(tmp_path / "states").of("ids")
    ).find(["a", "b"]).tolist() == [0, 1]
    index.freeze()
    index.write(2)
    states.commit()
    index.settle()
    assert len(list((tmp_path / "ids").glob("*.ids"))) == 1
    again = IdIndex(tmp_path / "ids", state=States(tmp_path / "states").of("ids"))
    assert again.find(["a", "b"]).tolist() == [-1, 1]
    assert again.covered == 2


def test_an_index_goes_on_while_it_is_written(tmp_path: Path) -> None:
    """Between the steps of a flush ids are found and added; a flush given up loses none."""
    index = IdIndex(tmp_path)
    index.add(["a"], np.array([0]))
    index.flush(1)
    index.add(["b"], np.array([1]))
    index.freeze()
    index.add(["c"], np.array([2]))
    assert index.find(["a", "b", "c", "d"]).tolist() == [0, 1, 2, -1]
    assert [index.find([name]).tolist() for name in "bc"] == [[1], [2]]
    assert (index.pending, len(index), index.covered) == (2, 3, 1)
    index.thaw()
    assert index.find(["a", "b", "c"]).tolist() == [0, 1, 2]
    index.freeze()
    index.write(2)
    index.add(["d"], np.array([3]))
    index.settle()
    assert index.find(["a", "b", "c", "d"]).tolist() == [0, 1, 2, 3]
    assert (index.pending, index.covered) == (1, 2)
    assert IdIndex(tmp_path, writable=False).find(["c", "d"]).tolist() == [2, -1]


def test_an_array_goes_on_while_it_is_written(tmp_path: Path) -> None:
    """Between the steps of a flush numbers are read, appended and set; what is newer counts."""
    places = Places(tmp_path / "array")
    places.append(np.array([10, 11, 12]))
    places.set(np.array([0]), np.array([20]))
    places.freeze()
    places.append(np.array([13]))
    places.set(np.array([1, 2]), np.array([21, 22]))
    expected = [20, 21, 22, 13]
    assert (places.get(slice(None)).tolist(), places.pending, len(places)) == (expected, 7, 4)
    places.thaw()
    assert (places.get(slice(None)).tolist(), len(places)) == (expected, 4)
    places.freeze()
    places.write(1)
    places.append(np.array([14]))
    places.settle()
    assert places.get(slice(None)).tolist() == [*expected, 14]
    assert Places(tmp_path / "array", writable=False).get(slice(None)).tolist() == expected
    places.flush(2)
    assert Places(tmp_path / "array", writable=False).get(slice(None)).tolist() == [*expected, 14]


def test_a_commit_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk takes no states, those before stay, and a later flush has it all."""

    def refused(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    states = States(tmp_path / "states")
    places = Places(tmp_path / "array", state=states.of("array"))
    places.append(np.array([1, 2]))
    places.freeze()
    places.write(1)
    with monkeypatch.context() as full:
        full.setattr("ratoon.log.states.replace_file", refused)
        with pytest.raises(OSError, match="No space"):
            states.commit()
    states.drop()
    places.thaw()
    assert (places.get(slice(None)).tolist(), places.covered) == ([1, 2], 0)
    assert States(tmp_path / "states").read() == {}
    places.freeze()
    places.write(1)
    states.commit()
    places.settle()
    again = Places(tmp_path / "array", state=States(tmp_path / "states").of("array"))
    assert (again.get(slice(None)).tolist(), again.covered) == ([1, 2], 1)
