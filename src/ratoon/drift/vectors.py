"""Drift of texts and embeddings, by vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from ratoon.core import settings
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.drift.aspects import Limits
from ratoon.drift.change import Change
from ratoon.drift.control import adjusted_together, strongest_first
from ratoon.drift.multivariate.mmd import cross, discrepancy, median_distance
from ratoon.drift.multivariate.sampling import LEAST, Index, check_sample, drawn, take
from ratoon.drift.multivariate.separating import Marks, Scores, separability, separate
from ratoon.windows.judged import Floats
from ratoon.windows.summaries.summary import is_text

__all__ = ["Example", "VectorTest", "Vectors", "vectors_of"]

_HASHED = 512  # numbers that a text becomes
_PIECES = (2, 4)  # characters of the pieces of words that are hashed
_STEPS = 200  # of the fit, at most
_IN_FOLD = 10  # rows of a side at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A row that shows what has changed."""

    row: int  # its place in the column that was given
    typical: float  # share of the rows looked at that are less typical of its side
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """What was found of a column of texts or embeddings."""

    changes: tuple[Change, ...]  # drifts first, and the strongest first
    new: tuple[Example, ...] = ()  # rows most typical of the window; none unless it is a drift
    gone: tuple[Example, ...] = ()  # rows most typical of the reference

    @property
    def drifted(self) -> bool:
        """Whether one of the changes is a drift."""
        return any(change.drifted for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorTest:
    """Compares the texts or embeddings of a window with those of the reference, in three respects.

    How well a classifier (logistic regression) tells them apart, by the area under the ROC curve;
    their maximum mean discrepancy (`ratoon.drift.multivariate.MMD`); and the cosine distance of
    their mean vectors, of which what chance gives is taken off. Each is a drift where its effect is
    at least what matters, and its p-value, adjusted over the three (Benjamini-Hochberg), is at most
    `false_alarms`. Of a drift it shows the rows that are most typical of either side.

    Args:
        separability: least area under the ROC curve that matters, in (0.5, 1).
        discrepancy: least maximum mean discrepancy that matters; above 0.
        cosine: least cosine distance of the means that matters; above 0. How far apart means are
            depends on the embedding: look at what its own windows give.
        false_alarms: windows with an alarm, of those without drift; in (0, 1).
        rows: of each side that are looked at, drawn at random; at least 40.
        folds: parts of the rows, each asked of once; at least 2.
        examples: rows of either side that are shown; at least 0.
        seed: of the draws.

    >>> from ratoon.core.times import EPOCH
    >>> old = [f"parcel {i} is late" for i in range(60)]
    >>> new = [f"refund for order {i}" for i in range(60)]
    >>> before, now = (np.array(texts, dtype=object) for texts in (old, old[:30] + new))
    >>> found = VectorTest().compare(before, now, Window(start=EPOCH, end=EPOCH), "message")
    >>> found.drifted, found.new[0].text[:6], found.gone[0].text[:6]
    (True, 'refund', 'parcel')

    Source: Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests", ICLR; Gretton et al.
    (2012), JMLR 13; Shekhar, Kim & Ramdas (2022), NeurIPS, for the p-values of the latter two.
    """

    separability: float = 0.6
    discrepancy: float = 0.1
    cosine: float = 0.05
    false_alarms: float = 0.001
    rows: int = 2000
    folds: int = 3
    examples: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.share("separability", self.separability)
        if self.separability <= 0.5:  # noqa: PLR2004 - the area of a coin
            raise SettingInvalid("separability", "above 0.5 and below 1", self.separability)
        settings.positive("discrepancy", self.discrepancy)
        settings.positive("cosine", self.cosine)
        settings.whole("folds", self.folds, least=2)
        settings.whole("examples", self.examples, least=0)
        check_sample(rows=self.rows, seed=self.seed, false_alarms=self.false_alarms)

    def compare(self, reference: Any, now: Any, window: Window, subject: str) -> Vectors | None:
        """Return what was found; None where a side has fewer than 40 rows with a value.

        Args:
            reference: texts, shape (m,); or embeddings, an array of shape (m, d) or lists of Arrow
                of one length. Rows that are missing are left out.
            now: the window's.
            window: the one that is judged.
            subject: name of the column.
        """
        rng = np.random.default_rng(self.seed)
        places = [_present(side) for side in (reference, now)]
        places = [some[drawn(len(some), self.rows, rng)] for some in places]
        if min(len(some) for some in places) < LEAST:
            return None
        sides = [take(side, some) for side, some in zip((reference, now), places, strict=True)]
        before, after = (vectors_of(side) for side in sides)
        marks = np.repeat([False, True], [len(before), len(after)])
        folds = min(self.folds, min(len(some) for some in places) // _IN_FOLD)
        found = separate(np.concatenate([before, after]), marks, _learn, folds, rng)
        limits = Limits(least=self.separability, rate=self.false_alarms)
        told = separability(found, subject, window, limits)
        three = adjusted_together((told, *self._distances(before, after, window, subject)))
        vectors = Vectors(changes=tuple(sorted(three, key=strongest_first)))
        if not vectors.drifted:
            return vectors
        said = found.said
        return replace(
            vectors,
            new=self._examples(sides[1], places[1], said[marks]),
            gone=self._examples(sides[0], places[0], 1 - said[~marks]),
        )

    def _distances(
        self, before: Floats, now: Floats, window: Window, subject: str
    ) -> tuple[Change, Change]:
        limits = Limits(least=self.discrepancy, rate=self.false_alarms)
        found = cross(before, now, median_distance(before, now))
        return (
            discrepancy(found, subject, window, len(now), limits),
            _direction(before, now, subject, window, replace(limits, least=self.cosine)),
        )

    def _examples(self, side: Any, places: Index, typical: Floats) -> tuple[Example, ...]:
        """Return the most typical rows, each text once."""
        texts = _texts(side) if _holds_texts(side) else [None] * len(places)
        found = dict[object, Example]()
        order: list[int] = np.argsort(-typical, kind="stable").tolist()
        for i in order:
            if len(found) >= self.examples:
                break
            row, text = int(places[i]), texts[i]
            example = Example(row=row, typical=float(typical[i]), text=text)
            found.setdefault(row if text is None else text, example)
        return tuple(found.values())


def vectors_of(column: Any) -> Floats:
    """Return a vector for each row, shape (n, d): embeddings as they are, texts hashed.

    A text becomes the counts of its pieces of two to four characters, within words, hashed to 512
    places and made one long: no words have to be known, in any language.

    Args:
        column: texts, shape (n,), none missing; or embeddings, an array of shape (n, d) or lists of
            Arrow of one length.

    >>> vectors_of(np.array(["late", "later"], dtype=object)).shape
    (2, 512)

    Source: Weinberger et al. (2009), "Feature hashing for large scale multitask learning", ICML.
    """
    if _holds_texts(column):
        from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415 - slow

        maker: Any = HashingVectorizer(analyzer="char_wb", ngram_range=_PIECES, n_features=_HASHED)
        return maker.transform(_texts(column)).toarray()
    if isinstance(column, np.ndarray):
        return cast("Floats", column).astype(np.float64, copy=False)
    if hasattr(column, "combine_chunks"):
        column = column.combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return flat.astype(np.float64, copy=False).reshape(len(column), -1)


def _direction(before: Floats, now: Floats, subject: str, window: Window, limits: Limits) -> Change:
    """Return the cosine distance of the means, and whether the means differ.

    With u = mean / |mean| the distance is |u - v|^2 / 2, which chance alone makes as large as half
    the variance of u - v; that is taken off the effect.
    """
    u, of_u = _unit(before)
    v, of_v = _unit(now)
    value = max(0.0, 1 - float(u @ v))
    variance = float(((of_u @ v) ** 2).mean()) / len(before)
    variance += float(((of_v @ u) ** 2).mean()) / len(now)
    chance = sum(float((of**2).sum()) / len(of) ** 2 for of in (of_u, of_v)) / 2
    p_value = cross(before, now, None).p_value
    return Change(
        aspect="mean vector",
        measurement=Measurement(
            metric="cosine_distance",
            window=window,
            value=value,
            n=len(now),
            stderr=math.sqrt(variance),
            subject=subject,
        ),
        before=None,
        effect=max(0.0, value - chance),
        least=limits.least,
        p_value=p_value,
        adjusted=p_value,
        rate=limits.rate,
    )


def _unit(rows: Floats) -> tuple[Floats, Floats]:
    """Return the direction of the mean, and the influence of each row on it."""
    mean = rows.mean(axis=0)
    length = float(np.sqrt((mean**2).sum())) or 1.0
    unit = mean / length
    off = (rows - mean) / length
    return unit, off - np.outer(off @ unit, unit)


def _learn(X: Floats, marks: Marks) -> Scores:
    """Learn a logistic regression on standardised vectors."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to import

    centre, spread = X.mean(axis=0), X.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0) * math.sqrt(X.shape[1])
    model: Any = LogisticRegression(solver="liblinear", max_iter=_STEPS)
    model.fit((X - centre) / spread, marks)
    return lambda rows: model.decision_function((rows - centre) / spread)


def _holds_texts(column: Any) -> bool:
    if isinstance(column, np.ndarray):
        return cast("np.ndarray[Any, Any]", column).ndim == 1
    return is_text(column)


def _texts(column: Any) -> list[str]:
    plain: Any = column.tolist() if isinstance(column, np.ndarray) else column.to_pylist()
    return [str(text) for text in plain]


def _present(column: Any) -> Index:
    """Return the places of the rows that are not missing, and whose numbers all are finite."""
    if not isinstance(column, np.ndarray):
        there = np.asarray(column.is_valid())
        if is_text(column):
            return np.flatnonzero(there)
        places = np.flatnonzero(there)
        return places[np.isfinite(vectors_of(column.take(places))).all(axis=1)]
    array = cast("np.ndarray[Any, Any]", column)
    if array.ndim == 1:
        return np.flatnonzero([isinstance(text, str) for text in array.tolist()])
    return np.flatnonzero(np.isfinite(array).all(axis=1))
