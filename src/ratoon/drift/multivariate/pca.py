"""The error with which the principal components of the reference give back a window's rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from ratoon.core import settings
from ratoon.core.measuring import Measurement, Window
from ratoon.drift.change import Change
from ratoon.drift.control import benjamini_hochberg
from ratoon.drift.multivariate.encoding import encoding_of
from ratoon.drift.multivariate.found import Joint, Part
from ratoon.drift.multivariate.means import Apart, welch
from ratoon.drift.multivariate.sampling import check_sample, sides_of
from ratoon.windows.judged import Floats
from ratoon.windows.summaries.summary import Columns

_NAMED = 0.05  # share of the columns that are named wrongly


@dataclass(frozen=True, slots=True, kw_only=True)
class PCAError:
    """How well the principal components of the reference give back the rows of a window.

    One half of the reference gives the components that explain `explained` of its variance; the
    error of a row is its distance to what they give back of it. Columns that were always alike and
    are no longer make it larger, ones that become alike smaller. The mean error of the window is
    compared with that of the other half of the reference, which the components were not fitted to
    (Welch's test, two-sided). It is a drift where the means are at least `effect` apart, in
    standard deviations of the reference's errors, and more than chance.

    Columns are standardised by median and quartiles and cut at five of these deviations, a missing
    number is the median and marked as missing in a column of its own, and a category is a column of
    0 and 1 each (the commonest twenty).

    Of a drift the columns are named whose squared error has changed, by how much.

    Args:
        effect: least difference that matters; above 0.
        false_alarms: windows with an alarm, of those without drift; in (0, 1).
        explained: share of the variance that the components explain; in (0, 1).
        rows: of each side that are looked at, drawn at random; at least 40.
        inflation: how many rows are worth one, as they come in clumps that are alike; at least 1.
        seed: of the draws.

    >>> from ratoon.core.times import EPOCH
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 1000))
    >>> before, now = {"x": x, "y": x + 0.3 * y}, {"x": x, "y": 0.3 * y - x}
    >>> PCAError().compare(before, now, Window(start=EPOCH, end=EPOCH)).drifted
    True

    Source: Qahtan et al. (2015), "A PCA-based change detection framework for multidimensional data
    streams", KDD; NannyML 0.13 takes the error of the same name, with 65 % explained, and bounds it
    by three standard deviations over chunks of the reference that the components were fitted to.
    """

    effect: float = 0.25
    false_alarms: float = 0.001
    explained: float = 0.65
    rows: int = 10_000
    inflation: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.positive("effect", self.effect)
        settings.share("explained", self.explained)
        check_sample(
            rows=self.rows,
            seed=self.seed,
            false_alarms=self.false_alarms,
            inflation=self.inflation,
        )

    def compare(self, reference: Columns, now: Columns, window: Window) -> Joint | None:
        """Return the mean error of the window; None of fewer than 40 rows.

        Args:
            reference: columns of numbers, truths, moments or texts, each of shape (m,), as arrays
                or of Arrow.
            now: the window's, of shape (n,); columns that the reference lacks are left out.
            window: the one that is judged.

        Raises:
            KeyError: A column of the reference is missing.
        """
        sides = sides_of(reference, now, self.rows, np.random.default_rng(self.seed))
        if sides is None:
            return None
        encoding = encoding_of(*sides)
        (rows, names), (after, _) = (encoding.matrix(side) for side in sides)
        basis = basis_of(rows[: len(rows) // 2], self.explained)
        before, after = (basis.residuals(part) for part in (rows[len(rows) // 2 :], after))
        change = self._change(before, after, window)
        return Joint(change=change, columns=_parts(before, after, names) if change.drifted else ())

    def _change(self, before: Floats, now: Floats, window: Window) -> Change:
        errors, newer = (np.sqrt((part**2).sum(axis=1)) for part in (before, now))
        apart, spread = welch(errors, newer), float(errors.std(ddof=1))
        p_value = apart.either_p(self.inflation)
        return Change(
            aspect="reconstruction",
            measurement=Measurement(
                metric="reconstruction_error",
                window=window,
                value=float(newer.mean()),
                n=len(newer),
                stderr=apart.stderr,
            ),
            before=float(errors.mean()),
            effect=abs(apart.value) / (spread or 1.0),
            least=self.effect,
            p_value=p_value,
            adjusted=p_value,
            rate=self.false_alarms,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Basis:
    """Principal components: the directions in which rows vary most."""

    centre: Floats  # (p,)
    directions: Floats  # (p, k), orthonormal

    def residuals(self, rows: Floats) -> Floats:
        """Return what the components do not give back of each row, shape (n, p)."""
        off = rows - self.centre
        return off - (off @ self.directions) @ self.directions.T


def basis_of(rows: Floats, explained: float) -> Basis:
    """Return the fewest principal components that explain a share of the variance.

    >>> basis_of(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.1]]), 0.9).directions.shape
    (2, 1)

    Source: Jolliffe (2002), Principal Component Analysis, sections 1.1 and 6.1.1.
    """
    centre = rows.mean(axis=0)
    off = rows - centre
    variances, directions = cast("tuple[Floats, Floats]", np.linalg.eigh(off.T @ off))
    shares: Floats = np.cumsum(np.maximum(variances[::-1], 0.0))
    kept = int(np.count_nonzero(shares < explained * shares[-1])) + 1
    return Basis(centre=centre, directions=directions[:, ::-1][:, :kept])


def _parts(before: Floats, now: Floats, names: tuple[str, ...]) -> tuple[Part, ...]:
    """Return the columns whose squared error has changed by more than chance."""
    columns = list(dict.fromkeys(names))
    found = [
        _apart(before, now, np.array([name == column for name in names])) for column in columns
    ]
    adjusted = benjamini_hochberg(np.array([apart.either_p() for apart in found]))
    parts = [
        Part(column=column, value=apart.value, stderr=apart.stderr)
        for column, apart, chance in zip(columns, found, adjusted.tolist(), strict=True)
        if chance <= _NAMED
    ]
    return tuple(sorted(parts, key=lambda part: (-abs(part.value), part.column)))


def _apart(before: Floats, now: Floats, own: np.ndarray) -> Apart:
    """Compare the mean squared errors of one column of the table."""
    errors, newer = ((part[:, own] ** 2).sum(axis=1) for part in (before, now))
    return welch(errors, newer)
