"""What windows leave behind: merged it says the same as the rows, by JSON and in any order."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import pairwise, product
from operator import add
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratoon import metrics
from ratoon.core import wire
from ratoon.core.errors import SettingInvalid, ValueForbidden
from ratoon.core.measuring import Measurement, Window
from ratoon.core.times import EPOCH
from ratoon.metrics.counts import confusion_of
from ratoon.metrics.merging import Tally
from ratoon.windows.judged import Judged, Scored, Target

WINDOW = Window(start=EPOCH, end=EPOCH)
EXAMPLES = settings(deadline=None, max_examples=40)
SEEDS = st.integers(0, 2**32 - 1)

OF_CLASSES = (
    *(metrics.Accuracy(), metrics.Precision(), metrics.Recall(), metrics.F1(), metrics.MCC()),
    *(metrics.FBeta(), metrics.Specificity(average="macro"), metrics.BalancedAccuracy()),
    *(metrics.Kappa(), metrics.LogLoss(), metrics.Brier(), metrics.CalibrationError(bins=7)),
)
OF_NUMBERS = (
    *(metrics.MAE(), metrics.RMSE(), metrics.R2(), metrics.ExplainedVariance(), metrics.Bias()),
    *(metrics.MAPE(), metrics.SMAPE(), metrics.RMSLE(), metrics.Deviance()),
    metrics.Pinball(level=0.1),
)


def classified(seed: int, rows: int, classes: int, levels: int = 8) -> Judged:
    """Rows whose probabilities have few distinct values."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(classes, size=rows)
    table = generator.integers(1, levels, size=(rows, classes)).astype(float)
    table[np.arange(rows), labels] += 2
    scores = table / table.sum(axis=1, keepdims=True)
    target = Target(task="binary" if classes == 2 else "multiclass", classes=tuple(range(classes)))
    said = Scored(outputs=scores.argmax(axis=1).astype(float), scores=scores)
    return Judged(target=target, labels=labels.astype(float), scored=said)


def predicted(seed: int, rows: int, offset: float = 0.0) -> Judged:
    generator = np.random.default_rng(seed)
    labels = offset + generator.gamma(2.0, size=rows)
    outputs = labels * np.exp(generator.normal(0.1, 0.4, size=rows) / (1 + offset))
    said = Scored(outputs=outputs)
    return Judged(target=Target(task="regression"), labels=labels, scored=said)


def parted(kinds: Any, rows: Judged, cuts: list[int], seed: int) -> Tally:
    """Merge what the parts of rows leave behind, in random order, each by way of JSON."""
    edges = sorted({0, len(rows), *(cut % (len(rows) + 1) for cut in cuts)})
    pairs = list(pairwise(edges)) or [(0, 0)]
    left = [metrics.tally(kinds, rows.take(slice(a, b))) for a, b in pairs]
    order = np.random.default_rng(seed).permutation(len(left))
    read = [wire.loads(Tally, wire.dumps(left[i])) for i in order]
    return reduce(add, read)


def same(one: Measurement, two: Measurement, rel: float = 1e-9) -> None:
    assert (one.metric, one.n, one.support) == (two.metric, two.n, two.support)
    # Where a variance is 0 its rounding is of 1e-10 or so, and that of its root of 1e-5.
    for name, least in (("value", 1e-9), ("stderr", 1e-9 if rel < 1e-6 else 2e-5)):
        ours, theirs = getattr(one, name), getattr(two, name)
        assert ours == (None if theirs is None else pytest.approx(theirs, rel=rel, abs=least))


@given(
    seed=SEEDS, rows=st.integers(0, 60), classes=st.integers(2, 4), cuts=st.lists(st.integers(0))
)
@EXAMPLES
def test_merged_classes_say_the_same(seed: int, rows: int, classes: int, cuts: list[int]) -> None:
    """Value, stderr, rows and support of parts merged in any order are those of all rows."""
    whole = classified(seed, rows, classes)
    kinds = (*OF_CLASSES, metrics.RocAuc()) if classes == 2 else OF_CLASSES
    found = parted(kinds, whole, cuts, seed)
    assert found.n == rows
    for metric in kinds:
        same(found.measure(metric, WINDOW), metric.measure(whole, WINDOW))


@given(
    seed=SEEDS,
    rows=st.integers(0, 60),
    cuts=st.lists(st.integers(0)),
    offset=st.sampled_from([0.0, 1e3, 1e6]),
)
@EXAMPLES
def test_merged_numbers_say_the_same(seed: int, rows: int, cuts: list[int], offset: float) -> None:
    """The same of numbers, also where the labels lie far from 0."""
    whole = predicted(seed, rows, offset)
    found = parted(OF_NUMBERS, whole, cuts, seed)
    for metric in OF_NUMBERS:
        same(found.measure(metric, WINDOW), metric.measure(whole, WINDOW), rel=1e-6)


@given(seed=SEEDS, rows=st.integers(2, 400), cuts=st.lists(st.integers(0)))
@EXAMPLES
def test_area_from_bins_keeps_its_bound(seed: int, rows: int, cuts: list[int]) -> None:
    """With many distinct scores ROC-AUC of the rows lies within low and high of that from bins."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(2, size=rows)
    spread = generator.choice([0.0005, 0.02, 0.3])
    p = np.clip(0.5 + spread * (generator.normal(size=rows) + labels), 0, 1)
    said = Scored(outputs=np.zeros(rows), scores=np.column_stack([1 - p, p]))
    target = Target(task="binary", classes=(0, 1))
    whole = Judged(target=target, labels=labels.astype(float), scored=said)
    exact = metrics.RocAuc().measure(whole, WINDOW)
    found = parted((metrics.RocAuc(),), whole, cuts, seed).measure(metrics.RocAuc(), WINDOW)
    if exact.value is None:
        assert found.value is None
    elif found.low is None:
        assert found.value == pytest.approx(exact.value, abs=1e-12)
    else:
        assert found.low - 1e-12 <= exact.value <= found.high + 1e-12


def test_merged_bins_are_the_same_in_any_order() -> None:
    """Bins that hold one score remember it, whatever the order; two scores make a mixed one."""
    target = Target(task="binary", classes=(0, 1))
    auc = (metrics.RocAuc(),)
    parts = []
    for p in (0.5, 0.5, 0.5004, 0.9):
        said = Scored(outputs=np.zeros(1), scores=np.array([[1 - p, p]]))
        rows = Judged(target=target, labels=np.array([p > 0.6], dtype=float), scored=said)
        parts.append(metrics.tally(auc, rows))
    left, right = reduce(add, parts), reduce(add, parts[::-1])
    assert left == right
    assert left.parts["scores"].single == (900,)
    assert (parts[0] + parts[1]).parts["scores"].scores == (0.5,)


def test_a_tally_is_small() -> None:
    """Of 10,000 rows all metrics of two classes leave less than 10 kB of JSON."""
    rows = classified(1, 10_000, 2, levels=1000)
    found = metrics.tally((*OF_CLASSES, metrics.RocAuc()), rows)
    assert len(wire.dumps(found)) < 10_000


@given(seed=SEEDS, rows=st.integers(1, 200), classes=st.integers(1, 300))
@EXAMPLES
def test_counts_of_many_classes_are_those_of_a_table(seed: int, rows: int, classes: int) -> None:
    """Few or many classes, the cells that occur and their counts are the same."""
    generator = np.random.default_rng(seed)
    labels, outputs = generator.integers(classes, size=(2, rows))
    table = np.zeros((classes, classes), dtype=int)
    np.add.at(table, (labels, outputs), 1)
    found = confusion_of(labels, outputs)
    places = np.nonzero(table)
    assert (found.labels, found.outputs) == tuple(tuple(side.tolist()) for side in places)
    assert found.counts == tuple(table[places].tolist())


def test_later_rows_may_know_more_classes() -> None:
    """A window after a class was added merges with those before it; other classes do not."""
    kinds = (metrics.Accuracy(), metrics.Recall(average="macro"))
    before, after = classified(2, 30, 2), classified(3, 30, 3)
    found = metrics.tally(kinds, before) + metrics.tally(kinds, after)
    assert found == metrics.tally(kinds, after) + metrics.tally(kinds, before)
    assert found.target.classes == (0, 1, 2)
    correct = (before.labels == before.scored.outputs).sum()
    correct += (after.labels == after.scored.outputs).sum()
    assert found.measure(kinds[0], WINDOW).value == pytest.approx(correct / 60)
    other = replace(before, target=Target(task="binary", classes=("a", "b")))
    with pytest.raises(SettingInvalid, match="target of a tally"):
        metrics.tally(kinds, before) + metrics.tally(kinds, other)


def test_what_does_not_merge_is_refused() -> None:
    """Metrics that need all rows, other parts, and scores that are no probabilities are refused."""
    rows = predicted(1, 10)
    with pytest.raises(SettingInvalid, match="median_ae"):
        metrics.tally([metrics.MedianAE()], rows)
    one, two = metrics.tally([metrics.MAE()], rows), metrics.tally([metrics.Bias()], rows)
    with pytest.raises(SettingInvalid, match="parts of a tally"):
        one + two
    with pytest.raises(SettingInvalid, match="told from one of"):
        one.measure(metrics.Bias(), WINDOW)
    with pytest.raises(SettingInvalid, match="binary"):
        metrics.tally([metrics.RocAuc()], classified(1, 10, 3))
    wild = classified(1, 4, 2)
    said = Scored(outputs=wild.scored.outputs, scores=wild.scored.scores * 3)
    with pytest.raises(ValueForbidden, match="between 0 and 1"):
        metrics.tally([metrics.RocAuc()], replace(wild, scored=said))
    ten, seven = (
        metrics.tally([metrics.CalibrationError(bins=b)], classified(1, 4, 2)) for b in (10, 7)
    )
    with pytest.raises(SettingInvalid, match="parts of a tally"):
        ten + seven


@given(seed=SEEDS, rows=st.integers(0, 40), classes=st.integers(2, 4))
@EXAMPLES
def test_all_metrics_at_once_say_what_each_says(seed: int, rows: int, classes: int) -> None:
    """`measure_all` gives what each metric measures by itself, in their order."""
    whole = classified(seed, rows, classes)
    kinds = (*OF_CLASSES, metrics.RocAuc(), metrics.AveragePrecision())
    found = metrics.measure_all(kinds, whole, WINDOW)
    assert found == tuple(metric.measure(whole, WINDOW) for metric in kinds)


def test_each_class_is_measured_by_itself() -> None:
    """`by_class` names the class, and refuses a metric that means no class."""
    rows = classified(5, 50, 3)
    found = metrics.by_class(metrics.Precision(average="macro"), rows, WINDOW)
    assert [m.subject for m in found] == ["0", "1", "2"]
    for m, label in zip(found, (0, 1, 2), strict=True):
        assert m.value == metrics.Precision(positive=label).measure(rows, WINDOW).value
    with pytest.raises(SettingInvalid, match="positive class"):
        metrics.by_class(metrics.Accuracy(), rows, WINDOW)


KINDS = (
    *(metrics.Accuracy(), metrics.LogLoss(), metrics.Brier(), metrics.BalancedAccuracy()),
    *(metrics.Precision(), metrics.Recall(), metrics.F1(), metrics.FBeta(), metrics.Specificity()),
    *(metrics.F1(average="macro"), metrics.Recall(average="micro")),
    metrics.Precision(average="macro"),
    metrics.Cost(matrix=((0, 3), (7, -2)), classes=(0, 1)),
)


@pytest.mark.parametrize("metric", KINDS, ids=repr)
@given(seed=SEEDS, known=st.integers(1, 6), waiting=st.integers(1, 4))
@settings(deadline=None, max_examples=25)
def test_bounds_are_those_of_all_labels_that_may_come(
    metric: Any, seed: int, known: int, waiting: int
) -> None:
    """The bounds are the extremes over every way in which the missing labels may come."""
    whole = classified(seed, known + waiting, 2)
    rows, rest = whole.take(slice(0, known)), whole.take(slice(known, None))
    found = metrics.immature(metric, rows, rest.scored, WINDOW)
    assert found.value == metric.measure(rows, WINDOW).value
    assert found.share == pytest.approx(known / (known + waiting))
    values = []
    for labels in product((0.0, 1.0), repeat=waiting):
        case = replace(whole, labels=np.concatenate([rows.labels, labels]))
        values.append(metric.measure(case, WINDOW).value)
    if None in values:
        return
    assert found.low == pytest.approx(min(values))
    assert found.high == pytest.approx(max(values))


def test_a_window_with_all_labels_has_no_bounds() -> None:
    """Where no label is missing the share is 1 and there is nothing left to bound."""
    rows = classified(7, 20, 2)
    nothing = rows.take(slice(0, 0)).scored
    found = metrics.immature(metrics.F1(), rows, nothing, WINDOW)
    assert (found.share, found.low, found.high) == (1.0, None, None)
    assert metrics.immature(metrics.F1(), rows.take(slice(0, 0)), nothing, WINDOW).share is None


def test_bounds_are_left_out_where_none_are_known() -> None:
    """Of numbers, rankings of rows and weights by labels only the share is told."""
    rows = classified(8, 20, 2)
    known, rest = rows.take(slice(0, 10)), rows.take(slice(10, 20)).scored
    for metric in (metrics.RocAuc(), metrics.F1(average="weighted"), metrics.MCC()):
        found = metrics.immature(metric, known, rest, WINDOW)
        assert (found.share, found.low, found.high) == (0.5, None, None)
    numbers = predicted(1, 10)
    found = metrics.immature(metrics.MAE(), numbers, numbers.scored, WINDOW)
    assert (found.share, found.low) == (0.5, None)


def test_a_measurement_of_an_older_version_is_read() -> None:
    """JSON from before support, share, low and high existed is read, without them."""
    m = Measurement(metric="mae", window=WINDOW, value=1.0, n=3, stderr=0.1)
    old = wire.to_json(m)
    for name in ("support", "share", "low", "high"):
        del old[name]
    assert wire.from_json(Measurement, old) == m
