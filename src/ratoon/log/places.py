"""Long arrays of numbers on disk that grow at the end and can be set anywhere."""

from __future__ import annotations

from io import FileIO
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import LengthMismatch, SettingInvalid, StoreDamaged
from ratoon.core.settings import whole
from ratoon.log.disk import make_folder
from ratoon.log.ids_files import aside_of, let_go, mapped, sync_file
from ratoon.log.places_state import HINT, NOTHING, Changes, State, read_state, write_state

LIMIT = 2**47 - 1
"""Places and values lie below this."""

_WORD = 8
_VALUE_BITS = 48
_VALUE = 2**_VALUE_BITS - 1
_PRIME = 65_521
_SPREAD = 40_503  # so that a value at a wrong place is seen too
_FEWEST = 1024
_PIECE = 2**14  # places looked at together: what is made of them stays in the cache
_SETTLE_AT = 2**16  # changes, 1 MB: to write them in place by the thousand is dearer


class Places:
    """An array of numbers from 0 on, for data that can be made anew from the log.

    It is dense where it is only appended to, and sparse where it is set at places far apart: a
    place that was never set holds -1 and takes no room on most file systems. What is new stands in
    memory until a flush, and what a flush has written is always exactly what `covered` says, also
    after a cut of the power in the middle of one. Memory: 8 bytes for a number that was appended
    since the last flush, about 150 for one that was set, and some 3 MB more.

    The data file is an array of 64-bit words, little-endian: a number plus 1 in 48 bits, and above
    them 1 + (number + 1 + 40,503 · place) mod 65,521; 0 where nothing was set. So any single bit
    that flips is noticed when the place is read, and of other damage all but one in 65,521; only a
    word that became 0 reads as never set. A second file, `<name>.state`, is replaced by each flush
    and commits it. It holds the numbers that were set; when they are 65,536 or more, the next flush
    writes them to the data file before they leave the second one. Numbers that are appended go to
    the data file at once, behind its end: until the state says that it is longer, they do not
    count.

    One thread at a time may use an array, and one process may write to its files, while others read
    what was flushed when they opened it, or later values.

    Args:
        path: the data file; its folder is made if it is not there.
        writable: whether it can be flushed; if not, the files stay as they are, and what is set
            stays in memory.

    Raises:
        StoreDamaged: a file is not as it was written; `get` may raise it too. `Places.anew` makes
            an empty array of such files.

    >>> import tempfile
    >>> places = Places(Path(tempfile.mkdtemp()) / "rows")
    >>> places.append(np.array([5, 6, 7]))
    >>> places.set(np.array([1, 5]), np.array([60, 99]))
    >>> places.flush(covered=3)
    >>> places.get(slice(0, 8)).tolist(), len(places)
    ([5, 60, 7, -1, -1, 99], 6)
    >>> places.close()
    """

    def __init__(self, path: Path | str, *, writable: bool = True) -> None:
        self._path = Path(path)
        self._state_path = self._path.with_name(f"{self._path.name}.state")
        self._state = read_state(self._state_path)
        self._writable = writable
        if writable:
            self._cut_off()
        self._words = self._mapped()
        self._forget_new()
        self._closed = False

    @classmethod
    def anew(cls, path: Path | str) -> Places:
        """Make an empty array of files in whatever state."""
        path = Path(path)
        for each in (path.with_name(f"{path.name}.state"), path):
            each.unlink(missing_ok=True)
        return cls(path)

    def _cut_off(self) -> None:
        """Remove what lies behind the end of the data file: it was never committed."""
        make_folder(self._path.parent)
        aside_of(self._state_path).unlink(missing_ok=True)
        if self._state.size == 0:
            # Not cut to nothing: a reader may have mapped what was there before a `clear`.
            self._path.unlink(missing_ok=True)
            return
        self._check_size()
        with FileIO(self._path, "r+b") as file:
            file.truncate(self._state.size)

    def _check_size(self) -> None:
        size = self._path.stat().st_size if self._path.exists() else 0
        if size < self._state.size:
            told = f"{self._path} has {size} bytes, {self._state.size} were written"
            raise StoreDamaged(told, hint=HINT)

    def _mapped(self) -> NDArray[np.uint64]:
        self._mapping: mmap | None = None
        if not self._state.size:
            return np.empty(0, dtype=np.uint64)
        self._check_size()
        self._mapping = mapped(self._path, self._state.size)
        return np.frombuffer(self._mapping, dtype="<u8")

    def _forget_new(self) -> None:
        self._changed: dict[int, int] = {}
        self._sorted: Changes | None = None  # the same in order, made when it pays
        self._length = self._tail_at = self._state.length
        self._tail_length = 0
        self._tail = np.empty(_FEWEST, dtype=np.int64)

    @property
    def covered(self) -> int:
        """The journal entry that the last flush covered, 0 for none."""
        return self._state.covered

    @property
    def pending(self) -> int:
        """How many numbers wait in memory for a flush."""
        return self._tail_length + len(self._changed)

    def __len__(self) -> int:
        """Return the place behind the last that was appended or set."""
        return self._length

    def append(self, values: NDArray[np.int64]) -> None:
        """Put numbers behind the end, in memory.

        Args:
            values: numbers from -1 to 2⁴⁷ - 2.

        Raises:
            SettingInvalid: one is not.
        """
        self._check_open()
        column = _checked("values", values, least=-1)
        start, stop = self._length, self._length + len(column)
        if start != self._tail_at + self._tail_length:
            if self._tail_length:
                self.set(np.arange(start, stop), column)
                return
            self._tail_at = start
        self._grow(self._tail_length + len(column))
        self._tail[self._tail_length : self._tail_length + len(column)] = column
        self._tail_length += len(column)
        self._length = stop

    def _grow(self, count: int) -> None:
        if count > len(self._tail):
            grown = np.empty(max(count, 2 * len(self._tail)), dtype=np.int64)
            grown[: self._tail_length] = self._tail[: self._tail_length]
            self._tail = grown

    def set(self, index: NDArray[np.int64], values: NDArray[np.int64]) -> None:
        """Set numbers at places, in memory; the array grows to hold the last of them.

        Args:
            index: places, at least 0; of one that stands twice the last value counts.
            values: the number at each, from -1 to 2⁴⁷ - 2; -1 makes a place as if never set.

        Raises:
            LengthMismatch: there is not one number for each place.
            SettingInvalid: a place or a number is out of its range.
        """
        self._check_open()
        places = _checked("index", index, least=0)
        column = _checked("values", values, least=-1)
        if len(places) != len(column):
            raise LengthMismatch("index", len(places), "values", len(column))
        if not len(places):
            return
        self._changed.update(zip(places.tolist(), column.tolist(), strict=True))
        self._sorted = None
        self._length = max(self._length, int(places.max()) + 1)

    def get(self, index: NDArray[np.int64] | slice) -> NDArray[np.int64]:
        """Return the numbers at these places.

        Args:
            index: places, in any order, or a slice of the array as Python has it. A place that was
                never set, behind the end or below 0 has -1.

        Raises:
            StoreDamaged: a word of the data file is not as it was written.
        """
        self._check_open()
        if isinstance(index, slice):
            index = np.arange(*index.indices(self._length))
        places = np.asarray(index, dtype=np.int64)
        pieces = [places[at : at + _PIECE] for at in range(0, len(places), _PIECE)]
        return np.concatenate([self._get(piece) for piece in pieces] or [places])

    def _get(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        values = self._state.changes.over(places, self._on_disk(places))
        if self._tail_length:
            inside = (places >= self._tail_at) & (places < self._tail_at + self._tail_length)
            values[inside] = self._tail[places[inside] - self._tail_at]
        return self._over_changed(places, values) if self._changed else values

    def _on_disk(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        values = np.full(len(places), -1, dtype=np.int64)
        here = np.flatnonzero((places >= 0) & (places < len(self._words)))
        words, at = self._words[places[here]], places[here]
        values[here] = (words & _VALUE).astype(np.int64) - 1
        wrong = np.flatnonzero(_words(at, values[here]) != words)
        if wrong.size:
            told = f"{self._path} is not as it was written at place {int(at[wrong[0]])}"
            raise StoreDamaged(told, hint=HINT)
        return values

    def _over_changed(
        self, places: NDArray[np.int64], values: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Lay what was set over `values`, at a cost of the smaller of the two."""
        if self._sorted is None and len(places) <= len(self._changed):
            pairs = zip(places.tolist(), values.tolist(), strict=True)
            changed = [self._changed.get(place, value) for place, value in pairs]
            return np.array(changed, dtype=np.int64)
        if self._sorted is None:
            self._sorted = Changes.of(self._changed)
        return self._sorted.over(places, values)

    def flush(self, covered: int) -> None:
        """Make what is in memory durable, and with it, atomically, that it covers `covered`.

        Args:
            covered: the journal entry up to which everything has been appended and set.

        Raises:
            OSError: the disk refused it. The array stays as it was, in memory too: flush again.
        """
        self._check_writable()
        whole("covered", covered, least=0)
        if covered == self.covered and not self.pending:
            return
        changes, size = self._settled()
        if self._changed:
            changes = changes.then(Changes.of(self._changed))
        state = State(covered=covered, length=self._length, size=size, changes=changes)
        write_state(self._state_path, state)
        grown = size != self._state.size
        self._state = state
        self._forget_new()
        if grown:
            self._words = self._mapped()

    def _settled(self) -> tuple[Changes, int]:
        """Write to the data file, durably; return the changes that it lacks, and its size."""
        changes, tail = self._state.changes, self._tail[: self._tail_length]
        enough = len(changes) >= _SETTLE_AT
        if not (enough or len(tail)):
            return changes, self._state.size
        with FileIO(self._path, "r+b" if self._path.exists() else "x+b") as file:
            if enough:
                _write(file, changes.index, changes.values)
            _write(file, np.arange(self._tail_at, self._tail_at + len(tail)), tail)
            sync_file(file)
            return NOTHING.changes if enough else changes, file.seek(0, 2)

    def let_go(self) -> None:
        """Let go of the memory that reading has mapped, up to the size of the data file.

        It is page cache, which the system takes back when it needs room; but it counts as resident
        memory of the process.
        """
        if self._mapping is not None:
            let_go(self._mapping)

    def clear(self) -> None:
        """Forget everything; `covered` is 0 again."""
        self._check_writable()
        write_state(self._state_path, NOTHING)
        self._state = NOTHING
        self._words = self._mapped()
        self._cut_off()
        self._forget_new()

    def close(self) -> None:
        """Let go of the files; what was not flushed is forgotten."""
        self._state = NOTHING
        self._words = self._mapped()
        self._forget_new()
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"the array in {self._path} is closed")

    def _check_writable(self) -> None:
        self._check_open()
        if not self._writable:
            raise SettingInvalid("writable", "True to change the array", got=False)


def _checked(name: str, given: Any, *, least: int) -> NDArray[np.int64]:
    """Return a column of numbers, each of them at least `least` and below the limit."""
    column = np.asarray(given, dtype=np.int64).reshape(-1)
    if column.size and not (column.min() >= least and column.max() < LIMIT):
        out = column.min() if column.min() < least else column.max()
        raise SettingInvalid(name, f"numbers from {least} to 2**47 - 2", int(out))
    return column


def _words(places: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the words of the data file for numbers at places."""
    stored = (values + 1).astype(np.uint64)
    check = (stored + places.astype(np.uint64) * _SPREAD) % _PRIME + 1
    return np.where(stored == 0, np.uint64(0), check << _VALUE_BITS | stored)


def _write(file: FileIO, places: NDArray[np.int64], values: NDArray[np.int64]) -> None:
    """Write numbers at places that are in order, those side by side in one go."""
    if not len(places):
        return
    words = _words(places, values).astype("<u8").data
    stops = [*(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(places)]
    start = 0
    for stop in stops:
        file.seek(int(places[start]) * _WORD)
        _write_all(file, words[start:stop].cast("B"))
        start = stop


def _write_all(file: FileIO, body: memoryview) -> None:
    """Write every byte; a full disk may take some of them before it refuses."""
    while len(body):
        body = body[file.write(body) :]
