"""Search for the slices where a model is significantly worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.core.settings import not_negative, share
from ratoon.metrics.protocol import Metric
from ratoon.metrics.slices.binning import features_of
from ratoon.metrics.slices.searching import Effort, candidates_of
from ratoon.metrics.slices.slicing import Mask, Slice
from ratoon.metrics.slices.welch import adjusted, compared
from ratoon.windows.judged import Floats, Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceFinding:
    """A slice where the model is worse than elsewhere, confirmed on rows that did not find it."""

    slice: Slice
    n: int  # rows of the slice, those that found it and those that confirmed it
    share: float  # of all rows
    effect: float  # mean row loss in the slice less that of the other rows, where it was confirmed
    stderr: float  # of the effect
    size: float  # the effect in standard deviations of the loss
    p_value: float  # of Welch's test, one-sided
    adjusted: float  # the same, allowing for all slices that were tested
    measurement: Measurement  # the metric on the slice's rows where it was confirmed


def find_slices(
    metric: Metric,
    judged: Judged,
    window: Window,
    *,
    columns: Sequence[str] | None = None,
    alpha: float = 0.05,
    effect: float = 0.2,
    effort: Effort | None = None,
) -> tuple[SliceFinding, ...]:
    """Find slices where row losses are greater than elsewhere, in truth and not by chance.

    Every second row is for the search: ranges and values of single columns, then crossings of the
    worst of them, are ranked by Welch's t; those whose rows are explained by a better one are left
    out. The few that remain are tested on the other rows, which had no part in their choice, by
    Welch's one-sided test against all rows outside. Benjamini & Hochberg's procedure keeps the
    expected share of false findings at `alpha`; where no slice is worse at all, the chance of any
    finding is at most `alpha`. A slice whose effect is below `effect` is left out, however sure.

    Rows are taken as independent: where neighbours hang together, as in time series, the two halves
    do, too, and the guarantee is lost. Losses with a few huge values hide slices: Welch's test has
    little power there.

    Args:
        metric: one with row losses.
        judged: the labelled rows, with their features.
        window: what they are the rows of.
        columns: where to search; by default all columns.
        alpha: rate of false findings, between 0 and 1.
        effect: least effect, in standard deviations of the row loss.
        effort: how far to search.

    Returns:
        What was found, that first which adds most to the mean loss of all rows.

    Raises:
        SettingInvalid: the metric has no row losses.
        MetricNeedsColumn: the rows have no features, or not that one.

    >>> import numpy as np
    >>> from ratoon.core.schema import Column, Schema
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.metrics import Accuracy
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> from ratoon.windows.rows import Rows
    >>> rng = np.random.default_rng(0)
    >>> country = rng.choice(["DE", "FR", "IT"], 2000).astype(object)
    >>> wrong = rng.random(2000) < np.where(country == "IT", 0.4, 0.1)
    >>> schema = Schema(columns=(Column(name="country", kind="category"),))
    >>> judged = Judged(
    ...     target=Target(task="binary", classes=("good", "bad")),
    ...     labels=wrong.astype(float),
    ...     scored=Scored(outputs=np.zeros(2000)),
    ...     features=Rows(schema=schema, columns={"country": country}),
    ... )
    >>> [str(f.slice) for f in find_slices(Accuracy(), judged, Window(start=EPOCH, end=EPOCH))]
    ['country = IT']

    Source: Chung et al. (2019), "Slice Finder: automated data slicing for model validation", ICDE,
    for the search; Welch (1947), Biometrika 34, 28-35; Benjamini & Hochberg (1995), JRSS B 57,
    289-300.
    """
    share("alpha", alpha)
    not_negative("effect", effect)
    losses, features = _losses(metric, judged), features_of(judged, "slices")
    names = features.schema.names if columns is None else tuple(columns)
    held = np.arange(len(losses)) % 2 == 1
    found = candidates_of(features, names, losses, effect, Effort() if effort is None else effort)
    masks = [candidate.mask(features) for candidate in found]
    tested = [compared(losses[held], mask[held]) for mask in masks]
    p_values = adjusted(np.array([test.p_value for test in tested]))
    findings = [
        SliceFinding(
            slice=where,
            n=int(mask.sum()),
            share=float(mask.mean()),
            effect=test.effect,
            stderr=test.stderr,
            size=test.size,
            p_value=test.p_value,
            adjusted=float(p),
            measurement=_measured(metric, judged, mask & held, window, where),
        )
        for where, mask, test, p in zip(found, masks, tested, p_values, strict=True)
        if p <= alpha and test.size >= effect
    ]
    return tuple(sorted(findings, key=lambda f: -f.effect * f.share))


def _losses(metric: Metric, judged: Judged) -> Floats:
    losses = metric.losses(judged)
    if losses is None:
        rule = "one with row losses, such as accuracy, log_loss or mae"
        raise SettingInvalid("metric of a search for slices", rule, metric.name)
    if not np.isfinite(losses).all():
        raise SettingInvalid(f"row losses of {metric.name!r}", "finite", "one that is not")
    return losses


def _measured(
    metric: Metric, judged: Judged, mask: Mask, window: Window, where: Slice
) -> Measurement:
    measured = metric.measure(judged.take(np.flatnonzero(mask)), window)
    return replace(measured, subject=str(where))
