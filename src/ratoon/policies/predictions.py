"""Predictions are counted, and compared with the champion's references, window by window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from ratoon.core.measuring import Window
from ratoon.core.times import from_micros
from ratoon.drift import Change, ColumnTest
from ratoon.policies.asking import ask
from ratoon.policies.settings import Settings
from ratoon.policies.state import OpenWindow, PolicyState
from ratoon.policies.turn import Compared, Predicted, Turn
from ratoon.triggers import protocol as triggers
from ratoon.windows.summaries import Reference, Summary
from ratoon.windows.summaries.sparse import SparseColumn


def predicted(settings: Settings, turn: Turn, seen: Predicted) -> Turn:
    """Count predictions, and compare each side of them whenever a window of it is full.

    What a batch is cut into changes nothing: windows of both sides are closed row by row.
    """
    reign = turn.state.reign
    if reign is None:
        return turn
    reign = replace(reign, predictions=reign.predictions + seen.rows)
    turn = turn.now(replace(turn.state, reign=reign))
    pieces: list[_Piece] = []
    sides: tuple[tuple[triggers.Side, Compared | None], ...]
    sides = (("inputs", seen.inputs), ("outputs", seen.outputs))
    for side, columns in sides:
        if columns is not None:
            window = _fitting(_open(turn.state, side), columns.reference)
            turn = turn.now(_with(turn.state, side, window))
            pieces += _pieces(settings, window, side, columns)
    for piece in sorted(pieces, key=lambda piece: piece.last):
        turn = _counted(settings, turn, seen.at, piece)
    return turn


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Rows of one side up to the end of a window, or of the batch."""

    last: int  # of them, in the batch: windows are closed in the order of the rows that fill them
    side: triggers.Side
    columns: Compared
    index: slice


def _pieces(
    settings: Settings, window: OpenWindow, side: triggers.Side, columns: Compared
) -> list[_Piece]:
    rows, size = len(columns.times), settings.input_window
    first = max(1, size - window.rows)  # the size may have been larger when the window was opened
    stops = [*range(first, rows, size), rows]
    places = np.arange(rows) if columns.rows is None else columns.rows
    return [
        _Piece(last=int(places[stop - 1]), side=side, columns=columns, index=slice(start, stop))
        for start, stop in zip([0, *stops], stops, strict=False)
    ]


def _counted(settings: Settings, turn: Turn, at: datetime, piece: _Piece) -> Turn:
    """Count the rows of a piece, and close their window where they fill it."""
    window = _grown(_open(turn.state, piece.side), piece.columns, piece.index)
    if window.rows < settings.input_window:
        return turn.now(_with(turn.state, piece.side, window))
    turn = turn.now(_with(turn.state, piece.side, OpenWindow()))
    return _closed(settings, turn, at, piece.side, (window, piece.columns.reference))


def _closed(
    settings: Settings,
    turn: Turn,
    at: datetime,
    side: triggers.Side,
    full: tuple[OpenWindow, Reference],
) -> Turn:
    """Measure how far each column is from the reference, and show the window to the trigger."""
    found, reference = full
    assert found.start is not None
    assert found.end is not None
    window = Window(start=found.start, end=found.end)
    pairs = zip(reference.grids.items(), found.columns, strict=True)
    summary = Summary(columns={name: column.dense(grid) for (name, grid), column in pairs})
    place = {name: i for i, name in enumerate(reference.grids)}
    changes = ColumnTest().compare(reference, summary, window)
    kept = sorted(filter(_worth_a_record, changes), key=lambda change: place[change.column])
    turn = turn.measured(*(change.measurement for change in kept))
    closed = triggers.PredictionsClosed(
        of=side, window=window, reference=reference, summary=summary, changes=changes
    )
    return ask(settings, turn, at, closed)


def _worth_a_record(change: Change) -> bool:
    """Tell whether there is anything to measure: some share on either side, or a distance."""
    return change.before is None or change.before > 0 or bool(change.measurement.value)


def _grown(window: OpenWindow, seen: Compared, index: slice) -> OpenWindow:
    stamps = seen.times[index].astype("datetime64[us]").astype("int64")
    first, last = from_micros(int(stamps.min())), from_micros(int(stamps.max()) + 1)
    columns = window.columns or (SparseColumn(),) * len(seen.reference.grids)
    pairs = zip(columns, seen.reference.grids.items(), strict=True)
    return OpenWindow(
        columns=tuple([c.counted(grid, seen.columns[name][index]) for c, (name, grid) in pairs]),
        rows=window.rows + len(stamps),
        start=first if window.start is None else min(window.start, first),
        end=last if window.end is None else max(window.end, last),
    )


def _fitting(window: OpenWindow, reference: Reference) -> OpenWindow:
    """Return the open window, anew where it cannot have been counted on these bins."""
    if not window.columns:
        return window
    grids = reference.grids.values()
    if len(window.columns) != len(reference.grids):
        return OpenWindow()
    fits = all(column.fits(grid) for column, grid in zip(window.columns, grids, strict=True))
    return window if fits else OpenWindow()


def _open(state: PolicyState, side: triggers.Side) -> OpenWindow:
    return state.asked if side == "inputs" else state.answered


def _with(state: PolicyState, side: triggers.Side, window: OpenWindow) -> PolicyState:
    return replace(state, asked=window) if side == "inputs" else replace(state, answered=window)
