"""Labelled rows that are set aside, so that no model is trained on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ratoon.core.measuring import RowRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A batch of rows that failed a check, and why."""

    id: str
    at: datetime
    rows: tuple[RowRange, ...]  # ordinals of labelled rows, in order
    reasons: tuple[str, ...]  # what was found, in words for people
    run_id: str | None = None  # the run whose check found it
    released_at: datetime | None = None  # when a person let the rows go again
    released_by: str | None = None
