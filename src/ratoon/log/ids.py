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
    Numbers,
    Spots,
    Words,
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
    sweep,
    write_listing,
)
from ratoon.log.ids_merging import AT_ONCE_ROWS, MOST_RUNS, SMALL_ROWS, Merging, budget, due
from ratoon.log.ids_run import Run
from ratoon.log.ids_write import merge, write_run

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

    def __init__(self, folder: Path | str, *, writable: bool = True) -> None:
        self._folder = Path(folder)
        self._writable = writable
        if writable:
            make_folder(self._folder)
        listing, self._runs = open_listed(self._folder)
        if writable:
            sweep(self._folder, listing)
        self._covered = listing.covered
        self._number = listing.number
        self._pending: dict[bytes, int] = {}
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
        return len(self._pending)

    @property
    def merge_error(self) -> OSError | None:
        """What kept the last flush from merging runs: the disk was full, say. None if nothing.

        The flush itself was done, and the next one tries again; with more than 64 runs it raises.
        """
        return self._merge_error

    def __len__(self) -> int:
        """Count the ids; one that was added twice counts twice until a merge meets both."""
        return len(self._pending) + sum(len(run) for run in self._runs)

    def find(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the row number of each id, -1 where it is unknown."""
        self._check_open()
        found = self._digests(ids)
        if len(found) == 1:
            return np.array([self._find_one(found[0])], dtype=np.int64)
        numbers = np.fromiter(map(self._pending.get, found, repeat(-1)), np.int64, len(found))
        unknown = np.flatnonzero(numbers < 0)
        if self._runs and unknown.size:
            keys = Keys.of([found[at] for at in unknown.tolist()])
            numbers[unknown] = _find_in_runs(self._runs, keys)
        return numbers

    def _find_one(self, found: bytes) -> int:
        number = self._pending.get(found)
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
        self._check_writable()
        whole("covered", covered, least=0)
        if covered == self._covered and not self._pending:
            return
        self._install(self._with_pending(), covered)
        new_rows = len(self._pending)
        self._pending = {}
        self._merge(new_rows)

    def _with_pending(self) -> tuple[Run, ...]:
        """Write what is in memory as a run, together with the newest run if that is small."""
        if not self._pending:
            return self._runs
        number = np.fromiter(self._pending.values(), np.int64, len(self._pending))
        rows = Columns(keys=Keys.of(list(self._pending)), number=number)
        older, free = self._runs, self._runs[self._free_from() :]
        if free and len(free[-1]) < SMALL_ROWS:
            rows = joined([free[-1].read(0, free[-1].shape.blocks), rows])
            older = older[:-1]
        path = self._next_path()
        write_run(path, sorted_newest(rows))
        return (*older, Run(path, written_here=True))

    def _next_path(self) -> Path:
        self._number += 1
        return run_path(self._folder, self._number - 1)

    def _install(self, runs: tuple[Run, ...], covered: int) -> None:
        """Let these runs be the index, durably, and remove the files of those that are not."""
        write_listing(self._folder, listing_of(covered, self._number, runs))
        kept = {run.path for run in runs}
        gone = [run.path for run in self._runs if run.path not in kept]
        self._runs, self._covered = runs, covered
        for path in gone:
            path.unlink(missing_ok=True)

    def _free_from(self) -> int:
        """Return the first of the runs that are newer than those that are being merged."""
        if self._merging is None:
            return 0
        return self._runs.index(self._merging.runs[-1]) + 1

    def _merge(self, new_rows: int) -> None:
        """Merge what is due, as far as a flush of so many rows pays for it."""
        self._merge_error = None
        try:
            while self._merge_a_little(budget(new_rows, len(self._runs))):
                pass
        except OSError as error:
            self._abandon_merge()
            if len(self._runs) > MOST_RUNS:
                raise
            self._merge_error = error

    def _merge_a_little(self, rows: float) -> bool:
        """Do one merge, or go on with a long one; tell whether there may be more to do now."""
        free = self._free_from()
        most = AT_ONCE_ROWS if self._merging else float("inf")
        first = due([len(run) for run in self._runs[free:]], most)
        if first is not None:
            new = Merging(runs=self._runs[free + first :], path=self._next_path())
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
        return len(self._runs) > MOST_RUNS

    def _replace(self, done: Merging) -> None:
        first = self._runs.index(done.runs[0])
        older, newer = self._runs[:first], self._runs[first + len(done.runs) :]
        self._install((*older, Run(done.path, written_here=True), *newer), self._covered)

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
        self._pending, self._last, self._runs = {}, ([], []), ()
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"the index in {self._folder} is closed")

    def _check_writable(self) -> None:
        self._check_open()
        if not self._writable:
            raise SettingInvalid("writable", "True to change the index", got=False)


def _find_in_runs(runs: Sequence[Run], keys: Keys) -> Numbers:
    """Search the runs from the newest on, in the order of the digests, as the runs are laid out."""
    numbers = np.full(len(keys), -1, dtype=np.int64)
    places: Spots = np.argsort(keys.high)
    keys = keys.take(places)
    mask: Words = filter_mask(keys.low)
    for run in reversed(runs):
        near = run.may_hold(keys.high, mask)
        if not near.size:
            continue
        found = run.numbers(keys.take(near))
        numbers[places[near]] = found
        left = np.ones(len(keys), dtype=np.bool_)
        left[near] = found < 0
        keys, mask, places = keys.take(left), mask[left], places[left]
    return numbers
