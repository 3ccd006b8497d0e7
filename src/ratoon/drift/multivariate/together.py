"""Any test of several columns by one call, or by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Window
from ratoon.drift.multivariate.classifier import ClassifierTest
from ratoon.drift.multivariate.correlations import Correlations
from ratoon.drift.multivariate.found import Joint, PairChange, Part
from ratoon.drift.multivariate.mmd import MMD
from ratoon.drift.multivariate.pca import PCAError
from ratoon.drift.multivariate.products import MOST_COLUMNS, products_of
from ratoon.windows.summaries import reference_of
from ratoon.windows.summaries.summary import Columns, is_text

JointTest: TypeAlias = ClassifierTest | MMD | PCAError | Correlations
"""What looks at several columns together."""

NAMED: Mapping[str, JointTest] = {
    "classifier": ClassifierTest(rows=2000),
    "correlations": Correlations(),
    "mmd": MMD(),
    "pca": PCAError(rows=5000),
}
"""The tests by name; each takes half a second at most, whatever the number of rows."""


def joint_test(named: str | JointTest) -> JointTest:
    """Return the test of a name.

    Raises:
        SettingInvalid: there is none of that name.

    >>> joint_test("mmd").rows
    2000
    """
    if not isinstance(named, str):
        return named
    if named not in NAMED:
        raise SettingInvalid("joint", f"a test, or one of {sorted(NAMED)}", named)
    return NAMED[named]


def compared(
    test: JointTest, reference: Columns, now: Columns, window: Window
) -> tuple[Joint, ...]:
    """Return what a test says of the columns of a window; nothing where there is too little.

    Args:
        test: of rows, or of correlations: then it says something of each pair of columns of
            numbers (the first 200 of them), by the ranks of their values.
        reference: columns of numbers, truths, moments or texts, each of shape (m,), as arrays or
            of Arrow.
        now: the window's, of shape (n,); columns that the reference lacks are left out.
        window: the one that is judged.

    Raises:
        KeyError: A column of the reference is missing.
    """
    if not isinstance(test, Correlations):
        found = test.compare(reference, now, window)
        return () if found is None else (found,)
    names = [name for name, column in reference.items() if not is_text(column)][:MOST_COLUMNS]
    bins = reference_of({name: reference[name] for name in names})
    before, after = (products_of(bins, side) for side in (reference, now))
    return tuple(_joint(pair) for pair in test.compare(before, after, window))


def within(test: JointTest, *, false_alarms: float, inflation: float) -> JointTest:
    """Return a test as one of several of a window, whose false alarms are counted together.

    Args:
        test: any.
        false_alarms: windows with an alarm of any of them, of those without drift.
        inflation: how many rows are worth one, unless the test says more.
    """
    return replace(test, false_alarms=false_alarms, inflation=max(test.inflation, inflation))


def _joint(pair: PairChange) -> Joint:
    measured = pair.change.measurement
    by = (measured.value or 0.0) - (pair.change.before or 0.0)
    parts = (Part(column=name, value=by, stderr=measured.stderr or 0.0) for name in pair.columns)
    return Joint(change=pair.change, columns=tuple(parts))
