"""Which row has an id: an index of 100 million ids and more, on disk."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import LengthMismatch, SettingInvalid
from ratoon.core.settings import whole
from ratoon.log.disk import make_folder
from ratoon.log.ids_columns import (
    Columns,
    Keys,
    digests,
    filter_mask,
    joined,
    sorted_newest,
)
from ratoon.log.ids_listing import (
    forget,
    listing_of,
    open_listed,
    run_path,
    state_of,
    sweep,
    written,
)
from ratoon.log.ids_merging import AT_ONCE_ROWS, MOST_RUNS, SMALL_ROWS, Merging, budget, due
from ratoon.log.ids_run import Run, find_in_runs
from ratoon.log.ids_write import merge, write_run
from ratoon.log.states import StateFile

_REMEMBERED = 2**17  # ids of the last batch whose digests are kept for the `add` after a `find`
_PAIR = struct.Struct("<QQ")


class IdIndex:
    """From ids to row numbers, for data that can be made anew from the log.

    An id is kept as a 16-byte digest. New ids stand in memory until a flush makes them a sorted
    run, a file that is never changed; runs of like size are merged, so that n ids lie in some
    4 log₄(n / 32,768) of them, and each id is written again log₄(n / 32,768) times. A filter of 16
    bits an id keeps nearly all searches for unknown ids away from the rows. The cost of a batch is
    O(batch · log n); opening reads the list of the runs and 12 bytes for every 256 ids.

    A merge of more than half a million rows goes on a little with every flush: 16 rows for each
    new one. What has not been flushed is lost when the process ends: the caller adds it again from
    the log, from entry `covered` on. One thread at a time may use an index, and one process may
    write to a folder, while others read what was flushed when they opened it.

    Args:
        folder: where the files are; made if it is not there.
        writable: whether it can be flushed; if not, the folder stays as it is, and what is added
            stays in memory.

    Raises:
        StoreDamaged: a file is not as it was written, or is missing. Each header and table is
            checked here; each block of 256 ids and each page of a filter when it is first touched,
            but for those that this process has written. So any call may raise it. `IdIndex.anew`
            makes an empty index of such a folder.

    >>> import tempfile
    >>> index = IdIndex(Path(tempfile.mkdtemp()))
    >>> index.add(["a", "b"], np.array([0, 1]))
    >>> index.flush(covered=7)
    >>> index.find(["b", "nobody"]).tolist()
    [1, -1]
    >>> index.close()
    """

    def __init__(
        self, folder: Path | str, *, writable: bool = True, state: StateFile | None = None
    ) -> None:
        self._folder = Path(folder)
        self._writable = writable
        self._state = state or state_of(self._folder)
        if writable:
            make_folder(self._folder)
        listing, self._runs = open_listed(self._folder, self._state)
        if writable:
            self._state.clean()
            sweep(self._folder, listing)
        self._covered = listing.covered
        self._number = listing.number
        self._pending: dict[bytes, int] = {}
        self._frozen: dict[bytes, int] = {}  # what is being written
        self._next: tuple[tuple[Run, ...], int] | None = None  # what it will be: runs, covered
        self._gone: set[Path] = set()  # files that go when the list without them is on the disk
        self._last: tuple[list[str], list[bytes]] = ([], [])
        self._merging: Merging | None = None
        self._merge_error: OSError | None = None
        self._closed = False

    @classmethod
    def anew(cls, folder: Path | str) -> IdIndex:
        """Make an empty index of a folder, whatever state its files are in."""
        make_folder(Path(folder))
        forget(Path(folder))
        return cls(folder)

    @property
    def covered(self) -> int:
        """The journal entry that the last flush covered, 0 for none."""
        return self._covered

    @property
    def pending(self) -> int:
        """How many ids wait in memory for a flush, at about 150 bytes each."""
        return len(self._pending) + len(self._frozen)

    @property
    def merge_error(self) -> OSError | None:
        """What kept the last flush from merging runs: the disk was full, say. None if nothing.

        The flush itself was done, and the next one tries again; with more than 64 runs it raises.
        """
        return self._merge_error

    def __len__(self) -> int:
        """Count the ids; one that was added twice counts twice until a merge meets both."""
        return self.pending + sum(len(run) for run in self._runs)

    def find(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the row number of each id, -1 where it is unknown."""
        self._check_open()
        found = self._digests(ids)
        if len(found) == 1:
            return np.array([self._find_one(found[0])], dtype=np.int64)
        numbers = np.fromiter(map(self._pending.get, found, repeat(-1)), np.int64, len(found))
        unknown = np.flatnonzero(numbers < 0)
        if self._frozen and unknown.size:
            asked = (found[at] for at in unknown.tolist())
            numbers[unknown] = np.fromiter(
                map(self._frozen.get, asked, repeat(-1)), np.int64, len(unknown)
            )
            unknown = np.flatnonzero(numbers < 0)
        if self._runs and unknown.size:
            keys = Keys.of([found[at] for at in unknown.tolist()])
            numbers[unknown] = find_in_runs(self._runs, keys)
        return numbers

    def _find_one(self, found: bytes) -> int:
        number = self._pending.get(found, self._frozen.get(found))
        if number is not None:
            return number
        high, low = _PAIR.unpack(found)
        for run in reversed(self._runs):
            if run.may_hold_one(high, low):
                number = int(run.numbers(Keys.of([found]))[0])
                if number >= 0:
                    return number
        return -1

    def _digests(self, ids: Sequence[str]) -> list[bytes]:
        """Return the digests; those of the last batch are remembered, as an `add` follows."""
        texts = list(ids)
        if self._last[0] == texts:
            return self._last[1]
        found = digests(texts)
        self._last = (texts, found) if len(texts) <= _REMEMBERED else ([], [])
        return found

    def add(self, ids: Sequence[str], numbers: NDArray[np.int64]) -> None:
        """Add ids that were not known, in memory.

        Args:
            ids: the ids.
            numbers: the row number of each, at least 0.

        Raises:
            LengthMismatch: there is not one number for each id.
            SettingInvalid: a number is below 0.
        """
        self._check_open()
        column = np.asarray(numbers, dtype=np.int64)
        if column.shape != (len(ids),):
            raise LengthMismatch("ids", len(ids), "numbers", column.size)
        if column.size and column.min() < 0:
            raise SettingInvalid("numbers", "row numbers of at least 0", int(column.min()))
        self._pending.update(zip(self._digests(ids), column.tolist(), strict=True))
        self._last = ([], [])

    def flush(self, covered: int) -> None:
        """Make what is in memory durable, and with it, atomically, that it covers `covered`.

        Args:
            covered: the journal entry up to which all ids have been added.

        Raises:
            OSError: the disk refused it. The index stays as it was, in memory too: flush again.
        """
        self.freeze()
        try:
            self.write(covered)
        except BaseException:
            self.thaw()
            raise
        self.settle()

    # A flush in steps, so that searches and additions may go on in between. `write` alone may run
    # beside them, on another thread.

    def freeze(self) -> None:
        """Begin a flush: what is in memory now is what it brings to the disk."""
        self._check_writable()
        self._frozen, self._pending = self._pending, {}

    def write(self, covered: int) -> None:
        """Write the runs, durably, and keep their list in the index's state file."""
        whole("covered", covered, least=0)
        if covered == self._covered and not self._frozen:
            return
        self._keep(self._with_frozen(), covered)
        self._merge(len(self._frozen))

    def settle(self) -> None:
        """End a flush whose list is on the disk."""
        if self._next is not None:
            self._runs, self._covered = self._next
        self._next, self._frozen = None, {}
        self._tidy()

    def thaw(self) -> None:
        """Give a flush up: the index is as it was before."""
        self._pending = {**self._frozen, **self._pending}
        self._next, self._frozen = None, {}
        self._gone.difference_update(run.path for run in self._runs)
        if self._merging is not None and not set(self._merging.runs).issubset(self._runs):
            self._abandon_merge()

    def _with_frozen(self) -> tuple[Run, ...]:
        """Write what is frozen as a run, together with the newest run if that is small."""
        if not self._frozen:
            return self._runs
        number = np.fromiter(self._frozen.values(), np.int64, len(self._frozen))
        rows = Columns(keys=Keys.of(list(self._frozen)), number=number)
        older, free = self._runs, self._runs[self._free_from(self._runs) :]
        if free and len(free[-1]) < SMALL_ROWS:
            rows = joined([free[-1].read(0, free[-1].shape.blocks), rows])
            older = older[:-1]
        path = self._next_path()
        write_run(path, sorted_newest(rows))
        return (*older, Run(path, written_here=True))

    def _next_path(self) -> Path:
        self._number += 1
        return run_path(self._folder, self._number - 1)

    def _keep(self, runs: tuple[Run, ...], covered: int) -> bool:
        """Let these runs be the index when the flush has come to its end."""
        is_there = self._state.keep(written(listing_of(covered, self._number, runs)))
        before = self._runs if self._next is None else (*self._runs, *self._next[0])
        kept = {run.path for run in runs}
        self._gone.update(run.path for run in before if run.path not in kept)
        self._next = (runs, covered)
        return is_there

    def _install(self, runs: tuple[Run, ...], covered: int) -> None:
        """Let these runs be the index at once.

        Files of others are removed now, or when the states of a catalogue lie on the disk.
        """
        is_there = self._keep(runs, covered)
        self._runs, self._covered, self._next = runs, covered, None
        if is_there:
            self._tidy()

    def _tidy(self) -> None:
        for path in self._gone:
            path.unlink(missing_ok=True)
        self._gone = set()

    def _free_from(self, runs: tuple[Run, ...]) -> int:
        """Return the first of the runs that are newer than those that are being merged."""
        if self._merging is None:
            return 0
        return runs.index(self._merging.runs[-1]) + 1

    def _merge(self, new_rows: int) -> None:
        """Merge what is due, as far as a flush of so many rows pays for it."""
        self._merge_error = None
        try:
            while self._merge_a_little(budget(new_rows, len(self._coming[0]))):
                pass
        except OSError as error:
            self._abandon_merge()
            if len(self._coming[0]) > MOST_RUNS:
                raise
            self._merge_error = error

    def _merge_a_little(self, rows: float) -> bool:
        """Do one merge, or go on with a long one; tell whether there may be more to do now."""
        runs, _ = self._coming
        free = self._free_from(runs)
        most = AT_ONCE_ROWS if self._merging else float("inf")
        first = due([len(run) for run in runs[free:]], most)
        if first is not None:
            new = Merging(runs=runs[free + first :], path=self._next_path())
            if new.rows > AT_ONCE_ROWS:
                self._merging = new
                return True
            new.advance(float("inf"))
            self._replace(new)
            return True
        if self._merging is None or not self._merging.advance(rows):
            return False
        done, self._merging = self._merging, None
        self._replace(done)
        return len(self._coming[0]) > MOST_RUNS

    def _replace(self, done: Merging) -> None:
        runs, covered = self._coming
        first = runs.index(done.runs[0])
        older, newer = runs[:first], runs[first + len(done.runs) :]
        self._keep((*older, Run(done.path, written_here=True), *newer), covered)

    @property
    def _coming(self) -> tuple[tuple[Run, ...], int]:
        """The runs as the flush under way leaves them, and what they cover."""
        return self._next or (self._runs, self._covered)

    def _abandon_merge(self) -> None:
        if self._merging is not None:
            self._merging.abandon()
            self._merging = None

    def remove(self, ids: Sequence[str]) -> None:
        """Forget ids, in memory and on disk: the runs that hold them are written again at once.

        Only those runs are, each as a whole: some seconds where the largest has 100 million ids.
        When this returns, no file of the index holds a digest of these ids. The log must not bring
        them back: what is added again from it is known again.

        Args:
            ids: the ids; unknown ones do no harm.
        """
        self._check_writable()
        found = digests(ids)
        self._last = ([], [])
        for one in found:
            self._pending.pop(one, None)
        if not found:
            return
        self._abandon_merge()
        gone = frozenset(_PAIR.unpack(one) for one in found)
        runs = [self._rewritten(run, Keys.of(found), gone) for run in self._runs]
        self._install(tuple(run for run in runs if run is not None), self._covered)

    def _rewritten(self, run: Run, keys: Keys, gone: frozenset[tuple[int, int]]) -> Run | None:
        """Return the run without these digests, None if nothing is left of it."""
        near = keys.take(run.may_hold(keys.high, filter_mask(keys.low)))
        if not bool(np.any(run.numbers(near) >= 0)):
            return run
        path = self._next_path()
        for _ in merge([run], path, gone):
            pass
        return Run(path, written_here=True) if path.exists() else None

    def let_go(self) -> None:
        """Let go of the memory that searches have mapped, up to the size of the files.

        It is page cache, which the system takes back when it needs room; but it counts as resident
        memory of the process. A search for 10,000 known ids among 100 million is some 40 ms slower
        after this.
        """
        for run in self._runs:
            run.let_go()

    def clear(self) -> None:
        """Forget everything; `covered` is 0 again."""
        self._check_writable()
        self._abandon_merge()
        self._pending, self._last = {}, ([], [])
        self._install((), 0)

    def close(self) -> None:
        """Let go of the files; what was not flushed is forgotten, a long merge begins again."""
        self._abandon_merge()
        self._pending, self._frozen, self._last, self._runs = {}, {}, ([], []), ()
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"the index in {self._folder} is closed")

    def _check_writable(self) -> None:
        self._check_open()
        if not self._writable:
            raise SettingInvalid("writable", "True to change the index", got=False)
