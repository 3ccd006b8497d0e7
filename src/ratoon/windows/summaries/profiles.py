"""What a column looks like, without any reference: for streams of which no end is known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ratoon.windows.summaries.column import Tally, merged_tally
from ratoon.windows.summaries.moments import Moments, merged_moments, moments_of
from ratoon.windows.summaries.sketches import Distinct, Quantiles
from ratoon.windows.summaries.summary import is_text, numbers
from ratoon.windows.summaries.texts import category_counts

__all__ = ["Profile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A column so far: a few kilobytes, JSON, and the profile of its parts together.

    >>> profile = Profile().updated(np.array([1.0, 5.0, np.nan])).updated(np.array([5.0]))
    >>> profile.rows, profile.missing, profile.moments.greatest, round(profile.distinct.count)
    (4, 1, 5.0, 2)
    """

    rows: int = 0
    missing: int = 0
    distinct: Distinct = field(default_factory=Distinct)
    quantiles: Quantiles = field(default_factory=Quantiles)  # of numbers
    moments: Moments = field(default_factory=Moments)  # of numbers
    common: Tally = ()  # about fifty of the commonest texts; those that come late are under-counted

    def updated(self, column: Any) -> Profile:
        """Return the profile of these rows too: numbers or texts, shape (n,)."""
        distinct = self.distinct.updated(column)
        if is_text(column):
            names, counts = category_counts(column)
            named = tuple(zip(names, counts[:-1].tolist(), strict=True))
            return replace(
                self,
                rows=self.rows + int(counts.sum()),
                missing=self.missing + int(counts[-1]),
                distinct=distinct,
                common=merged_tally(self.common, named),
            )
        values = numbers(column)
        present = values[~np.isnan(values)]
        return replace(
            self,
            rows=self.rows + len(values),
            missing=self.missing + len(values) - len(present),
            distinct=distinct,
            quantiles=self.quantiles.updated(present),
            moments=merged_moments(self.moments, moments_of(present)),
        )

    def merged(self, other: Profile) -> Profile:
        """Return the profile of both."""
        return Profile(
            rows=self.rows + other.rows,
            missing=self.missing + other.missing,
            distinct=self.distinct.merged(other.distinct),
            quantiles=self.quantiles.merged(other.quantiles),
            moments=merged_moments(self.moments, other.moments),
            common=merged_tally(self.common, other.common),
        )
