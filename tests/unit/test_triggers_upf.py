from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Ridge

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import WORTH_IT
from ratoon.triggers import UPF, Fired
from ratoon.triggers.protocol import PredictionsClosed, Promoted
from ratoon.triggers.upf import Moments, forecaster, learned, quantile, shift
from ratoon.windows.summaries import reference_of
from tests.unit.triggers_views import answers, closed, view, window

ROWS = 100


def ageing(i: int, trained: int, rise: float, noise: float = 0.0, level: float = 0.1) -> Any:
    """Window i of a model trained before window `trained`: the loss rises with its age."""
    wobble = noise * (-1) ** i
    return view(
        closed(i, losses=[level + rise * (i - trained) + wobble] * ROWS),
        trained_rows=trained * ROWS,
        labelled=(i + 1) * ROWS,
    )


def life(trigger: UPF, rise: float, windows: int = 40, noise: float = 0.0) -> list[int]:
    """The windows at which it fires, where each time a new model serves from the next on."""
    state, trained, found = trigger.init(), 0, []
    for i in range(windows):
        state, answer = trigger.fires(state, ageing(i, trained, rise, noise))
        if answer.causes:
            found.append(i)
            trained = i + 1
    return found


def drawn(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Observations (trained at, age, time, shift) and the loss of each."""
    chance = np.random.default_rng(seed)
    trained = np.sort(chance.integers(0, 30, n)) * 100.0
    time = trained + chance.integers(1, 20, n) * 100.0
    features = np.column_stack([trained, time - trained, time, chance.random(n)])
    loss = 0.1 + 1e-4 * features[:, 1] + 0.05 * features[:, 3] + 0.02 * chance.normal(size=n)
    return features, loss


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_forecast_is_the_ridge_that_cross_validation_chooses(seed: int) -> None:
    """From its moments alone: scikit-learn's ridge on standardised rows, penalty by GCV."""
    features, loss = drawn(seed)
    moments = Moments()
    for row, value in zip(features, loss, strict=True):
        moments = learned(moments, tuple(row.tolist()), float(value))
    n = len(loss)
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    fits = []
    for penalty in (1e-4, 1e-3, 1e-2, 1e-1, 1.0):
        ridge = Ridge(alpha=penalty * n).fit(standard, loss)
        hat = standard @ np.linalg.solve(
            standard.T @ standard + penalty * n * np.eye(4), standard.T
        )
        rss, free = float(((loss - ridge.predict(standard)) ** 2).sum()), n - 1 - np.trace(hat)
        fits.append((n * rss / free**2, rss / free, ridge))
    _, variance, ridge = min(fits, key=lambda fit: fit[0])
    found = forecaster(moments)
    assert found.variance == pytest.approx(variance, rel=1e-6)
    at = np.array([500.0, 900.0, 1400.0, 0.3])
    scaled = (at - features.mean(axis=0)) / features.std(axis=0)
    expected = float(ridge.predict(scaled[None])[0])
    assert found.loss(500.0, 1400.0, 0.3) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("mean", "sd"), [(0.1, 0.05), (0.5, 0.2), (0.9, 0.01)])
def test_a_quantile_is_that_of_beta_or_of_normal(mean: float, sd: float) -> None:
    """With mean and variance of the moments, as scipy has it."""
    size = mean * (1 - mean) / sd**2 - 1
    expected = stats.beta(mean * size, (1 - mean) * size).ppf(0.95)
    assert quantile(mean, sd**2, 0.95, bounded=True) == pytest.approx(expected)
    expected = stats.norm(mean, sd).ppf(0.95)
    assert quantile(mean, sd**2, 0.95, bounded=False) == pytest.approx(expected)


@pytest.mark.parametrize(("mean", "variance"), [(-0.2, 0.1), (1.3, 0.1), (0.5, 9.0), (0.5, 0.0)])
def test_a_forecast_that_no_beta_has_is_brought_within_bounds(mean: float, variance: float) -> None:
    """A mean beyond 0 or 1, or a variance too large, still gives a value between 0 and 1."""
    assert 0 <= quantile(mean, variance, 0.95, bounded=True) <= 1


def test_a_loss_that_rises_with_age_is_worth_a_retraining_that_is_cheap() -> None:
    """A rise of 1 % a window is learned; the dearer the retraining, the later it fires."""
    cheap, dear = life(UPF(50), 0.01), life(UPF(120), 0.01)
    assert len(cheap) > len(dear) >= 1
    assert life(UPF(1e5), 0.01) == []


def test_the_first_cause_is_where_the_forecasts_cross() -> None:
    """By hand: without noise, and once ages vary, the gap is the slope times the age.

    Before a second champion, age and time share the slope of 0.01 a window: a new model saves
    0.005 a window of age. Ten windows have to pay 30 of loss, 0.03 a row: above that at age 7.
    """
    assert life(UPF(30.0), 0.01, windows=12)[0] == 6


def test_a_stable_loss_is_no_cause() -> None:
    """Where the loss does not rise with age it never fires."""
    assert life(UPF(1.0), 0.0) == []
    assert life(UPF(10.0), 0.0, noise=0.02) == []


def test_a_prefix_teaches_what_age_costs() -> None:
    """With models of many ages in a prefix age has its whole slope, and it fires earlier."""
    now = np.arange(20)
    losses = 0.1 + 0.01 * np.maximum(0, now[None, :] - now[:, None])
    taught = UPF.fitted(losses, 30.0, rows=ROWS)
    assert taught.prefix.count == 210
    state, first = taught.init(), None
    for i in range(20, 40):
        state, answer = taught.fires(state, ageing(i, 20, 0.01))
        if answer.causes and first is None:
            first = i
    # 0.03 a row is saved by a model that is younger by a little more than three windows
    assert first is not None
    assert first - 20 in (3, 4)
    assert str(taught) == "UPF(30)"


def test_losses_beyond_one_are_compared_as_normal() -> None:
    """A loss above 1 once, and quantiles are those of a normal distribution from then on."""
    trigger = UPF(300.0, warm_up=2)
    state = trigger.init()
    found = []
    for i in range(12):
        state, answer = trigger.fires(state, ageing(i, 0, 0.5, level=0.9))
        found.append(bool(answer.causes))
    assert not state.moments.bounded
    # a slope of 0.25 a window (shared with time), and 0.3 a row to save: from the second age on
    assert found == [False] + [True] * 11


def test_the_shift_is_the_distance_of_means_in_standard_deviations() -> None:
    """The mean over columns of numbers; a text has none, and answers are no inputs."""
    chance = np.random.default_rng(0)
    table = {"a": chance.normal(5, 2, 400), "b": chance.normal(0, 1, 400)}
    texts = {"c": np.array(["x", "y"] * 200, dtype=object)}
    reference = reference_of(table | texts)
    now = {"a": table["a"][:100] + 1, "b": table["b"][:100] - 3, "c": texts["c"][:100]}
    summary = reference.summarise(now)
    expected = [abs(now[c].mean() - table[c].mean()) / table[c].std(ddof=1) for c in ("a", "b")]
    assert shift(reference, summary) == pytest.approx(np.mean(expected))
    assert shift(reference_of(texts), reference_of(texts).summary) == 0
    inputs, outputs = (
        PredictionsClosed(
            of=side, window=window(0), reference=reference, summary=summary, changes=()
        )
        for side in ("inputs", "outputs")
    )
    state, answer = UPF(1).fires(UPF(1).init(), view(inputs))
    assert (answer, state.shift) == (Fired(), shift(reference, summary))
    assert wire.loads(type(state), wire.dumps(state)) == state
    assert UPF(1).fires(UPF(1).init(), view(outputs)) == (UPF(1).init(), Fired())


def test_it_says_what_it_forecasts() -> None:
    """The firing carries both forecasts, the cost a row and the windows that were seen."""
    said = answers(UPF(30.0), [ageing(i, 0, 0.01) for i in range(7)])
    (cause,) = said[-1].causes
    assert (cause.event_type, cause.trigger) == (WORTH_IT, "UPF(30)")
    assert cause.evidence["windows"] == 7
    assert cause.evidence["cost"] == pytest.approx(0.03)
    gap: Any = [cause.evidence["champion"], cause.evidence["new"]]
    assert gap[0] - gap[1] == pytest.approx(0.035, rel=0.01)
    wire.dumps(cause)


def test_a_promotion_alone_changes_nothing() -> None:
    """The age of the champion is known from its training rows."""
    state, _ = UPF(30).fires(UPF(30).init(), ageing(0, 0, 0.1))
    assert UPF(30).fires(state, view(Promoted())) == (state, Fired())


def test_settings_are_checked_when_they_are_made() -> None:
    """A setting that breaks its rule is refused by its name."""
    makes: list[Any] = [
        lambda: UPF(0),
        lambda: UPF(1, horizon=0),
        lambda: UPF(1, level=1),
        lambda: UPF(1, warm_up=1),
        lambda: UPF.fitted([[1.0]], 1, rows=0),
        lambda: UPF.fitted([[1.0]], 1, rows=1, start=-1),
        lambda: UPF.fitted([1.0], 1, rows=1),
    ]
    names = "retrain_cost|horizon|level|warm_up|rows|start|losses"
    for make in makes:
        with pytest.raises(SettingInvalid, match=f"^({names}) must be "):
            make()
