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
from ratoon.log.ids_files import let_go, mapped, sync_file
from ratoon.log.places_pending import Pending
from ratoon.log.places_state import (
    HINT,
    NO_CHANGES,
    NOTHING,
    VALUE,
    Changes,
    Layer,
    State,
    checked,
    places_in,
    read_state,
    words_of,
    written,
)
from ratoon.log.places_writing import write_words
from ratoon.log.runs import side_by_side
from ratoon.log.states import OwnState, StateFile

_FEWEST = 1024
_PIECE = 2**14  # places looked at together: what is made of them stays in the cache
_SETTLE_AT = 2**18  # changes, 4 MB: to write them in place by the thousand is dearer


class Places:
    """An array of numbers from 0 on, for data that can be made anew from the log.

    It is dense where it is only appended to, and sparse where it is set at places far apart: a
    place that was never set holds -1 and takes no room on most file systems. What is new stands in
    memory until a flush, and what a flush has written is always exactly what `covered` says, also
    after a cut of the power in the middle of one. Memory: 8 bytes for a number that was appended
    since the last flush, 16 for one that was set with many others (about 150 for one alone), and
    some 12 MB more.

    The data file is an array of 64-bit words, little-endian: a number plus 1 in 48 bits, and above
    them 1 + (number + 1 + 40,503 · place) mod 65,521; 0 where nothing was set. So any single bit
    that flips is noticed when the place is read, and of other damage all but one in 65,521; only a
    word that became 0 reads as never set. A second file, `<name>.state`, is replaced by each flush
    and commits it. It holds the numbers that were set; when they are 262,144 or more, the next
    flush
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

    def __init__(
        self, path: Path | str, *, writable: bool = True, state: StateFile | None = None
    ) -> None:
        self._path = Path(path)
        own = self._path.with_name(f"{self._path.name}.state")
        self._kept = state or OwnState(own)
        self._state = read_state(self._kept, own)
        self._next: State | None = None  # what the flush under way leaves
        self._frozen: Layer | None = None  # what it writes
        self._frozen_length = 0
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
        self._kept.clean()
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
        self._next = self._frozen = None
        self._begin_behind(self._state.length)

    def _begin_behind(self, length: int) -> None:
        self._changed = Pending()
        self._length = self._tail_at = length
        self._tail_length = 0
        self._tail = np.empty(_FEWEST, dtype=np.int64)

    @property
    def covered(self) -> int:
        """The journal entry that the last flush covered, 0 for none."""
        return self._state.covered

    @property
    def pending(self) -> int:
        """How many numbers wait in memory for a flush."""
        frozen = 0 if self._frozen is None else len(self._frozen.tail) + len(self._frozen.changes)
        return self._tail_length + len(self._changed) + frozen

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
        column = checked("values", values, least=-1)
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
        places = checked("index", index, least=0)
        column = checked("values", values, least=-1)
        if len(places) != len(column):
            raise LengthMismatch("index", len(places), "values", len(column))
        if not len(places):
            return
        if self._continues(places):
            self.append(column)
            return
        self._changed.set(places, column)
        self._length = max(self._length, int(places.max()) + 1)

    def _continues(self, places: NDArray[np.int64]) -> bool:
        """Tell whether places are those behind the end, in order, where numbers are appended."""
        free = not self._tail_length or self._length == self._tail_at + self._tail_length
        return free and places[0] == self._length and side_by_side(places)

    def get(self, index: NDArray[np.int64] | slice) -> NDArray[np.int64]:
        """Return the numbers at these places.

        Args:
            index: places, in any order, or a slice of the array as Python has it. A place that was
                never set, behind the end or below 0 has -1.

        Raises:
            StoreDamaged: a word of the data file is not as it was written.
        """
        self._check_open()
        wanted: Any = index
        if isinstance(index, slice):
            wanted = range(*index.indices(self._length))
        found = np.empty(len(wanted), dtype=np.int64)
        for at in range(0, len(wanted), _PIECE):
            found[at : at + _PIECE] = self._get(places_in(wanted[at : at + _PIECE]))
        return found

    def _get(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        values = self._state.changes.over(places, self._on_disk(places))
        if self._frozen is not None:
            values = self._frozen.over(places, values)
        if self._tail_length:
            inside = (places >= self._tail_at) & (places < self._tail_at + self._tail_length)
            values[inside] = self._tail[places[inside] - self._tail_at]
        return self._changed.over(places, values)

    def _on_disk(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(places) and 0 <= places[0] <= places[-1] < len(self._words) and side_by_side(places):
            return self._checked_words(self._words[places[0] : places[-1] + 1], places)
        values = np.full(len(places), -1, dtype=np.int64)
        here = np.flatnonzero((places >= 0) & (places < len(self._words)))
        at = places[here]
        values[here] = self._checked_words(self._words[at], at)
        return values

    def _checked_words(
        self, words: NDArray[np.uint64], places: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the numbers of words that stand at these places."""
        values = (words & VALUE).view(np.int64) - 1
        wrong = words_of(places, values) != words
        if wrong.any():  # what is written this moment stands in the changes still
            wrong &= ~np.isin(places, self._state.changes.index)
        if wrong.any():
            told = f"{self._path} is not as it was written at place {int(places[np.argmax(wrong)])}"
            raise StoreDamaged(told, hint=HINT)
        return values

    def flush(self, covered: int) -> None:
        """Make what is in memory durable, and with it, atomically, that it covers `covered`.

        Args:
            covered: the journal entry up to which everything has been appended and set.

        Raises:
            OSError: the disk refused it. The array stays as it was, in memory too: flush again.
        """
        self.freeze()
        try:
            self.write(covered)
        except BaseException:
            self.thaw()
            raise
        self.settle()

    # A flush in steps, as `IdIndex` has it.

    def freeze(self) -> None:
        """Begin a flush: what is in memory now is what it brings to the disk."""
        self._check_writable()
        if self.pending:
            tail = self._tail[: self._tail_length]
            changes = self._changed.all()
            self._frozen = Layer(tail_at=self._tail_at, tail=tail, changes=changes)
        self._begin_behind(self._length)
        self._frozen_length = self._length

    def write(self, covered: int) -> None:
        """Write the numbers, durably, and keep what counts of them in the array's state file."""
        whole("covered", covered, least=0)
        if covered == self.covered and self._frozen is None:
            return
        changes, size = self._settled()
        if self._frozen is not None and len(self._frozen.changes):
            changes = changes.then(self._frozen.changes)
        length = self._frozen_length
        state = State(covered=covered, length=length, size=size, changes=changes)
        self._kept.keep(written(state))
        self._next = state

    def settle(self) -> None:
        """End a flush whose state is on the disk."""
        if self._next is not None:
            grown = self._next.size != self._state.size
            self._state = self._next
            if grown:
                self._words = self._mapped()
        self._next = self._frozen = None

    def thaw(self) -> None:
        """Give a flush up: the array is as it was before."""
        if self._frozen is not None:
            tail, changes = self._tail[: self._tail_length], self._changed.all()
            layers = (self._frozen, Layer(tail_at=self._tail_at, tail=tail, changes=changes))
            self._begin_behind(self._length)
            for layer in layers:
                self._changed.set(layer.tail_at + np.arange(len(layer.tail)), layer.tail)
                self._changed.set(layer.changes.index, layer.changes.values)
        self._next = self._frozen = None

    def _settled(self) -> tuple[Changes, int]:
        """Write to the data file, durably; return the changes that it lacks, and its size."""
        changes, frozen = self._state.changes, self._frozen
        tail = self._tail[:0] if frozen is None else frozen.tail
        enough = len(changes) >= _SETTLE_AT
        if not (enough or len(tail)):
            return changes, self._state.size
        with FileIO(self._path, "r+b" if self._path.exists() else "x+b") as file:
            if enough:
                write_words(file, changes.index, changes.values, self._words)
            if frozen is not None:
                places = frozen.tail_at + np.arange(len(tail))
                write_words(file, places, tail, self._words)
            sync_file(file)
            return NO_CHANGES if enough else changes, file.seek(0, 2)

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
        self._kept.keep(written(NOTHING))
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
