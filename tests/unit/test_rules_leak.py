"""Associations of a feature with the label, against scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mutual_info_score, roc_auc_score

from ratoon.windows.rules.leak import association, midranks, telling

CHANCE = np.random.default_rng(0)
N = 600


def test_midranks_are_scipys() -> None:
    """Equal values share their rank; missing ones have none and take none."""
    values = CHANCE.integers(0, 9, (20, 50)).astype(float)
    values[CHANCE.random((20, 50)) < 0.2] = np.nan
    expected = stats.rankdata(values, axis=1, nan_policy="omit") - 1
    np.testing.assert_allclose(midranks(values), expected)


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_binary_is_the_auc(decimals: int) -> None:
    """For two classes it is |2 AUC - 1| of scikit-learn, also with many equal values."""
    label = (CHANCE.random(N) < 0.3).astype(float)
    values = np.round(CHANCE.normal(size=N) - label, decimals)
    found = association(values[None, :], label[None, :], "binary", texts=False)
    assert found[0] == pytest.approx(abs(2 * roc_auc_score(label, values) - 1))


def test_regression_is_spearmans() -> None:
    """For a number to predict it is Spearman's correlation of scipy, without its sign."""
    label = np.round(CHANCE.normal(size=N), 1)
    values = -label + CHANCE.normal(size=N)
    found = association(values[None, :], label[None, :], "regression", texts=False)
    assert found[0] == pytest.approx(abs(stats.spearmanr(values, label).statistic))


def test_texts_are_the_mutual_information() -> None:
    """For texts it is the root of mutual information over entropy, put right by Miller's term."""
    label = CHANCE.integers(0, 3, N).astype(float)
    codes = np.where(CHANCE.random(N) < 0.5, label, CHANCE.integers(0, 5, N)).astype(float)
    entropy = stats.entropy(np.unique(label, return_counts=True)[1])
    cells = len(np.unique(codes * 10 + label)) - len(np.unique(codes)) - 3 + 1
    shared = mutual_info_score(codes, label) - cells / (2 * N)
    found = association(codes[None, :], label[None, :], "multiclass", texts=True)
    assert found[0] == pytest.approx(np.sqrt(shared / entropy))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("texts", [False, True])
def test_a_copy_is_one_and_noise_is_low(task: str, texts: bool) -> None:  # noqa: FBT001 - a case
    """A feature that is the label has 1, one that has nothing to do with it nearly 0."""
    kinds = {"binary": 2, "multiclass": 4, "regression": 8}[task]
    label = CHANCE.integers(0, kinds, 2000).astype(float)
    noise = CHANCE.integers(0, 6, 2000).astype(float)
    copied = association(label[None, :], label[None, :], task, texts=texts)
    assert copied[0] == pytest.approx(1, abs=0.02)
    assert association(noise[None, :], label[None, :], task, texts=texts)[0] < 0.12


def test_missing_values_may_tell_the_label() -> None:
    """A feature that is filled in for one class alone has leaked, whatever its values."""
    label = (CHANCE.random(N) < 0.3).astype(float)
    values = np.where(label == 1, CHANCE.normal(size=N), np.nan)
    assert association(values[None, :], label[None, :], "binary", texts=False)[0] == 1


def test_rows_are_judged_alone() -> None:
    """Each row of the table has its own association; rows without labels are left out."""
    label = (CHANCE.random((3, N)) < 0.3).astype(float)
    label[2, : N // 2] = np.nan
    values = CHANCE.normal(size=(3, N)) + np.nan_to_num(label)
    both = association(values, label, "binary", texts=False)
    for i in range(3):
        alone = association(values[i : i + 1], label[i : i + 1], "binary", texts=False)
        assert both[i] == alone[0]
    seen = ~np.isnan(label[2])
    auc = roc_auc_score(label[2][seen], values[2][seen])
    assert both[2] == pytest.approx(abs(2 * auc - 1))


def test_labels_in_runs_say_nothing() -> None:
    """Where labels come in two long runs whatever grows with time tells them: that is no leak."""
    mixed = np.tile([0.0, 1.0], 100)
    assert telling(mixed[None, :], "binary").all()
    assert not telling(np.sort(mixed)[None, :], "binary").any()
    assert not telling(np.append(np.zeros(190), np.ones(10))[None, :], "binary").any()
    assert not telling(np.arange(200.0)[None, :], "regression").any()
