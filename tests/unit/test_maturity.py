"""How long labels take, against scipy and simulations with a known law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ratoon.core import wire
from ratoon.core.errors import LengthMismatch, SettingInvalid, ValueForbidden
from ratoon.core.measuring import RowRange, Window
from ratoon.core.times import from_micros
from ratoon.windows.arrived import Arrived
from ratoon.windows.judged import Floats
from ratoon.windows.maturity import DelayState, LabelDelays

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Law = Callable[[np.random.Generator, Floats], Floats]


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """Predictions at random times whose labels come by a known law, or never."""

    settings: LabelDelays
    state: DelayState
    events: Floats  # days
    arrivals: Floats  # days; infinite where a label never comes
    days: float

    def seen(self, settings: LabelDelays | None = None) -> Arrived:
        """Return what is known in the end."""
        return (settings or self.settings).seen(self.state, START + self.days * DAY)

    def share(self, since: float, until: float) -> float:
        """Return the true share of the labels of a window that is in."""
        inside = (self.events >= since) & (self.events < until) & np.isfinite(self.arrivals)
        return float((self.arrivals[inside] <= self.days).mean())


def moments(days: Floats) -> Any:
    """Return days since the start as moments."""
    first = np.datetime64(START.replace(tzinfo=None), "us")
    return first + (days * 86_400e6).astype("timedelta64[us]")


def window(since: float, until: float) -> Window:
    """Return a window, in days since the start."""
    return Window(start=START + since * DAY, end=START + until * DAY)


def simulated(law: Law, *, rows: int = 8000, days: float = 40.0, seed: int = 0) -> Simulated:
    """Let predictions and labels arrive every six hours; three in ten are never labelled."""
    rng = np.random.default_rng(seed)
    events = np.sort(rng.uniform(0.0, days, rows))
    arrivals = np.where(rng.random(rows) < 0.3, np.inf, events + law(rng, events))
    settings = LabelDelays()
    state = settings.init()
    for step in range(1, int(days * 4) + 1):
        since, until = (step - 1) / 4, step / 4
        late = (arrivals > since) & (arrivals <= until)
        state = settings.step(
            state,
            START + until * DAY,
            predicted=moments(events[(events > since) & (events <= until)]),
            joined=moments(events[late]),
            joined_since=moments(np.ceil(events[late] * 4) / 4),
        )
    return Simulated(settings=settings, state=state, events=events, arrivals=arrivals, days=days)


def slow(rng: np.random.Generator, events: Floats) -> Floats:
    """Half of the labels come within two days, some after two weeks."""
    return rng.exponential(3.0, len(events))


def test_the_curve_is_that_of_scipy() -> None:
    """Kaplan and Meier's estimate and its error, where scipy is told each row's bin."""
    rng = np.random.default_rng(1)
    settings = LabelDelays(finest="1h", per_octave=3, cohorts=2000, memory=10**9, least=1)
    events, delays = rng.integers(0, 2000, 600), rng.exponential(300.0, 600)
    arrivals = np.where(rng.random(600) < 0.25, np.inf, events + delays)
    state, first = settings.init(), moments(events / 24.0)
    state = settings.step(state, START + 2001 * HOUR, predicted=first)
    entered = sum(len(cohort.entered) for cohort in state.cohorts)
    assert (entered, len({cohort.width_us for cohort in state.cohorts})) == (600, 1)
    state = settings.init()
    for hour in np.unique(np.concatenate([events, np.ceil(arrivals[arrivals < 2001])])):
        new, late = events == hour, np.ceil(arrivals) == hour
        state = settings.step(
            state, START + float(hour) * HOUR, predicted=first[new], joined=first[late]
        )
    found = settings.seen(state, START + 2001 * HOUR).curve
    edges = np.concatenate([[0.0], settings.grid.edges() / 3.6e9])
    bins = np.searchsorted(edges, np.minimum(np.ceil(arrivals), 9999) - events)
    last = np.searchsorted(edges, 2001 - events - 1, side="right") - 1
    labelled = bins <= last
    sample = stats.CensoredData(uncensored=bins[labelled], right=last[~labelled])
    oracle, each = stats.ecdf(sample).sf, np.arange(1, len(found.edges) + 1)
    np.testing.assert_allclose(found.waiting, oracle.evaluate(each))
    upper = oracle.confidence_interval(stats.norm.cdf(1) - stats.norm.cdf(-1)).high.evaluate(each)
    inside = (found.waiting < 0.95) & (found.waiting > 0)
    np.testing.assert_allclose((upper - found.waiting)[inside], found.stderr[inside])


LAWS: dict[str, Law] = {
    "exponential": slow,
    "uniform": lambda rng, events: rng.uniform(0.0, 7.0, len(events)),
    "lognormal": lambda rng, events: rng.lognormal(0.0, 1.0, len(events)),
    "two weeks": lambda rng, events: np.full(len(events), 14.0),  # noqa: ARG005
}


@pytest.mark.parametrize("law", LAWS)
def test_shares_are_those_of_a_known_law(law: str) -> None:
    """Estimated and true shares of the labels that are in differ by no more than errors say."""
    windows = [(39, 40), (37, 39), (34, 37), (28, 34), (15, 28)]
    away: list[float] = []
    for seed in range(6):
        made = simulated(LAWS[law], seed=seed)
        found = made.seen()
        assert found.change is None
        assert found.label_rate == pytest.approx(0.7, abs=4 * (found.label_rate_stderr or 0.0))
        for since, until in windows:
            told, true = found.maturity(window(since, until)), made.share(since, until)
            assert told.share is not None
            assert told.stderr is not None
            assert told.share == pytest.approx(true, abs=0.015 + 3 * told.stderr)
            assert told.mature == (told.share >= 0.95)
            away.append((told.share - true) / max(told.stderr, 0.005))
    assert np.sqrt(np.mean(np.square(away))) < 1.3


@pytest.mark.parametrize(
    ("law", "quantiles"),
    [("exponential", (2.08, 6.9)), ("uniform", (3.5, 6.3)), ("two weeks", (14.0, 14.0))],
)
def test_quantiles_are_those_of_a_known_law(law: str, quantiles: tuple[float, float]) -> None:
    """The delays within which 50 % and 90 % of the labels come, to the width of a bin."""
    found = simulated(LAWS[law]).seen()
    for level, days in zip((0.5, 0.9), quantiles, strict=True):
        length = found.quantile(level)
        assert length is not None
        assert length / DAY == pytest.approx(days, rel=0.1, abs=0.25)


def test_the_watermark_follows_the_delays() -> None:
    """Up to the watermark 95 % of the labels are in; it is no fixed offset."""
    ages: dict[str, float] = {}
    for name in ("exponential", "uniform", "two weeks"):
        made = simulated(LAWS[name])
        mark = made.seen().watermark()
        assert mark is not None
        until = (mark - START) / DAY
        ages[name] = 40.0 - until
        assert made.share(until - 1.5, until) > 0.91
        assert made.share(0, until) > 0.95
    assert ages["uniform"] < ages["exponential"] < ages["two weeks"] < 16.0


def test_a_window_without_its_labels_is_not_mature() -> None:
    """Where the labels of one day are held up, that day is behind though its age would do."""

    def held_up(rng: np.random.Generator, events: Floats) -> Floats:
        stuck = (events >= 32.0) & (events < 34.0)
        return np.where(stuck, 20.0, rng.exponential(1.2, len(events)))

    found = simulated(held_up).seen()
    day, other = found.maturity(window(32.7, 33.3)), found.maturity(window(34.8, 35.5))
    assert (day.share, day.mature) == (0.0, False)
    assert day.usual is not None
    assert day.usual > 70
    assert other.mature
    assert other.usual == pytest.approx(other.labelled, rel=0.2)
    mark = found.watermark()
    assert mark is not None
    assert START + 31 * DAY <= mark <= START + 33 * DAY


def test_nothing_is_known_before_labels_can_have_come() -> None:
    """Until the follow-up shows that labels stop coming there is no share, and no watermark."""
    early = simulated(LAWS["two weeks"], days=24.0).seen()
    assert (early.known, early.label_rate, early.quantile(0.5)) == (False, None, None)
    assert (early.label_rate_stderr, early.watermark()) == (None, None)
    told = early.maturity(window(1, 2))
    assert (told.share, told.expected, told.mature) == (None, None, False)
    assert told.labelled > 0
    assert "not known yet" in str(early)
    settings = LabelDelays()
    nothing = settings.seen(settings.init(), START)
    assert (nothing.known, nothing.follow_up, nothing.change) == (False, timedelta(0), None)
    assert nothing.matched.predictions == 0
    assert nothing.maturity(window(0, 1)).share is None


def test_an_empty_window_is_not_mature() -> None:
    """A window without predictions has no share of labels."""
    told = simulated(slow, days=30.0).seen().maturity(window(60, 61))
    assert (told.share, told.rows, told.mature) == (None, 0.0, False)


def test_a_change_of_the_delays_is_seen() -> None:
    """When labels begin to take longer, it is said so, and no new window counts as mature."""

    def later(rng: np.random.Generator, events: Floats) -> Floats:
        return rng.exponential(np.where(events < 28.0, 1.0, 4.0))

    made = simulated(later)
    found = made.seen()
    assert found.change is not None
    assert START + 24 * DAY < found.change.since < START + 36 * DAY
    assert found.change.newest < found.change.before - 0.05
    assert found.change.p_value < 0.001
    assert not found.maturity(window(31, 32)).mature
    assert "Only the newest predictions tell it: within" in str(found)


def test_labels_that_come_in_batches_are_no_change() -> None:
    """Where all labels of a week come on its last day, delays differ from day to day for ever."""

    def weekly(rng: np.random.Generator, events: Floats) -> Floats:  # noqa: ARG001
        return np.ceil((events + 0.5) / 7.0) * 7.0 - events

    for days in (50.0, 60.0, 70.0):
        made = simulated(weekly, rows=int(days * 100), days=days)
        assert made.seen().change is None
        mark = made.seen().watermark()
        assert mark is not None
        assert 6.0 < days - (mark - START) / DAY < 9.0


def test_nothing_changes_where_nothing_changed() -> None:
    """Of 20 loops whose delays stay as they are, at most one is said to have changed."""
    alarms = [simulated(slow, rows=2000, seed=s).seen().change is not None for s in range(20)]
    assert sum(alarms) <= 1


def test_imported_rows_say_nothing_of_delays() -> None:
    """A year of old predictions that came with their labels leaves the delays as they were."""
    made = simulated(slow)
    old = moments(np.linspace(-300.0, 30.0, 4000))
    at = START + made.days * DAY
    came = np.full(4000, np.datetime64(at.replace(tzinfo=None), "us"))
    state = made.settings.step(made.state, at, predicted=old, joined=old, joined_since=came)
    before, after = made.seen(), made.settings.seen(state, at)
    np.testing.assert_array_equal(after.curve.waiting, before.curve.waiting)
    assert after.matched.joined == before.matched.joined + 4000


def test_window_of_labelled_rows_has_at_least_these() -> None:
    """Where old cohorts are wider than a window, its labelled rows tell how dense it is."""
    settings, state = LabelDelays(), LabelDelays().init()
    days = np.repeat([0.0, 20.0], [300, 10])  # all within a cohort, once they are old
    at = START + 365 * DAY
    state = settings.step(state, at, predicted=moments(days), joined=moments(days))
    arrived, short = settings.seen(state, at), window(0.0, 0.5)
    known = replace(short, rows=RowRange(start=0, stop=300))
    thin, dense = arrived.maturity(short), arrived.maturity(known)
    assert thin.labelled < 10
    assert (dense.labelled, dense.rows) == (pytest.approx(300), pytest.approx(300))
    assert dense.share == thin.share


def test_what_lacks_its_other_half_is_counted() -> None:
    """Predictions and labels, parked labels, and those that wait longer than labels ever take."""
    made = simulated(lambda rng, events: rng.uniform(0.0, 2.0, len(events)), rows=4000)
    at, waits = START + made.days * DAY, np.isinf(made.arrivals)
    state = made.settings.step(made.state, START + 10 * DAY, parked=7)
    state = made.settings.step(state, at, parked=3, released=moments(np.array([10.0, 10.0])))
    found = made.settings.seen(state, at).matched
    assert found.predictions == 4000
    assert found.joined == (made.arrivals <= 40.0).sum()
    assert (found.parked, found.stranded) == (8, 5)
    assert found.overdue == pytest.approx((made.events[waits] < 38.0).sum(), rel=0.02)


def test_a_later_look_needs_no_arrival() -> None:
    """Time alone makes windows mature, as long as all that arrived was taken in."""
    made = simulated(lambda rng, events: rng.uniform(0.0, 4.0, len(events)))
    first, later = made.seen(), made.settings.seen(made.state, START + 60 * DAY)
    assert not first.maturity(window(38, 40)).mature
    assert later.maturity(window(20, 30)).mature
    assert later.now_us > first.now_us


def test_the_state_does_not_grow_with_history() -> None:
    """Ten times the rows and the years make it larger by some cohorts, and it is small JSON."""
    rng, settings = np.random.default_rng(0), LabelDelays()
    sizes: dict[int, tuple[int, int]] = {}
    state = settings.init()
    for day in range(1, 1201):
        events = rng.uniform(day - 1.0, float(day), 50)
        state = settings.step(
            state, START + day * DAY, predicted=moments(events), joined=moments(events - 3.0)
        )
        if day in (120, 1200):
            sizes[day] = (len(state.cohorts), len(wire.dumps(state)))
    assert sizes[1200][0] < sizes[120][0] + 40
    assert sizes[1200][1] < 2 * sizes[120][1] < 60_000
    assert wire.loads(DelayState, wire.dumps(state)) == state


def test_event_times_ahead_of_their_arrival_count_as_that() -> None:
    """A clock that is fast makes no delay below nothing."""
    settings = LabelDelays()
    early = np.array(["2026-06-01"], dtype="datetime64[us]")
    state = settings.step(settings.init(), START, predicted=early, joined=early)
    (cohort,) = state.cohorts
    assert from_micros(cohort.start_us) == START
    assert (cohort.joined.bins, cohort.joined.counts) == ((0,), (1,))


@pytest.mark.parametrize(
    "settings",
    [
        {"finest": "0s"},
        {"finest": "often"},
        {"per_octave": 0},
        {"cohorts": 1},
        {"memory": 0},
        {"least": 0},
        {"tail": 1.0},
        {"mature": 1.5},
    ],
    ids=repr,
)
def test_settings_out_of_range(settings: dict[str, Any]) -> None:
    """A setting outside its range is refused by name."""
    with pytest.raises(SettingInvalid, match=next(iter(settings))):
        LabelDelays(**settings)


def test_times_that_are_missing() -> None:
    """A missing event time is refused, as are lists that do not belong together."""
    settings, gone = LabelDelays(), np.array(["2026-01-01", "NaT"], dtype="datetime64[us]")
    with pytest.raises(ValueForbidden, match="in row 1"):
        settings.step(settings.init(), START, predicted=gone)
    with pytest.raises(LengthMismatch, match="joined has 1 rows but joined_since has 0"):
        settings.step(settings.init(), START, joined=gone[:1], joined_since=gone[:0])
    with pytest.raises(SettingInvalid, match="level"):
        settings.seen(settings.init(), START).quantile(1.0)
