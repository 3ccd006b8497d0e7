"""What is asked of drafts: their rows, their labels, the event in one."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import numpy as np

from ratoon.core import wire
from ratoon.core.errors import IdConflict
from ratoon.core.events import Event
from ratoon.stores.protocol import Draft
from ratoon.windows.judged import Scalar

MODEL = "model"
"""The source of labels that a model made: they are kept, and neither judge nor train one."""


def named(draft: Draft, ids: tuple[str, ...]) -> Draft:
    """Return a draft of predictions without ids with these ids."""
    return replace(draft, ids=ids, nameless=0)


def owned(draft: Draft) -> Draft:
    """Return a draft whose arrays nobody else changes."""
    columns = {name: column.copy() for name, column in draft.columns.items()}
    return replace(draft, columns=columns) if columns else draft


def without(draft: Draft, gone: AbstractSet[str]) -> Draft:
    """Return the draft without the rows that have these ids."""
    if gone.isdisjoint(draft.ids):
        return draft
    kept = chosen(draft, [row for row, row_id in enumerate(draft.ids) if row_id not in gone])
    complaints: Any = draft.note.get("negative", [])
    named = {"negative": [row_id for row_id in complaints if row_id not in gone]}
    return replace(kept, note={**draft.note, **named} if complaints else draft.note)


def chosen(draft: Draft, rows: list[int]) -> Draft:
    """Return the draft with these rows only."""
    if len(rows) == len(draft.ids):
        return draft
    index = np.array(rows, dtype=np.intp)
    return replace(
        draft,
        ids=tuple(draft.ids[row] for row in rows),
        values=tuple(draft.values[row] for row in rows) if draft.values else (),
        columns={name: column[index] for name, column in draft.columns.items()},
    )


def same_label(row_id: str, before: Scalar, after: Scalar, what: str = "label") -> None:
    """Refuse a label, or feedback, that is known with another value."""
    if before != after:
        raise IdConflict(what, row_id, f"{before!r} before, {after!r} now")


def is_of_model(draft: Draft) -> bool:
    """Tell whether a draft holds labels that a model made."""
    return draft.note.get("source") == MODEL


def event_in(draft: Draft) -> Event:
    """Return the event that a draft carries."""
    return wire.from_json(Event, draft.note["event"])
