"""Streams side by side, for detectors whose statistics are running sums and minima.

Such a detector says how its statistics run along a block of values, as arrays of shape
(streams, values); here the blocks are cut, the first alarm of each stream is found, and each
stream goes on behind its own alarm from a new state.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar, cast

import numpy as np

from ratoon.core.measuring import Detection
from ratoon.detectors.scanning import LEAST, MOST, Batch, Bools, Floats, Ints, Scans
from ratoon.detectors.steps import Onset, drift

S = TypeVar("S")
Fields: TypeAlias = Mapping[str, Floats]
Found: TypeAlias = list[tuple[int, Detection]]

_NONE = -1  # no onset
_BROUGHT = -2  # the onset is the one that the state came with


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """How the statistics of R streams ran along a block of B values."""

    fields: Fields  # of the state, after each value (R, B), or unchanged by the block (R,)
    statistic: Floats  # (R, B)
    threshold: Floats  # (R, B)
    alarm: Bools  # (R, B): whether a state with these fields answers with a drift
    cuts: tuple[Bools, ...]  # (R, B) a side: where the value is the last before a possible onset
    side: Ints | None = None  # (R, B): the side whose onset an alarm names; None: the first


@dataclass(slots=True, kw_only=True)
class _Group:
    """Streams of one scan, and how far each has come."""

    states: Sequence[object]
    batches: Sequence[Batch]
    values: Floats  # (R, longest), filled up with 0
    lengths: Ints  # (R,)
    fields: dict[str, Floats]
    since: Ints  # (R, sides): position of the onset, _NONE or _BROUGHT
    at: Ints  # (R,): position of the next value
    found: list[Found]


class Lanes(Scans[S]):
    """Scans by running statistics."""

    __slots__ = ()

    @abstractmethod
    def _fields(self, state: S) -> dict[str, float]:
        """Return the numbers in a state."""

    @abstractmethod
    def _onsets(self, state: S) -> tuple[Onset | None, ...]:
        """Return the onsets in a state, one a side."""

    @abstractmethod
    def _state(self, fields: Mapping[str, float], onsets: tuple[Onset | None, ...]) -> S:
        """Return the state of these numbers and onsets."""

    @abstractmethod
    def _track(self, fields: Fields, x: Floats) -> Track:
        """Run along a block x of shape (R, B), from fields of shape (R,)."""

    def _read(self, state: S, batch: Batch) -> tuple[S, Found]:
        states, found = self._read_all((state,), (batch,))
        return states[0], found[0]

    def _read_all(
        self, states: Sequence[S], batches: Sequence[Batch]
    ) -> tuple[tuple[S, ...], list[Found]]:
        after: list[S] = []
        found: list[Found] = []
        longest = max((len(batch) for batch in batches), default=0)
        together = max(1, MOST // max(1, longest))
        for i in range(0, len(states), together):
            group = self._group(states[i : i + together], batches[i : i + together])
            self._run(group)
            after += self._states(group)
            found += group.found
        return tuple(after), found

    def _group(self, states: Sequence[S], batches: Sequence[Batch]) -> _Group:
        lengths = np.array([len(batch) for batch in batches], dtype=np.int64)
        numbers = [self._fields(state) for state in states]
        onsets = [self._onsets(state) for state in states]
        since = [[_NONE if onset is None else _BROUGHT for onset in row] for row in onsets]
        return _Group(
            states=states,
            batches=batches,
            values=_matrix(batches, lengths),
            lengths=lengths,
            fields={name: np.array([row[name] for row in numbers]) for name in numbers[0]},
            since=np.array(since, dtype=np.int64),
            at=np.zeros(len(states), dtype=np.int64),
            found=[[] for _ in states],
        )

    def _run(self, group: _Group) -> None:
        """Go along all streams of the group, block by block."""
        size = LEAST
        fresh = self._fields(self.init())
        with np.errstate(all="ignore"):  # what lies behind an alarm is read again from a new state
            while (live := np.flatnonzero(group.at < group.lengths)).size:
                left = group.lengths[live] - group.at[live]
                x = _block(group, live, min(size, int(left.max())))
                track = self._track({k: v[live] for k, v in group.fields.items()}, x)
                last, alarmed = _first_alarms(track.alarm, left)
                self._note(group, live[alarmed], track, alarmed, last)
                _advance(group, live, track, last)
                for name, value in fresh.items():
                    group.fields[name][live[alarmed]] = value
                group.since[live[alarmed]] = _NONE
                wasted = 2 * int((last + 1).sum()) < x.size
                size = max(LEAST // 4, size // 2) if wasted else min(MOST, 2 * size)

    def _note(self, group: _Group, streams: Ints, track: Track, alarmed: Ints, last: Ints) -> None:
        """Write down the alarms of a block."""
        pairs: zip[tuple[int, int]] = zip(streams.tolist(), alarmed.tolist(), strict=True)
        for stream, r in pairs:
            col = int(last[r])
            side = 0 if track.side is None else int(track.side[r, col])
            before = int(group.since[stream, side])
            since = _since(track.cuts[side][r : r + 1], last[r : r + 1], group.at[stream], before)
            onset = self._onset(group, stream, side, int(since[0]))
            assert onset is not None, "a change begins before it is seen"
            heights = float(track.statistic[r, col]), float(track.threshold[r, col])
            group.found[stream].append((int(group.at[stream]) + col, drift(*heights, onset)))

    def _onset(self, group: _Group, stream: int, side: int, since: int) -> Onset | None:
        if since == _NONE:
            return None
        if since == _BROUGHT:
            return self._onsets(group.states[stream])[side]  # pyright: ignore[reportArgumentType] - the group's states are ours
        return group.batches[stream].place(since)

    def _states(self, group: _Group) -> list[S]:
        columns = {name: column.tolist() for name, column in group.fields.items()}
        states: list[S] = []
        for stream, row in enumerate(group.since.tolist()):
            onsets = tuple(self._onset(group, stream, side, s) for side, s in enumerate(row))
            numbers = {name: column[stream] for name, column in columns.items()}
            states.append(self._state(numbers, onsets))
        return states


def held(x: Floats, taken: Bools, before: Floats) -> Floats:
    """Return x as it was at the last column taken, of each column; where none was, `before`."""
    columns = cast("Ints", np.where(taken, np.arange(x.shape[1], dtype=np.int64), -1))
    np.maximum.accumulate(columns, axis=1, out=columns)
    values: Floats = np.take_along_axis(x, np.maximum(columns, 0), axis=1)
    return cast("Floats", np.where(columns < 0, before[:, np.newaxis], values))


def _matrix(batches: Sequence[Batch], lengths: Ints) -> Floats:
    if len(batches) == 1:
        return batches[0].values[np.newaxis]
    matrix = np.zeros((len(batches), int(lengths.max(initial=0))))
    for row, batch in zip(matrix, batches, strict=True):
        row[: len(batch)] = batch.values
    return matrix


def _block(group: _Group, live: Ints, size: int) -> Floats:
    """Return the next values of the live streams; behind a stream's end stand any."""
    at, longest = group.at[live], group.values.shape[1]
    start = int(at[0])
    if len(live) == len(group.at) and (at == start).all() and start + size <= longest:
        return group.values[:, start : start + size]
    columns = np.minimum(at[:, np.newaxis] + np.arange(size), longest - 1)
    return group.values[live[:, np.newaxis], columns]


def _first_alarms(alarm: Bools, left: Ints) -> tuple[Ints, Ints]:
    """Return the column at which each stream stops, and which streams stop at an alarm."""
    rows = np.arange(len(alarm))
    first = alarm.argmax(axis=1)
    hit = alarm[rows, first] & (first < left)
    return np.where(hit, first, np.minimum(left, alarm.shape[1]) - 1), np.flatnonzero(hit)


def _advance(group: _Group, live: Ints, track: Track, last: Ints) -> None:
    """Move the live streams behind the column at which each stops."""
    rows = np.arange(len(live))
    for name, column in track.fields.items():
        group.fields[name][live] = column if column.ndim == 1 else column[rows, last]
    for side, cut in enumerate(track.cuts):
        group.since[live, side] = _since(cut, last, group.at[live], group.since[live, side])
    group.at[live] += last + 1


def _since(cut: Bools, last: Ints, at: Ints, before: Ints | int) -> Ints:
    """Return the onset at the column `last`: behind the last cut, or as it was."""
    size = cut.shape[1]
    columns: Ints = np.arange(size, dtype=np.int64)
    reached = cut & (columns <= last[:, np.newaxis])
    column = cast("Ints", size - 1 - reached[:, ::-1].argmax(axis=1))
    has_cut: Bools = reached[np.arange(len(cut)), column]
    kept: Ints = np.where(np.equal(before, _NONE), at, before)
    return np.where(has_cut, np.where(column == last, _NONE, at + column + 1), kept)
