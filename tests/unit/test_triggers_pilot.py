from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import WORTH_IT
from ratoon.triggers import Fired, Pilot, PilotScorer
from ratoon.triggers.protocol import Promoted, TimePassed
from tests.unit.triggers_views import answers, closed, fired, view


def losing(means: Any) -> list[Any]:
    return [closed(i, losses=[float(mean)] * 50) for i, mean in enumerate(means)]


def last_loss(history: int = 2) -> PilotScorer:
    """A scorer whose score is the newest loss."""
    weights = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    return PilotScorer(
        centre=(0.0, 0.0, 0.0),
        scale=(1.0, 1.0, 1.0),
        weights=weights,
        intercept=0.0,
        history=history,
        recent=2,
    )


def naive_features(losses: list[float], centre: Any, scale: Any, history: int, recent: int) -> Any:
    """Mean, maximum and last of the standardised channels, window by window, as the paper tells."""
    states, rows = [], []
    for i in range(len(losses)):
        late = losses[max(0, i - recent + 1) : i + 1]
        mean, rms = sum(late) / len(late), (sum(x * x for x in late) / len(late)) ** 0.5
        states.append([(v - c) / s for v, c, s in zip([losses[i], mean, rms], centre, scale)])  # noqa: B905 - three each
        span = states[-history:]
        columns = list(zip(*span, strict=True))
        rows.append(
            [sum(c) / len(c) for c in columns] + [max(c) for c in columns] + list(states[-1])
        )
    return np.array(rows)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_scorer_is_the_weighted_ridge_of_the_rise_to_come(seed: int) -> None:
    """Against scikit-learn on naive features and targets: scores of other losses agree."""
    chance = np.random.default_rng(seed)
    losses = (0.2 + 0.1 * np.sin(np.arange(60) / 6) + 0.02 * chance.random(60)).tolist()
    ahead, history, recent = 3, 5, 4
    scorer = Pilot.fitted(losses, ahead=ahead, history=history, recent=recent).scorer
    channel = naive_features(losses, [0] * 3, [1] * 3, history, recent)[:, 6:]
    centre, scale = channel.mean(axis=0), channel.std(axis=0)
    assert scorer.centre == pytest.approx(centre)
    assert scorer.scale == pytest.approx(scale)
    features = naive_features(losses, centre, scale, history, recent)
    at = range(ahead - 1, len(losses) - ahead)
    rise = [sum(losses[t + 1 : t + 1 + ahead]) - sum(losses[t + 1 - ahead : t + 1]) for t in at]
    target = np.clip(np.array(rise) / ahead / scale[0], -0.5, 2.0)
    share = max(1.0, (target <= 0).sum() / (target > 0).sum())
    ridge = Ridge(alpha=1.0).fit(
        features[list(at)], target, sample_weight=np.where(target > 0, share, 1.0)
    )
    assert scorer.weights == pytest.approx(ridge.coef_, abs=1e-9)
    others = chance.random(20).tolist()
    seen = naive_features(others, centre, scale, history, recent)
    for t in range(9, 20):  # from there on a score rests on as many losses as it can
        expected = float(ridge.predict(seen[[t]])[0])
        assert scorer.score(tuple(others[: t + 1])) == pytest.approx(expected)


def test_it_fires_where_the_score_is_unusual() -> None:
    """By hand: of scores 1, 3, 1, 3 mean 2 and deviation 1.155; 3.1 is below one, 3.2 above."""
    trigger = Pilot(last_loss(), warm_up=4)
    assert fired(trigger, losing([1, 3, 1, 3, 3.1])) == []
    assert fired(trigger, losing([1, 3, 1, 3, 3.2])) == [4]
    (cause,) = answers(trigger, [view(one) for one in losing([1, 3, 1, 3, 3.2])])[-1].causes
    assert (cause.event_type, cause.trigger) == (WORTH_IT, "Pilot(threshold=1)")
    assert cause.evidence["z"] == pytest.approx(1.2 / np.std([1, 3, 1, 3], ddof=1))
    wire.dumps(cause)


def test_scores_are_standardised_by_all_before_them() -> None:
    """The naive rule with numpy's mean and deviation, warm-up and cooldown."""
    scores = np.random.default_rng(1).normal(size=200)
    last, expected = None, []
    for i, score in enumerate(scores):
        if i < 10 or (last is not None and i - last <= 5):
            continue
        if (score - scores[:i].mean()) / scores[:i].std(ddof=1) > 1.0:
            expected.append(i)
            last = i
    assert len(expected) > 10
    assert fired(Pilot(last_loss()), losing(scores)) == expected


def test_without_cooldown_each_unusual_score_fires() -> None:
    """A loss that keeps rising is a cause in each window after the warm-up."""
    trigger = Pilot(last_loss(), warm_up=2, cooldown=0)
    assert fired(trigger, losing([0, 1, 4, 16, 64])) == [2, 3, 4]
    assert fired(Pilot(last_loss(), warm_up=2, cooldown=1), losing([0, 1, 4, 16, 64])) == [2, 4]


def test_a_learned_scorer_sees_the_next_rise_of_its_kind() -> None:
    """On rises like those of its prefix it fires while they last, and never where all is flat."""
    ramp = np.interp(np.arange(15) / 15, [0, 0.4, 0.8, 1], [0.1, 0.1, 0.5, 0.1])
    prefix = np.tile(ramp, 4) + 0.002 * np.random.default_rng(0).random(60)
    trigger = Pilot.fitted(prefix, ahead=3, history=4, recent=3)
    found = fired(trigger, losing(np.tile(ramp, 4)))
    assert found
    rising = [i for i in found if 3 <= i % 15 <= 10]
    assert len(rising) >= 0.8 * len(found)
    assert fired(trigger, losing([0.1] * 40)) == []


def test_only_windows_with_losses_count() -> None:
    """Promotions, time and windows without row losses change nothing."""
    trigger = Pilot(last_loss())
    state, _ = trigger.fires(trigger.init(), view(losing([0.3])[0]))
    for happened in (Promoted(), TimePassed(), closed(0)):
        assert trigger.fires(state, view(happened)) == (state, Fired())


def test_the_state_holds_no_more_losses_than_a_score_rests_on() -> None:
    """However long it runs, the state keeps history + recent - 1 losses."""
    trigger = Pilot(last_loss(history=4))
    state = trigger.init()
    for one in losing(range(30)):
        state, _ = trigger.fires(state, view(one))
    assert state.losses == (25, 26, 27, 28, 29)


def test_settings_are_checked_when_they_are_made() -> None:
    """A setting that breaks its rule is refused by its name; a prefix has to be long enough."""
    flat = [0.1] * 12
    makes: list[Any] = [
        lambda: Pilot(last_loss(), warm_up=1),
        lambda: Pilot(last_loss(), cooldown=-1),
        lambda: Pilot(last_loss(), threshold=float("nan")),
        lambda: Pilot.fitted(flat, ahead=0),
        lambda: Pilot.fitted(flat, penalty=0),
        lambda: Pilot.fitted(flat, ahead=5),
        lambda: Pilot.fitted([flat, flat]),
        lambda: Pilot.fitted([*flat, float("nan")]),
        lambda: PilotScorer(centre=(), scale=(), weights=(), intercept=0.0, history=1, recent=1),
    ]
    names = "warm_up|cooldown|threshold|ahead|penalty|losses|centre, scale and weights"
    for make in makes:
        with pytest.raises(SettingInvalid, match=f"^({names}) must be "):
            make()
    assert fired(Pilot.fitted(flat), losing(flat)) == []
