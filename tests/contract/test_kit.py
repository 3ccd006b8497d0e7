"""The check kit of stores finds the mistakes that a store may make."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ratoon.core.measuring import RowRange
from ratoon.stores import MemoryStore
from ratoon.stores.protocol import (
    Aliases,
    Columns,
    Counts,
    Draft,
    Entry,
    Forgotten,
    LabelledRows,
    OnRecord,
    Receipt,
    Record,
    Saved,
)
from ratoon.testing import check_store


class ForgetsParked(MemoryStore):
    def append(self, draft: Draft, /, *, aliases: Aliases | None = None) -> Receipt:
        if draft.kind == "predictions":
            self._parked.clear()
        return super().append(draft, aliases=aliases)


class TakesAnyLabel(MemoryStore):
    def append(self, draft: Draft, /, *, aliases: Aliases | None = None) -> Receipt:
        if draft.kind == "labels":
            self._values.update(
                {i: v for i, v in zip(draft.ids, draft.values, strict=True) if i in self._values}
            )
        return super().append(draft, aliases=aliases)


class JoinsByArrival(MemoryStore):
    def append(self, draft: Draft, /, *, aliases: Aliases | None = None) -> Receipt:
        before = len(self._labels)
        receipt = super().append(draft, aliases=aliases)
        order = list(self._values)
        if draft.kind == "predictions":
            self._labels[before:] = sorted(self._labels[before:], key=lambda x: order.index(x.id))
        return receipt


class SkipsAnEntry(MemoryStore):
    def entries(self, after: int, /) -> Iterator[Entry]:
        yield from (entry for entry in super().entries(after) if entry.seq != 500)


class CommitsByHalves(MemoryStore):
    def commit(self, record: Record, /) -> None:
        self._saved = record.saved
        super().commit(record)


class ForgetsBegun(MemoryStore):
    def saved(self) -> Saved:
        found = super().saved()
        return Saved(cursor=found.cursor, state=found.state, definition=found.definition)


class PointsAliasesAlways(MemoryStore):
    def append(self, draft: Draft, /, *, aliases: Aliases | None = None) -> Receipt:
        self._aliases.update(aliases or {})
        return super().append(draft, aliases=aliases)


class FillsWithZero(MemoryStore):
    def labelled(
        self, rows: RowRange, /, *, columns: Collection[str] | None = None
    ) -> LabelledRows:
        found = super().labelled(rows, columns=columns)
        filled = {
            name: np.nan_to_num(column) if name.startswith("score") else column
            for name, column in found.columns.items()
        }
        return replace(found, columns=filled)


class CutsQuestions(MemoryStore):
    def predictions(self, ids: Sequence[str], /) -> Mapping[str, Columns]:
        return super().predictions(ids[:500])


class CountsParkedAsLabelled(MemoryStore):
    def counts(self) -> Counts:
        found = super().counts()
        return Counts(
            predictions=found.predictions,
            labelled=found.labelled + found.parked,
            parked=0,
            feedback=found.feedback,
            entries=found.entries,
        )


class StoresEventsTwice(MemoryStore):
    def append(self, draft: Draft, /, *, aliases: Aliases | None = None) -> Receipt:
        if draft.kind == "event":
            self._events.clear()
        return super().append(draft, aliases=aliases)


class KeepsTheSendersArrays(MemoryStore):
    def append(self, draft: Draft, /, *, aliases: Aliases | None = None) -> Receipt:
        receipt = super().append(draft, aliases=aliases)
        if receipt.seq is not None:
            entry = self._entries[-1]
            self._entries[-1] = Entry(seq=entry.seq, draft=draft, joined=entry.joined)
        return receipt


class ForgetsNoHistory(MemoryStore):
    def forget(self, ids: Sequence[str], /, *, record: OnRecord | None = None) -> Forgotten:
        named = [row_id for row_id in ids if not row_id.startswith("history-")]
        return super().forget(named, record=record)


class RecordsWhatIsGone(MemoryStore):
    def forget(self, ids: Sequence[str], /, *, record: OnRecord | None = None) -> Forgotten:
        gone = super().forget(ids)
        if record is not None:
            self.commit(record(gone))
        return gone


class GoesBack(MemoryStore):
    def commit(self, record: Record, /) -> None:
        super().commit(record if record.saved is not None else replace(record, saved=Saved()))


MISTAKES: tuple[type[MemoryStore], ...] = (
    CommitsByHalves,
    CountsParkedAsLabelled,
    CutsQuestions,
    FillsWithZero,
    ForgetsBegun,
    ForgetsNoHistory,
    ForgetsParked,
    GoesBack,
    JoinsByArrival,
    KeepsTheSendersArrays,
    PointsAliasesAlways,
    RecordsWhatIsGone,
    SkipsAnEntry,
    StoresEventsTwice,
    TakesAnyLabel,
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda kind: kind.__name__)
def test_found(mistake: type[MemoryStore]) -> None:
    """A store with one mistake fails the kit."""
    stores: dict[str, Any] = {}
    with pytest.raises(AssertionError):
        check_store(lambda loop: stores.setdefault(loop, mistake()))


def test_loops_in_one_heap_are_found() -> None:
    """A store that does not keep loops apart fails the kit."""
    one = MemoryStore()
    with pytest.raises(AssertionError):
        check_store(lambda _loop: one)


def test_what_is_lost_at_closing_is_found() -> None:
    """A store that forgets at the end of a process fails the kit."""
    with pytest.raises(AssertionError):
        check_store(lambda _loop: MemoryStore())
