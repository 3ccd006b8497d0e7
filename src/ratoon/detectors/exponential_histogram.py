"""The exponential histogram: a window as buckets that double in size with their age."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ratoon.detectors.scanning import Batch, Floats, Ints
from ratoon.detectors.steps import Onset


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What is kept of neighbouring values; how many follows from its level."""

    mean: float
    squares: float  # sum of the squared deviations from the mean
    onset: Onset  # where its first value stood


Levels: TypeAlias = tuple[tuple[Bucket, ...], ...]
"""At i, buckets of 2^i values, oldest first; the last level holds the oldest values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Queue:
    """All buckets of one size that stand in R windows at some time of a block, oldest first."""

    old: int  # how many stood there before the block
    means: Floats  # (R, buckets)
    squares: Floats  # (R, buckets)
    starts: Ints  # (buckets,): index of the first value in the block; of an old bucket, before it

    def __len__(self) -> int:
        """Count the buckets."""
        return len(self.starts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Histograms:
    """The histograms of R streams at all times of a block of values.

    Which buckets stand in a window follows from the number of values alone, as long as none is
    dropped: each level is a queue, and of a level with more than `limit` buckets the two oldest
    are joined and go up. So the buckets are joined once, and looked up at each time asked for; and
    streams with as many buckets on each level are read together.
    """

    before: Sequence[Levels]  # the block
    parts: Sequence[Batch]
    queues: tuple[_Queue, ...]
    limit: int

    @classmethod
    def of(cls, before: Sequence[Levels], parts: Sequence[Batch], limit: int) -> Histograms:
        """Take in parts of the same length, where there are as many buckets on each level."""
        queues: list[_Queue] = []
        values = np.array([part.values for part in parts])
        starts = np.arange(values.shape[1], dtype=np.int64)
        risen = _Queue(old=0, means=values, squares=np.zeros(values.shape), starts=starts)
        offset = 0
        while len(risen) or len(queues) < len(before[0]):
            k = len(queues)
            queue = _behind(
                [levels[k] if k < len(levels) else () for levels in before], offset, risen
            )
            queues.append(queue)
            risen = _risen(queue, limit, size=1 << k)
            offset += queue.old
        return cls(before=before, parts=parts, queues=tuple(queues), limit=limit)

    def buckets(self, taken: Ints) -> tuple[Floats, Floats, Floats]:
        """Return sizes, means and squared deviations of the buckets, oldest first.

        The first is of shape (times, levels times limit), the others have the streams in front;
        where there is no bucket, the size is 0.

        Args:
            taken: how many values of the block the windows have at each time.

        """
        shape = (len(taken), len(self.queues) * self.limit)
        wide = (len(self.parts), *shape)
        sizes, means, squares = np.zeros(shape), np.zeros(wide), np.zeros(wide)
        for level, first, stop in self._bounds(taken):
            queue, column = self.queues[level], (len(self.queues) - 1 - level) * self.limit
            index = stop[:, np.newaxis] + np.arange(-self.limit, 0)
            is_there = index >= first[:, np.newaxis]
            index = np.maximum(index, 0)
            there = slice(column, column + self.limit)
            sizes[:, there] = np.where(is_there, float(1 << level), 0.0)
            if len(queue):
                means[:, :, there] = queue.means[:, index]
                squares[:, :, there] = np.where(is_there, queue.squares[:, index], 0.0)
        return sizes, means, squares

    def levels(self, stream: int, taken: int) -> Levels:
        """Return the histogram of a stream after so many values of the block."""
        old = [bucket for level in self.before[stream] for bucket in level]
        after: list[tuple[Bucket, ...]] = []
        for level, first, stop in self._bounds(np.array([taken])):
            queue, there = self.queues[level], slice(int(first[0]), int(stop[0]))
            kept = max(0, queue.old - there.start)  # that no value of the block has come into
            begun = slice(there.start + kept, there.stop)
            rows = zip(
                queue.means[stream, begun].tolist(),
                queue.squares[stream, begun].tolist(),
                queue.starts[begun].tolist(),
                strict=True,
            )
            fresh = [
                Bucket(mean=mean, squares=squares, onset=self._onset(stream, old, start))
                for mean, squares, start in rows
            ]
            standing = self.before[stream][level][queue.old - kept :] if kept else ()
            after.append((*standing, *fresh))
        while after and not after[-1]:
            after.pop()
        return tuple(after)

    def _onset(self, stream: int, old: Sequence[Bucket], start: int) -> Onset:
        return self.parts[stream].place(start) if start >= 0 else old[-1 - start].onset

    def _bounds(self, taken: Ints) -> Iterator[tuple[int, Ints, Ints]]:
        """Yield of each level which part of its queue stands in the windows."""
        for level, queue in enumerate(self.queues):
            stop = taken + queue.old
            taken = np.maximum(0, (stop - self.limit + 1) // 2)  # pairs that have gone up
            yield level, 2 * taken, stop


def _behind(levels: Sequence[tuple[Bucket, ...]], offset: int, risen: _Queue) -> _Queue:
    """Return the old buckets of a level, and behind them those that come up."""
    old = len(levels[0])
    if not old:
        return risen
    means = np.array([[bucket.mean for bucket in level] for level in levels])
    squares = np.array([[bucket.squares for bucket in level] for level in levels])
    return _Queue(
        old=old,
        means=np.concatenate([means, risen.means], axis=1),
        squares=np.concatenate([squares, risen.squares], axis=1),
        starts=np.concatenate([-1 - offset - np.arange(old), risen.starts]),
    )


def _risen(queue: _Queue, limit: int, size: int) -> _Queue:
    """Return the pairs that go up from a level of buckets of `size`, joined."""
    pairs = max(0, (len(queue) - limit + 1) // 2)
    older, newer = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
    gap = queue.means[:, newer] - queue.means[:, older]
    squares = queue.squares[:, older] + queue.squares[:, newer] + gap * gap * size / 2.0
    return _Queue(
        old=0,
        means=queue.means[:, older] + gap / 2.0,
        squares=squares,
        starts=queue.starts[older],
    )


def oldest_first(levels: Levels) -> Iterator[tuple[int, Bucket]]:
    """Yield each bucket with the number of values it stands for."""
    for i in range(len(levels) - 1, -1, -1):
        for bucket in levels[i]:
            yield 1 << i, bucket


def length(levels: Levels) -> int:
    """Return the number of values in the window."""
    return sum(len(level) << i for i, level in enumerate(levels))


def inserted(levels: Levels, bucket: Bucket, limit: int) -> Levels:
    """Return the window with `bucket` of one value behind, at most `limit` buckets a level."""
    changed: list[tuple[Bucket, ...]] = []
    for i, level in enumerate(levels):
        grown = (*level, bucket)
        if len(grown) <= limit:
            return (*changed, grown, *levels[i + 1 :])
        changed.append(grown[2:])
        bucket = _joined(grown[0], grown[1], 1 << i)
    return (*changed, (bucket,))


def _joined(older: Bucket, newer: Bucket, size: int) -> Bucket:
    """Return one bucket for two of `size` values each."""
    gap = newer.mean - older.mean
    return Bucket(
        mean=older.mean + gap / 2.0,
        squares=older.squares + newer.squares + gap * gap * size / 2.0,
        onset=older.onset,
    )


def shortened(levels: Levels) -> Levels:
    """Return the window without its oldest bucket."""
    rest = levels[-1][1:]
    return (*levels[:-1], rest) if rest else levels[:-1]
