"""Metrics of rankings: the items of a query in the order of their outputs.

The rows of one number in `Judged.groups` are the items of one query; a label says how relevant an
item is, 0 not at all, and the highest output stands first. The unit is the query: the value is a
mean over queries, its standard error s/√queries, and `support` counts them. A query without any
relevant item cannot be ranked well or ill, and is left out, as by trec_eval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import LengthMismatch, MetricNeedsColumn
from ratoon.core.measuring import Measurement, Window
from ratoon.core.settings import whole
from ratoon.metrics.checking import check_task, numbers, refuse, summed
from ratoon.metrics.influence import told, undefined
from ratoon.metrics.parts import mean_of
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Floats, Judged, Target

Queries: TypeAlias = NDArray[np.intp]

_LARGEST = 500.0  # label whose exponential gain is taken: sums of greater ones overflow


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranked:
    """The items of all queries that have a relevant one, query by query, best output first."""

    relevant: Floats  # (n,): how relevant; of tied items their mean, or the least first
    outputs: Floats  # (n,)
    query: Queries  # (n,): which query, from 0
    place: Queries  # (n,): place in the query, from 0
    queries: int

    def total(self, values: Floats) -> Floats:
        """Return the sum of `values` over the items of each query, shape (queries,)."""
        return summed(self.query, values, self.queries)

    def within(self, k: int | None) -> Floats:
        """Return 1 for an item among the first k of its query, else 0."""
        if k is None:
            return np.ones(len(self.place))
        return (self.place < k).astype(np.float64)


class _OfQueries(Metric, Protocol):
    def of_queries(self, judged: Judged, /) -> Floats: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranking:
    """What metrics of rankings share."""

    tasks = frozenset({"ranking"})
    greater_is_better = True
    value_range = (0.0, 1.0)

    def measure(self: _OfQueries, judged: Judged, window: Window, /) -> Measurement:
        """Measure the mean over queries."""
        found = mean_of(self.of_queries(judged))
        if found.n == 0:
            return undefined(self.name, window, len(judged))
        return told(self.name, window, len(judged), found.mean, found.stderr, found.n)

    def losses(self: Metric, judged: Judged, /) -> None:
        """Return None: a query has a loss, its rows have none."""
        check_task(self, judged.target)

    def bound(self: Metric, target: Target, /) -> None:
        """Return None: there are no row losses."""
        check_task(self, target)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfAll(_Ranking):
    k: int | None = None  # how many items count; None: all

    def __post_init__(self) -> None:
        """Check the setting."""
        if self.k is not None:
            whole("k", self.k, least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfFirst(_Ranking):
    k: int = 10  # how many items count

    def __post_init__(self) -> None:
        """Check the setting."""
        whole("k", self.k, least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NDCG(_OfAll):
    """The gain of the first k items, discounted by their place, over that of the best order.

    DCG = Σ gain / log₂(place + 1), places from 1; NDCG = DCG / DCG of the best order, mean over
    queries. The gain is the label, or 2^label - 1 with ``exponential=True``. Items of one output
    share their gains, as in scikit-learn; it counts a query without relevant items as 0.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> judged = Judged(
    ...     target=Target(task="ranking"),
    ...     labels=np.array([0.0, 1.0, 1.0, 0.0]),
    ...     scored=Scored(outputs=np.array([0.9, 0.8, 0.9, 0.1])),
    ...     groups=np.array([1, 1, 2, 2]),
    ... )
    >>> round(NDCG().measure(judged, Window(start=EPOCH, end=EPOCH)).value, 3)
    0.815

    Source: Järvelin & Kekäläinen (2002), "Cumulated gain-based evaluation of IR techniques"; Burges
    et al. (2005), "Learning to rank using gradient descent", for exponential gains.
    """

    name: str = "ndcg"
    exponential: bool = False  # gains 2^label - 1 in place of the label

    def of_queries(self, judged: Judged, /) -> Floats:
        """Return the normalised gain of each query."""
        gains = _labels(self, judged)
        if self.exponential:
            refuse(gains > _LARGEST, "labels", f"at most {_LARGEST:g}", gains)
            gains = np.exp2(gains) - 1.0
        ranked = _ranked(self, judged, gains)
        best = _ordered(gains, gains, _queries(self, judged))
        return self._gained(ranked) / self._gained(best)

    def _gained(self, ranked: Ranked) -> Floats:
        discounted = ranked.relevant / np.log2(ranked.place + 2.0)
        return ranked.total(discounted * ranked.within(self.k))


@dataclass(frozen=True, slots=True, kw_only=True)
class MAP(_OfAll):
    """The mean average precision: precision at the place of each relevant item among the first k.

    Of a query: Σ over relevant items among the first k of (relevant items up to here / place),
    over the number of relevant items, at most k. Items of one output stand with the relevant ones
    last, so that a model that says the same of all is not taken for a good one.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> judged = Judged(
    ...     target=Target(task="ranking"),
    ...     labels=np.array([0.0, 1.0, 1.0, 0.0]),
    ...     scored=Scored(outputs=np.array([0.9, 0.8, 0.9, 0.1])),
    ...     groups=np.array([1, 1, 2, 2]),
    ... )
    >>> MAP().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.75

    Source: Manning, Raghavan & Schütze (2008), "Introduction to Information Retrieval", chapter 8.
    """

    name: str = "map"

    def of_queries(self, judged: Judged, /) -> Floats:
        """Return the average precision of each query."""
        ranked = _ranked(self, judged, _hits(self, judged), shared=False)
        sums = np.cumsum(ranked.relevant)
        starts = sums[ranked.place == 0] - ranked.relevant[ranked.place == 0]
        precision = (sums - starts[ranked.query]) / (ranked.place + 1)
        found = ranked.total(ranked.relevant * precision * ranked.within(self.k))
        there = ranked.total(ranked.relevant)
        return found / (there if self.k is None else np.minimum(there, self.k))


@dataclass(frozen=True, slots=True, kw_only=True)
class MRR(_OfAll):
    """The mean reciprocal rank: 1 / place of the first relevant item, 0 beyond the first k.

    Items of one output stand with the relevant ones last.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> judged = Judged(
    ...     target=Target(task="ranking"),
    ...     labels=np.array([0.0, 1.0, 1.0, 0.0]),
    ...     scored=Scored(outputs=np.array([0.9, 0.8, 0.9, 0.1])),
    ...     groups=np.array([1, 1, 2, 2]),
    ... )
    >>> MRR().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.75

    Source: Voorhees (1999), "The TREC-8 question answering track report", section 3.
    """

    name: str = "mrr"

    def of_queries(self, judged: Judged, /) -> Floats:
        """Return the reciprocal rank of each query."""
        ranked = _ranked(self, judged, _hits(self, judged), shared=False)
        hit = np.flatnonzero(ranked.relevant * ranked.within(self.k))
        found = np.zeros(ranked.queries)
        np.maximum.at(found, ranked.query[hit], 1.0 / (ranked.place[hit] + 1))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionAtK(_OfFirst):
    """The share of the first k items that are relevant, mean over queries.

    Of a query of fewer items the others count as not relevant. Items of one output that stand
    across the k-th place count by the share of orders in which they are among the first k.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> judged = Judged(
    ...     target=Target(task="ranking"),
    ...     labels=np.array([0.0, 1.0, 1.0, 0.0]),
    ...     scored=Scored(outputs=np.array([0.9, 0.8, 0.9, 0.1])),
    ...     groups=np.array([1, 1, 2, 2]),
    ... )
    >>> PrecisionAtK(k=1).measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.5
    """

    name: str = "precision_at_k"

    def of_queries(self, judged: Judged, /) -> Floats:
        """Return the precision of each query."""
        ranked = _ranked(self, judged, _hits(self, judged))
        return ranked.total(ranked.relevant * ranked.within(self.k)) / self.k


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallAtK(_OfFirst):
    """The share of the relevant items that are among the first k, mean over queries.

    Items of one output that stand across the k-th place count by the share of orders in which
    they are among the first k. A query of more than k relevant items cannot reach 1.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> judged = Judged(
    ...     target=Target(task="ranking"),
    ...     labels=np.array([1.0, 1.0, 1.0, 0.0]),
    ...     scored=Scored(outputs=np.array([0.9, 0.8, 0.9, 0.1])),
    ...     groups=np.array([1, 1, 2, 2]),
    ... )
    >>> RecallAtK(k=1).measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.75
    """

    name: str = "recall_at_k"

    def of_queries(self, judged: Judged, /) -> Floats:
        """Return the recall of each query."""
        ranked = _ranked(self, judged, _hits(self, judged))
        return ranked.total(ranked.relevant * ranked.within(self.k)) / ranked.total(ranked.relevant)


@dataclass(frozen=True, slots=True, kw_only=True)
class HitRate(_OfFirst):
    """The share of queries with a relevant item among the first k.

    Items of one output stand with the relevant ones last.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> judged = Judged(
    ...     target=Target(task="ranking"),
    ...     labels=np.array([0.0, 1.0, 1.0, 0.0]),
    ...     scored=Scored(outputs=np.array([0.9, 0.8, 0.9, 0.1])),
    ...     groups=np.array([1, 1, 2, 2]),
    ... )
    >>> HitRate(k=1).measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.5
    """

    name: str = "hit_rate"

    def of_queries(self, judged: Judged, /) -> Floats:
        """Return 1 for a query with a hit, else 0."""
        ranked = _ranked(self, judged, _hits(self, judged), shared=False)
        return (ranked.total(ranked.relevant * ranked.within(self.k)) > 0).astype(np.float64)


def _labels(metric: Metric, judged: Judged) -> Floats:
    """Return how relevant each item is, at least 0."""
    labels, _ = numbers(metric, judged)
    refuse(labels < 0, "labels", "at least 0", labels)
    return labels


def _hits(metric: Metric, judged: Judged) -> Floats:
    """Return 1 for a relevant item, else 0."""
    return (_labels(metric, judged) > 0).astype(np.float64)


def _queries(metric: Metric, judged: Judged) -> Queries:
    """Return the query of each item, from 0."""
    if judged.groups is None:
        if len(judged) > 0:
            raise MetricNeedsColumn(metric.name, "groups (which query a row belongs to)")
        return np.zeros(0, dtype=np.intp)
    if len(judged.groups) != len(judged):
        raise LengthMismatch("labels", len(judged), "groups", len(judged.groups))
    return np.unique(judged.groups, return_inverse=True)[1]


def _ranked(metric: Metric, judged: Judged, gains: Floats, *, shared: bool = True) -> Ranked:
    """Return the items in the order of their outputs.

    Where outputs tie, items share their gains, or stand with the least first.
    """
    outputs = judged.scored.outputs
    ranked = _ordered(outputs, gains, _queries(metric, judged))
    return _shared(ranked) if shared else ranked


def _ordered(outputs: Floats, gains: Floats, query: Queries) -> Ranked:
    """Put items in order, query by query, without the queries that have no gain at all."""
    there = np.bincount(query, gains)
    kept = np.flatnonzero((there > 0)[query])
    order = kept[np.lexsort((gains[kept], -outputs[kept], query[kept]))]
    renumbered = np.cumsum(there > 0) - 1
    new = renumbered[query[order]]
    sizes = np.bincount(new)
    starts = np.cumsum(sizes) - sizes
    return Ranked(
        relevant=gains[order],
        outputs=outputs[order],
        query=new,
        place=np.arange(len(order)) - starts[new],
        queries=len(sizes),
    )


def _shared(ranked: Ranked) -> Ranked:
    """Return the items with the mean gain of those that they tie with."""
    same = (ranked.query[1:] == ranked.query[:-1]) & (ranked.outputs[1:] == ranked.outputs[:-1])
    tie = np.cumsum(np.concatenate([np.ones(min(1, len(ranked.query)), dtype=bool), ~same])) - 1
    means = np.bincount(tie, ranked.relevant) / np.maximum(1, np.bincount(tie))
    return replace(ranked, relevant=means[tie])
