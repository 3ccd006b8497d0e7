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
from ratoon.stores.addresses import Addresses, address_rows
from ratoon.stores.drafts import is_of_model
from ratoon.stores.entries import ERASED, NOWHERE, Stored

Numbers = NDArray[np.int64]

_LOOKED_AT = 1_000_000  # labelled rows at once


class Catalog:
    """Knows rows of the tables by their ids, ordinals and partners."""

    def __init__(self, folder: Path, *, writable: bool = True) -> None:
        """Open what was kept."""
        self._ids = IdIndex(folder / "ids", writable=writable)
        self._parked = IdIndex(folder / "parked", writable=writable)
        self._said = IdIndex(folder / "said", writable=writable)
        self._joined = Places(folder / "joined", writable=writable)  # ordinal: row, label
        self._labels = Places(folder / "labels", writable=writable)  # row: label
        self._made = Places(folder / "made", writable=writable)  # epoch, start, stop
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
        others = np.flatnonzero(found == NOWHERE)
        if len(others) and len(self._ids):
            found[others] = self._ids.find([ids[other] for other in others.tolist()])
        return found

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
        return self._labels.get(rows)

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
        epochs = address_rows(draft.ids, rows)
        if seq > self._made.covered and (epochs != NOWHERE).any():
            self._made_at(epochs, int(rows[0]))
        others = np.flatnonzero(epochs == NOWHERE)
        if seq > self._ids.covered and len(others):
            self._ids.add([draft.ids[other] for other in others.tolist()], rows[others])
        early = stored.partners != NOWHERE
        self._join(seq, stored.joins[early], rows[early], stored.partners[early])

    def _made_at(self, epochs: Numbers, first: int) -> None:
        grown = self._addresses.grown(epochs, first)
        kept = len(self._made) - 3 if grown.extends else len(self._made)
        if grown.extends:
            self._made.set(np.arange(kept, kept + 3), grown.ranges[:3])
        rest = grown.ranges[3:] if grown.extends else grown.ranges
        if len(rest):
            self._made.append(rest)

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
        if len(rows):
            self._labels.set(rows, np.full(len(rows), ERASED))

    def flush(self, covered: int) -> None:
        """Bring everything to the disk; the entries up to `covered` are in it."""
        for part in self._parts():
            part.flush(covered)

    def close(self) -> None:
        """Let go of the files; what was not flushed follows from the journal again."""
        for part in self._parts():
            part.close()


def of_model(row_id: str) -> str:
    """Return the name under which a model's own label of a row is kept."""
    return f"\0model\0{row_id}"
