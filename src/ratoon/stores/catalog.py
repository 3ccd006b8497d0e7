"""The catalogue: where a row stands by its id, and with whom it is joined.

All of it follows from the journal. It is kept beside the tables, so that nothing has to be searched
for; where it is damaged it is made anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ratoon.log.ids import IdIndex
from ratoon.log.places import Places
from ratoon.log.states import States
from ratoon.stores.addresses import Addresses, address_rows, may_be_addresses
from ratoon.stores.drafts import is_of_model
from ratoon.stores.entries import ERASED, NOWHERE, Stored

Numbers = NDArray[np.int64]

_MANY = 1_024  # rows that are looked up in order
_LOOKED_AT = 1_000_000  # labelled rows at once


class Catalog:
    """Knows rows of the tables by their ids, ordinals and partners."""

    def __init__(self, folder: Path, *, writable: bool = True) -> None:
        """Open what was kept."""
        self._states = States(folder / "states")

        def index(name: str) -> IdIndex:
            return IdIndex(folder / name, writable=writable, state=self._states.of(name))

        def places(name: str) -> Places:
            return Places(folder / name, writable=writable, state=self._states.of(name))

        self._ids, self._parked, self._said = index("ids"), index("parked"), index("said")
        self._joined = places("joined")  # ordinal: row, label
        self._labels = places("labels")  # row: label
        self._made = places("made")  # epoch, start, stop
        self._addresses = Addresses(self._made.get(slice(0, len(self._made))))

    @property
    def covered(self) -> int:
        """The last journal entry that all parts of the catalogue know."""
        return min(part.covered for part in self._parts())

    def _parts(self) -> tuple[IdIndex | Places, ...]:
        return (self._ids, self._parked, self._said, self._joined, self._labels, self._made)

    def find(self, ids: Sequence[str]) -> Numbers:
        """Return the rows of predictions by their ids; NOWHERE where there is none."""
        if len(self._addresses) == 0:
            return self._ids.find(ids)
        found = self._addresses.find(ids)
        if len(ids) == 1 and found[0] == NOWHERE:
            return self._ids.find(ids)
        others = np.flatnonzero(found == NOWHERE)
        if len(others) and len(self._ids):
            found[others] = self._ids.find([ids[other] for other in others.tolist()])
        return found

    def is_new(self, ids: Sequence[str]) -> bool:
        """Tell whether no prediction that others have named has one of these ids."""
        return not len(self._ids) or bool((self._ids.find(ids) == NOWHERE).all())

    @property
    def has_parked(self) -> bool:
        """Whether any label has come before its prediction."""
        return len(self._parked) > 0

    def parked(self, ids: Sequence[str]) -> Numbers:
        """Return the labels that came before their predictions, by id."""
        if not len(self._parked):
            return np.full(len(ids), NOWHERE, dtype=np.int64)
        return self._parked.find(ids)

    def said(self, ids: Sequence[str]) -> Numbers:
        """Return the feedback on predictions, by id."""
        return self._said.find(ids)

    def labels(self, rows: Numbers) -> Numbers:
        """Return the labels of rows; NOWHERE where there is none."""
        if len(rows) < _MANY:
            return self._labels.get(rows)
        found, order = np.empty_like(rows), np.argsort(rows)
        found[order] = self._labels.get(rows[order])  # neighbours lie near each other
        return found

    def joined(self, start: int, stop: int) -> tuple[Numbers, Numbers]:
        """Return rows and labels by the ordinals of labelled rows."""
        stop = min(stop, len(self._joined) // 2)
        pairs = self._joined.get(slice(2 * min(start, stop), 2 * stop)).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def apply(self, stored: Stored) -> None:
        """Take in an entry; the parts that know it already are left as they are."""
        seq, draft = stored.entry.seq, stored.entry.draft
        match draft.kind:
            case "history":
                labels = stored.rows - stored.before.rows + stored.before.labels
                self._join(seq, stored.joins, stored.rows, labels)
            case "predictions":
                self._predicted(stored)
            case "labels" if is_of_model(draft):
                if seq > self._parked.covered:
                    self._parked.add([of_model(row_id) for row_id in draft.ids], stored.rows)
            case "labels":
                self._labelled(stored)
            case "feedback":
                if seq > self._said.covered:
                    self._said.add(draft.ids, stored.rows)
            case _:
                return

    def _labelled(self, stored: Stored) -> None:
        seq, labels, known = stored.entry.seq, stored.rows, stored.partners != NOWHERE
        self._join(seq, stored.joins[known], stored.partners[known], labels[known])
        if seq > self._parked.covered and not known.all():
            ids = [stored.entry.draft.ids[row] for row in np.flatnonzero(~known).tolist()]
            self._parked.add(ids, labels[~known])

    def _predicted(self, stored: Stored) -> None:
        seq, draft, rows = stored.entry.seq, stored.entry.draft, stored.rows
        if not len(rows):
            return  # all of them were erased
        self._named(seq, draft.ids, rows, stored.made)
        if len(stored.entry.joined):
            early = stored.partners != NOWHERE
            self._join(seq, stored.joins[early], rows[early], stored.partners[early])

    def _named(self, seq: int, ids: Sequence[str], rows: Numbers, made: int | None) -> None:
        """Take in the ids of predictions; `made` is the epoch of those that were made here."""
        if made is not None:
            if seq > self._made.covered:
                self._addresses.extend(made, int(rows[0]), int(rows[-1]) + 1)
            return
        if not may_be_addresses(ids):
            if seq > self._ids.covered:
                self._ids.add(ids, rows)
            return
        epochs = address_rows(ids, rows)
        others = np.flatnonzero(epochs == NOWHERE)
        if seq > self._made.covered and len(others) < len(rows):
            self._addresses.take_in(epochs, int(rows[0]))
        if seq > self._ids.covered and len(others):
            given = ids if len(others) == len(ids) else [ids[n] for n in others.tolist()]
            self._ids.add(given, rows[others])

    def _join(self, seq: int, ordinals: Numbers, rows: Numbers, labels: Numbers) -> None:
        if not len(rows):
            return
        if seq > self._joined.covered:
            places = np.column_stack([2 * ordinals, 2 * ordinals + 1])
            pairs = np.column_stack([rows, labels]).astype(np.int64)
            self._joined.set(places.reshape(-1), pairs.reshape(-1))
        if seq > self._labels.covered:
            self._labels.set(rows, labels)

    def ordinals(self, rows: Numbers) -> Numbers:
        """Return the ordinals of those of the rows that are labelled, in order."""
        found = [np.empty(0, dtype=np.int64)]
        for start in range(0, len(self._joined), 2 * _LOOKED_AT):
            part = self._joined.get(slice(start, start + 2 * _LOOKED_AT)).reshape(-1, 2)[:, 0]
            found.append(np.flatnonzero(np.isin(part, rows)) + start // 2)
        return np.concatenate(found)

    def erase(self, ids: Sequence[str], rows: Numbers) -> None:
        """Forget ids, and mark their rows as erased."""
        found = self._ids.find(ids) if len(self._ids) else np.full(len(ids), NOWHERE)
        self._ids.remove([ids[n] for n in np.flatnonzero(found != NOWHERE).tolist()])
        self._parked.remove([*ids, *(of_model(row_id) for row_id in ids)])
        self._said.remove(list(ids))
        self.hide(rows)

    def hide(self, rows: Numbers) -> None:
        """Mark rows as erased."""
        if len(rows):
            self._labels.set(rows, np.full(len(rows), ERASED))

    def flush(self, covered: int) -> None:
        """Bring everything to the disk; the entries up to `covered` are in it."""
        self.freeze()
        try:
            self.write(covered)
        except BaseException:
            self.thaw()
            raise
        self.settle()

    # A flush in steps: `write`, which waits for the disk, may run beside all but another flush,
    # `erase` and `close`; the others may run beside nothing.

    def freeze(self) -> None:
        """Begin a flush of what is known now."""
        new = self._addresses.new()
        if len(new):
            first = 3 * len(self._addresses) - len(new)
            self._made.set(np.arange(first, first + len(new)), new)
            self._addresses.kept()
        for part in self._parts():
            part.freeze()

    def write(self, covered: int) -> None:
        """Bring what is frozen to the disk; the entries up to `covered` are in it.

        The files of the parts come first, then one file that says what counts of them.
        """
        for part in self._parts():
            part.write(covered)
        self._states.commit()

    def settle(self) -> None:
        """End a flush that is on the disk, and let go of the memory that was mapped."""
        for part in self._parts():
            part.settle()
            part.let_go()

    def thaw(self) -> None:
        """Give a flush up that the disk has refused: all is as before, in memory too."""
        self._states.drop()
        for part in self._parts():
            part.thaw()

    def close(self) -> None:
        """Let go of the files; what was not flushed follows from the journal again."""
        for part in self._parts():
            part.close()


def of_model(row_id: str) -> str:
    """Return the name under which a model's own label of a row is kept."""
    return f"\0model\0{row_id}"
