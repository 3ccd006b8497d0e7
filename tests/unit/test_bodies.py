"""Journal entries as bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ratoon.core.measuring import RowRange
from ratoon.stores.addresses import make_ids
from ratoon.stores.bodies import Bodies, from_bytes
from ratoon.stores.entries import NOWHERE, Marks, Stored, totals
from ratoon.stores.protocol import Draft, Entry
from ratoon.testing.comparing import expect_columns
from ratoon.testing.drafts import every_kind, feedback, labels, moment, predicted, tick

BEFORE = Marks(entries=6, rows=40, labels=9, joined=3)


def stored_of(draft: Draft, joined: int = 0, made: int | None = None) -> Stored:
    """Return a draft as it stands behind the marks `BEFORE`."""
    n = len(draft.ids)
    partners = np.where(np.arange(n) < joined, np.arange(n), NOWHERE)
    return Stored(
        entry=Entry(seq=7, draft=draft, joined=RowRange(start=3, stop=3 + joined)),
        before=BEFORE,
        after=totals(BEFORE, draft, joined),
        partners=partners,
        made=made,
    )


def expect_same(stored: Stored, bodies: Bodies) -> None:
    """Write an entry, read it again, and compare."""
    found = from_bytes(7, b"".join(bodies.to_parts(stored)))
    before, after = stored.entry.draft, found.entry.draft
    assert (after.kind, after.at, after.ids) == (before.kind, before.at, before.ids)
    assert repr(after.values) == repr(before.values)
    assert after.note == before.note
    expect_columns("columns", after.columns, before.columns)
    assert list(after.columns) == list(before.columns)
    assert found.partners.tolist() == stored.partners.tolist()
    assert (found.before, found.after) == (stored.before, stored.after)
    assert (found.entry.joined, found.made) == (stored.entry.joined, stored.made)


@pytest.mark.parametrize("rows", [1, 2, 1_024, 1_025])
def test_predictions_come_back(rows: int) -> None:
    """Rows of every kind of column come back as they were, few of them and many."""
    ids = tuple(f"ä{row}" for row in range(rows))
    draft = Draft(kind="predictions", at=moment(), ids=ids, columns=every_kind(rows))
    bodies = Bodies()
    expect_same(stored_of(draft), bodies)
    expect_same(stored_of(draft, joined=1), bodies)
    made = make_ids(0xBEEF, BEFORE.rows, rows)
    expect_same(stored_of(replace(draft, ids=made), made=0xBEEF), bodies)


def test_other_entries_come_back() -> None:
    """Labels of every kind, feedback and ticks come back; drafts with other columns in between."""
    bodies = Bodies()
    values = (1, True, 0.5, "1", 2**70, -0.0)
    named = labels([f"p{n}" for n in range(6)], values)
    times = {"time": np.full(6, np.datetime64("2026-01-01", "us"))}
    for draft in (named, replace(named, columns=times), replace(named, note={"source": "shop"})):
        expect_same(stored_of(draft, joined=2), bodies)
        expect_same(stored_of(feedback(["a"], ["-1"], ["a"])), bodies)
        expect_same(stored_of(tick(3)), bodies)
        wide = Draft(kind="predictions", at=moment(), ids=("a",), columns=predicted(1))
        expect_same(stored_of(wide), bodies)


def test_text_that_no_file_can_hold() -> None:
    """Half a letter is refused when it is written, not when it is read."""
    column = np.array(["\ud800"], dtype=object)
    draft = Draft(kind="predictions", at=moment(), ids=("a",), columns={"feature:t": column})
    with pytest.raises(UnicodeEncodeError):
        Bodies().to_parts(stored_of(draft))
