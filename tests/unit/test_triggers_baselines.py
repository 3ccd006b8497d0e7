from __future__ import annotations

import hashlib

import pytest

from ratoon.core.errors import SettingInvalid
from ratoon.core.events import SCHEDULE
from ratoon.triggers import Always, Fired, Random
from ratoon.triggers.draws import uniform
from ratoon.triggers.protocol import Promoted, TimePassed
from tests.unit.triggers_views import answers, closed, fired, view


def test_always_fires_after_each_window_of_labels_and_at_nothing_else() -> None:
    """Each full window of labelled rows is a cause; time, inputs and promotions are none."""
    happened = [closed(0), TimePassed(), closed(1), Promoted(), closed(2)]
    assert fired(Always(), happened) == [0, 2, 4]
    (cause,) = answers(Always(), [view(closed(0))])[0].causes
    assert (cause.event_type, cause.trigger) == (SCHEDULE, "Always()")
    assert cause.reason == "window 1 of labelled rows is full"


def test_a_draw_is_the_hash_of_seed_and_number() -> None:
    """The n-th draw is the first 53 bits of BLAKE2b of "seed:n", as a share."""
    digest = hashlib.blake2b(b"7:3", digest_size=8).hexdigest()
    assert uniform(7, 3) == (int(digest, 16) >> 11) / 2**53


def test_draws_are_uniform_and_do_not_repeat() -> None:
    """Of 10,000 draws a tenth lies in each tenth (4 standard errors), and seeds differ."""
    drawn = [uniform(1, n) for n in range(10_000)]
    for tenth in range(10):
        held = sum(tenth <= 10 * u < tenth + 1 for u in drawn)
        assert abs(held - 1000) < 4 * (10_000 * 0.1 * 0.9) ** 0.5
    assert len(set(drawn)) == len(drawn)
    assert drawn[:5] != [uniform(2, n) for n in range(5)]


def test_random_fires_where_the_draw_of_the_window_is_below_the_chance() -> None:
    """Window n, counted from 1 over promotions, fires where draw n is below the chance."""
    trigger = Random(0.3, seed=5)
    windows = [closed(i) for i in range(200)]
    expected = [i for i in range(200) if uniform(5, i + 1) < 0.3]
    assert 40 < len(expected) < 80
    assert fired(trigger, windows) == expected
    with_others = [one for w in windows for one in (w, Promoted(), TimePassed())]
    assert fired(trigger, with_others) == [3 * i for i in expected]
    assert answers(trigger, [view(TimePassed())]) == [Fired()]
    assert str(trigger) == "Random(0.3, seed=5)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"chance": 1.0}, "chance must be strictly between 0 and 1, got 1.0"),
        ({"chance": 0.1, "seed": -1}, "seed must be .* of at least 0, got -1"),
    ],
    ids=["chance", "seed"],
)
def test_settings_are_checked_when_they_are_made(settings: dict[str, float], message: str) -> None:
    """A setting that breaks its rule is refused by its name, the rule and the value."""
    with pytest.raises(SettingInvalid, match=f"^{message}$"):
        Random(**settings)  # type: ignore[arg-type]
