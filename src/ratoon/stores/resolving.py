"""What of a draft is new, what is known, and with whom its rows are joined."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, cast

import numpy as np

from ratoon.core.errors import PredictionsUnknown
from ratoon.stores import shapes
from ratoon.stores.catalog import Catalog, Numbers, of_model
from ratoon.stores.drafts import chosen, is_of_model, same_label
from ratoon.stores.entries import ERASED, NOWHERE
from ratoon.stores.joining import same_content
from ratoon.stores.protocol import Draft
from ratoon.stores.shelves import Shelves

_NOBODY: Numbers = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resolved:
    """A draft with what is new of it alone; None where nothing is."""

    draft: Draft | None
    partners: Numbers = field(default_factory=lambda: _NOBODY)
    joined: int = 0  # labelled rows that it completes
    repeated: int = 0
    parked: int = 0
    made: int | None = None  # the epoch of ids that were made for it


class Known(Protocol):
    """What is known of rows."""

    @property
    def catalog(self) -> Catalog:
        """Where rows stand."""
        ...

    @property
    def shelves(self) -> Shelves:
        """The rows themselves."""
        ...


def resolve(draft: Draft, known: Known) -> Resolved:
    """Tell what of a draft is new.

    Raises:
        IdConflict: a row is known with another content.
        RowsRefused: feedback on a prediction that nobody made.
    """
    match draft.kind:
        case "history":
            return Resolved(draft=draft, joined=len(draft.values))
        case "predictions":
            return _predictions(draft, known)
        case "labels":
            return _labels(draft, known)
        case "feedback":
            return _feedback(draft, known)
        case _:
            return Resolved(draft=draft)


def resolve_made(draft: Draft, epoch: int, known: Known) -> Resolved:
    """Return predictions whose ids have been made just now, with an epoch: all of them are new."""
    labels, joined = _early_labels(draft, known)
    return Resolved(draft=draft, partners=labels, joined=joined, made=epoch)


def _early_labels(draft: Draft, known: Known) -> tuple[Numbers, int]:
    """Return the labels that have come before their predictions, and how many there are."""
    labels = known.catalog.parked(draft.ids)
    return labels, int(np.count_nonzero(labels != NOWHERE)) if known.catalog.has_parked else 0


def _predictions(draft: Draft, known: Known) -> Resolved:
    rows = known.catalog.find(draft.ids)
    if not np.count_nonzero(rows != NOWHERE):
        labels, joined = _early_labels(draft, known)
        return Resolved(draft=draft, partners=labels, joined=joined)
    old = np.flatnonzero(rows != NOWHERE)
    old = old[known.catalog.labels(rows[old]) != ERASED]
    if len(old):
        before, places = known.shelves.predictions(rows[old]), cast("list[int]", old.tolist())
        for at, row in enumerate(places):
            same_content("prediction", draft.ids[row], before, at, draft.columns, row)
    new = np.flatnonzero(rows == NOWHERE).tolist()
    repeated = len(rows) - len(new)
    if not new:
        return Resolved(draft=None, repeated=repeated)
    kept = chosen(draft, new)
    labels, joined = _early_labels(kept, known)
    return Resolved(draft=kept, partners=labels, joined=joined, repeated=repeated)


def _labels(draft: Draft, known: Known) -> Resolved:
    if is_of_model(draft):
        return _labels_of_model(draft, known)
    rows = known.catalog.find(draft.ids)
    here = rows != NOWHERE
    if here.all():
        labels = known.catalog.labels(rows)
    else:
        labels = np.full(len(rows), NOWHERE)
        labels[here] = known.catalog.labels(rows[here])
        away = np.flatnonzero(~here)
        labels[away] = known.catalog.parked([draft.ids[row] for row in away.tolist()])
    if not np.count_nonzero(labels != NOWHERE):
        joined = int(np.count_nonzero(here))
        return Resolved(draft=draft, partners=rows, joined=joined, parked=len(rows) - joined)
    new = _unless_known(draft, known, labels)
    if not new:
        return Resolved(draft=None, repeated=len(draft.ids))
    partners = rows[new]
    joined = int((partners != NOWHERE).sum())
    return Resolved(
        draft=chosen(draft, new),
        partners=partners,
        joined=joined,
        repeated=len(draft.ids) - len(new),
        parked=len(new) - joined,
    )


def _labels_of_model(draft: Draft, known: Known) -> Resolved:
    """Labels that a model made join nothing: they neither judge nor train a model."""
    labels = known.catalog.parked([of_model(row_id) for row_id in draft.ids])
    new = _unless_known(draft, known, labels)
    if not new:
        return Resolved(draft=None, repeated=len(draft.ids))
    nobody = np.full(len(new), NOWHERE)
    repeated = len(draft.ids) - len(new)
    return Resolved(draft=chosen(draft, new), partners=nobody, repeated=repeated)


def _unless_known(draft: Draft, known: Known, labels: Numbers) -> list[int]:
    """Return the labels that are new; those known must be what they were."""
    old = np.flatnonzero((labels != NOWHERE) & (labels != ERASED))
    if len(old):
        said = known.shelves.labels(labels[old])
        before = shapes.values_of(said["kind"], said["value"])
        for row, value in zip(old.tolist(), before, strict=True):
            same_label(draft.ids[row], value, draft.values[row])
    return np.flatnonzero(labels == NOWHERE).tolist()


def _feedback(draft: Draft, known: Known) -> Resolved:
    rows = known.catalog.find(draft.ids)
    gone = (rows == NOWHERE) | (known.catalog.labels(np.maximum(rows, 0)) == ERASED)
    if gone.any():
        raise PredictionsUnknown(tuple([draft.ids[row] for row in np.flatnonzero(gone)]))
    given = known.catalog.said(draft.ids)
    old = np.flatnonzero(given != NOWHERE)
    if len(old):
        before = known.shelves.feedback(given[old])["said"].tolist()
        for row, said in zip(old.tolist(), before, strict=True):
            same_label(draft.ids[row], said, draft.values[row], "feedback on")
    new = np.flatnonzero(given == NOWHERE).tolist()
    if not new:
        return Resolved(draft=None, repeated=len(old))
    return Resolved(draft=chosen(draft, new), partners=rows[new], repeated=len(old))
