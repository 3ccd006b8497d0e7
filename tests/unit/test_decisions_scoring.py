"""The benchmark of decisions judges policies as its definitions say, and chooses on others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from benchmarks.decisions_cells import Job, Played, Scene
from benchmarks.decisions_hindsight import Hindsight, hindsight, plain, unit_of
from benchmarks.decisions_inputs import Inputs
from benchmarks.decisions_policies import OURS, families
from benchmarks.decisions_running import (
    Bed,
    Task,
    challenged,
    loss_and_fits,
    scanned,
    shadowed,
    triggered,
)
from benchmarks.decisions_scoring import (
    base,
    chosen,
    in_hindsight,
    judged,
    mean,
    policy,
    row,
    unlearnable,
    with_setting,
)
from benchmarks.decisions_streams import Stream
from ratoon import detectors, triggers
from ratoon.matrix import Chunks, Matrix, best_fixed, oracle, periodic, price, simulate

Array = NDArray[Any]
COUNT, A_CHUNK, FIRST = 30, 20, 60
CHANGES = (11, 15)  # chunks with which another concept begins
DETECTORS = MappingProxyType(
    {
        "adwin": detectors.Adwin(delta=0.3, clock=1),
        "ddm": detectors.DDM(drift_threshold=2.0, warning_threshold=1.0, least_errors=3.0),
        "eddm": detectors.EDDM(beta=0.9, alpha=0.95, least_errors=5),
        "hddm_a": detectors.HDDMA(drift_confidence=0.05, warning_confidence=0.5),
        "hddm_w": detectors.HDDMW(drift_confidence=0.01, warning_confidence=0.5),
        "page_hinkley": detectors.PageHinkley(delta=0.02, threshold=2.0),
        "kswin": detectors.KSWIN(alpha=0.01, window_size=40, stat_size=15),
        "stepd": detectors.STEPD(window_size=20, alpha_drift=0.01, alpha_warning=0.5),
        "e_detector": detectors.EDetector(mean=0.3, alpha=0.01),
    }
)


def a_bed(seed: int = 0) -> Bed:
    """Return a stream whose models age, and whose concept changes twice, at uneven distances."""
    rng = np.random.default_rng(seed)
    chunks = Chunks(rows=FIRST + COUNT * A_CHUNK, first=FIRST, count=COUNT)
    losses = np.full((COUNT, 3, COUNT * A_CHUNK), np.nan, dtype=np.float32)
    for born in range(COUNT):
        rows = np.arange(born * A_CHUNK, COUNT * A_CHUNK)
        now = rows // A_CHUNK
        age = (now - born) / COUNT
        other = np.searchsorted(CHANGES, now, "right") != np.searchsorted(
            CHANGES, born - 1, "right"
        )
        for place in range(3):
            rate = 0.1 + 0.05 * (place + 1) * age + 0.6 * other
            losses[born, place, rows] = rng.random(len(rows)) < rate
    seconds = np.full((COUNT, 3), 0.5)
    matrix = Matrix(
        chunks=chunks, windows=(5, 15, None), losses=losses, fit_s=seconds, score_s=seconds / 10
    )
    x = rng.normal(size=(chunks.rows, 3)).astype(np.float32)
    x[:, 1] = rng.integers(0, 3, chunks.rows)
    stream = Stream(
        name="made",
        task="binary",
        x=x,
        y=rng.integers(0, 2, chunks.rows).astype(float),
        categorical=(1,),
        loss="error",
        unit=1.0,
    )
    return Bed.of(stream, matrix)


def a_scene(name: str, played: Mapping[str, Played], **known: float) -> Scene:
    """Return a scene of one delay and two costs, whose oracle and best schedule cost so much."""
    told = {"oracle": 10.0, "fixed": 14.0, "never": 20.0, **known}
    arrays = {key: np.full((1, 2), told.get(key, 0.0)) for key in Hindsight.__slots__}
    job = Job(
        stream=name,
        place=Path(),
        most=None,
        learner="linear",
        seed=0,
        home=Path(),
        delays=(0,),
        costs=(1.0, 2.0),
    )
    return Scene(
        job=job,
        task="binary",
        loss="error",
        rows=100,
        chunks=10,
        unit=0.5,
        fit_s=1.0,
        plain={"no change": 0.4, "constant": 0.5},
        known=Hindsight(**arrays),
        played=played,
    )


def played(loss: list[float], fits: float = 0.0, extra: float = 0.0) -> Played:
    """Return a policy with a setting for each loss, alike at both costs."""
    shape = (len(loss), 1, 2)
    wide = np.broadcast_to(np.array(loss)[:, None, None], shape)
    return Played(loss=wide, fits=np.full(shape, fits), extra=np.full(shape, extra))


def test_price_and_regret() -> None:
    """J is the loss and, at cost x unit each, fits and other work; the regret goes 0 to 1."""
    one = judged(a_scene("s", {}), played([10.0], fits=2, extra=1))
    # J = 10 + 1 x 0.5 x 3 and 10 + 2 x 0.5 x 3, between 10 and 14
    assert one.regret[0, 0].tolist() == pytest.approx([1.5 / 4, 3 / 4])
    assert np.isnan(one.excess).all()
    assert one.work[0, 0].tolist() == [3, 3]
    assert one.error[0, 0].tolist() == [1, 1]


def test_regret_is_clipped_on_both_sides() -> None:
    """It counts as 5 at most, and as -5 at least."""
    scene_ = a_scene("s", {})
    assert judged(scene_, played([1000.0])).regret.tolist() == [[[5.0, 5.0]]]
    assert judged(scene_, played([-1000.0])).regret.tolist() == [[[-5.0, -5.0]]]


@pytest.mark.parametrize(("fixed", "control"), [(10.19, True), (10.21, False), (9.0, True)])
def test_controls(fixed: float, *, control: bool) -> None:
    """Where less than 2 % of the oracle's price is to be gained, the excess cost is scored."""
    one = judged(a_scene("s", {}, fixed=fixed), played([11.0]))
    assert np.isnan(one.regret).all() == control
    assert np.isnan(one.excess).all() != control
    if control:
        assert one.excess[0, 0].tolist() == pytest.approx([11 / fixed - 1] * 2)


def naive_choice(regrets: list[Array], bases: list[str], of: int, cell: int) -> int:
    """Return the setting that is best on the mean of the other streams."""
    others = sorted(set(bases) - {bases[of]})
    means = [
        np.mean([r[:, 0, cell] for r, b in zip(regrets, bases, strict=True) if b == other], axis=0)
        for other in others
    ]
    return int(np.argmin(np.mean(means, axis=0)))


def test_settings_are_chosen_on_other_streams() -> None:
    """A stream's own regrets do not matter, and two of the same rows count as one."""
    rng = np.random.default_rng(0)
    bases = ["a", "b", "b", "c", "d"]
    regrets = [rng.normal(size=(4, 1, 2)) for _ in bases]
    found = chosen(regrets, bases)
    for i, setting in enumerate(found):
        assert setting.tolist() == [[naive_choice(regrets, bases, i, cell) for cell in (0, 1)]]
    own = [rng.normal(size=(4, 1, 2)), *regrets[1:]]
    assert np.array_equal(chosen(own, bases)[0], found[0])
    assert np.array_equal(found[1], found[2])


def test_settings_where_others_are_controls() -> None:
    """A cell that is a control on all others takes what is best over all their cells."""
    nothing = np.nan
    first = np.zeros((3, 1, 2))
    other = np.array([[[3.0, nothing]], [[1.0, nothing]], [[2.0, nothing]]])
    assert chosen([first, other], ["a", "b"])[0].tolist() == [[1, 1]]
    assert chosen([first, np.full_like(other, nothing)], ["a", "b"])[0].tolist() == [[0, 0]]


def test_setting_of_a_lonely_stream() -> None:
    """Where there is no other stream the first setting is taken."""
    assert chosen([np.array([[[2.0]], [[1.0]]])], ["a"])[0].tolist() == [[0]]


def test_shared_setting() -> None:
    """One setting for all costs is best on their mean."""
    other = np.array([[[0.0, 5.0]], [[2.0, 2.0]]])
    first = np.zeros((2, 1, 2))
    assert chosen([first, other], ["a", "b"])[0].tolist() == [[0, 1]]
    assert chosen([first, other], ["a", "b"], shared=True)[0].tolist() == [[1, 1]]


def test_mean_of_what_is_there() -> None:
    """The mean leaves out what is missing, and is missing where all is."""
    values = np.array([[1.0, np.nan, np.nan], [3.0, 4.0, np.nan]])
    assert mean(values).tolist() == pytest.approx([2.0, 4.0, np.nan], nan_ok=True)


def test_streams_of_the_same_rows() -> None:
    """Another loss or another order of rows is no other stream."""
    assert {base(n) for n in ("a", "a:log_loss", "a_shuffled", "a_shuffled:log_loss")} == {"a"}


def test_row_over_all_cells() -> None:
    """The row of a policy is that of its cells: median, mean, share below 1, p of ours."""
    names = ["a", "b", "c", "d", "e", "f"]
    losses = [10.5, 11.0, 12.0, 13.0, 16.0, 17.0]
    scenes = [
        a_scene(name, {"P": played([loss]), OURS: played([10.0])})
        for name, loss in zip(names, losses, strict=True)
    ]
    scenes.append(a_scene("flat", {"P": played([10.1], fits=2), OURS: played([10.0])}, fixed=10.0))
    found, ours = policy(scenes, "P"), policy(scenes, OURS)
    one = row(scenes, "P", found, ours)
    regrets = (np.array(losses) - 10) / 4
    assert one.median == pytest.approx(np.median(regrets))
    assert one.mean == pytest.approx(regrets.mean())
    assert one.below_1 == pytest.approx(4 / 6)
    assert one.excess == pytest.approx(np.mean([(10.1 + 1) / 10 - 1, (10.1 + 2) / 10 - 1]))
    assert one.retrainings == pytest.approx(2 / 7)
    assert one.p == pytest.approx(stats.wilcoxon(regrets).pvalue)
    assert row(scenes, OURS, ours, ours).p is None


def test_false_retrainings() -> None:
    """They are counted where rows are shuffled, or the oracle gains next to nothing."""
    gains = a_scene("a", {"P": played([10.0], fits=1)})
    shuffled = a_scene("b_shuffled:log_loss", {"P": played([10.0], fits=3)})
    flat = a_scene("c", {"P": played([10.0], fits=5)}, never=10.1)
    assert [unlearnable(one) for one in (gains, shuffled, flat)] == [False, True, True]
    scenes = [gains, shuffled, flat]
    found = policy(scenes, "P")
    assert row(scenes, "P", found, found).false == 4.0


def test_hindsight_is_that_of_the_matrix() -> None:
    """The split oracle and the best schedule are those of `ratoon.matrix`, and their parts add."""
    bed = a_bed()
    unit = unit_of(bed.means)
    places = range(COUNT)
    never, always = bed.means[0, 2].mean(), np.mean([bed.means[t, 2, t] for t in places])
    assert unit == pytest.approx((never + always) / 2)
    known = hindsight(bed, unit, (0, 2), (0.5, 4.0))
    left, right = bed.matrix.halves(seed=0)
    for j, delay in enumerate((0, 2)):
        for k, cost in enumerate((0.5, 4.0)):
            best = best_fixed(bed.means, cost * unit, delay=delay)
            assert known.fixed[j, k] == pytest.approx(best.price)
            prices = [
                price(b, oracle(a, cost * unit, delay=delay), cost * unit)
                for a, b in ((left, right), (right, left))
            ]
            assert known.oracle[j, k] == pytest.approx(np.mean(prices))
    total = known.oracle_loss + np.array([0.5, 4.0]) * unit * known.oracle_fits
    assert total == pytest.approx(known.oracle)
    assert known.never == pytest.approx(never * COUNT)


def test_references_cost_what_they_are_the_measure_of() -> None:
    """The best fixed schedule has a regret of 1, the split oracle of 0."""
    bed = a_bed()
    unit = unit_of(bed.means)
    made = replace(a_scene("s", {}), known=hindsight(bed, unit, (0,), (1.0, 2.0)), unit=unit)
    assert in_hindsight(made, "fixed").regret == pytest.approx(np.ones((1, 2)))
    assert in_hindsight(made, "oracle").regret == pytest.approx(np.zeros((1, 2)))


@pytest.mark.parametrize("delay", [0, 2])
@pytest.mark.parametrize("pieces", [1, 5, A_CHUNK + 1])
@pytest.mark.parametrize("name", DETECTORS)
def test_scanning_decides_as_the_trigger_does(name: str, pieces: int, delay: int) -> None:
    """A detector that reads all losses at once decides as `Drift` does, window by window."""
    task = Task(bed=a_bed(), delay=delay, cost=1.0)
    fast = scanned(task, {"window": 2}, DETECTORS[name], pieces)
    trigger = triggers.Drift(detector=DETECTORS[name])
    live = triggered(task, {"window": 2}, trigger, pieces=pieces)
    assert fast.schedule == live.schedule
    assert fast.scored == live.scored


def test_each_retraining_pays_for_the_models_that_did_not_serve() -> None:
    """Watched for w chunks with labels d late, the larger of the two is scored in excess."""
    task = Task(bed=a_bed(), delay=3, cost=1.0)
    done = triggered(task, {"window": 2}, triggers.NewLabels(10 * A_CHUNK), watch=2)
    times = [one.time for one in done.schedule.deployments]
    assert times == [0, 10, 20]
    assert done.scored == 2 * 3
    assert shadowed(done.schedule, task, 5) == 2 * 5
    live = simulate(triggers.NewLabels(10 * A_CHUNK), task.bed.matrix, delay=0, watch=4)
    undelayed = Task(bed=task.bed, delay=0, cost=1.0)
    assert shadowed(live.schedule, undelayed, 4) == live.scored == 8
    assert done.extra(task.bed) == pytest.approx(0.1 * 6 + done.cpu_s / 0.5)


def test_loss_and_fits() -> None:
    """They are the parts of the price of a schedule."""
    bed = a_bed()
    schedule = periodic(COUNT, 7, 1, delay=2)
    loss, fits = loss_and_fits(bed, schedule)
    assert loss + 0.3 * fits == pytest.approx(price(bed.means, schedule, 0.3))


def test_challenger_knows_what_it_gains() -> None:
    """It deploys when the gain has reached the price, and pays for all that it trained."""
    task = Task(bed=a_bed(), delay=0, cost=40.0)
    free, paid = (challenged(task, {"window": 2, "factor": 1.0}, charged=c) for c in (False, True))
    assert free.schedule == paid.schedule
    assert free.challengers == 0
    assert paid.challengers == COUNT - 1 - (free.schedule.fits + 1)
    assert 1 <= free.schedule.fits < COUNT // 2


def test_forecasts_without_a_model() -> None:
    """The last label, and the commonest class or the median, on the rows behind the first."""
    y = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0] * 60)
    stream = replace(a_bed().stream, x=np.zeros((600, 1)), y=y, categorical=())
    first = stream.chunks.first
    values = plain(stream)
    assert values["no change"] == pytest.approx(np.mean(y[first:] != y[first - 1 : -1]))
    assert values["constant"] == pytest.approx(np.mean(y[first:] != 0))
    number = plain(replace(stream, task="regression", loss="absolute", unit=2.0))
    assert number["no change"] == pytest.approx(values["no change"] / 2)
    assert number["constant"] == pytest.approx(np.abs(y[first:] - 0.5).mean() / 2)
    log_loss = plain(replace(stream, loss="log_loss"))
    assert 0 < log_loss["no change"] < log_loss["constant"] == pytest.approx(-np.log(0.5))


def test_inputs_are_compared_with_the_training_rows() -> None:
    """Of a chunk every column is compared with the rows of the model, codes as categories."""
    bed = a_bed()
    inputs = Inputs(bed.stream, bed.matrix.chunks)
    closed, seconds = inputs.beside(4, 9)
    assert closed.of == "inputs"
    assert {change.column for change in closed.changes} == {"x0", "x1", "x2"}
    assert closed.summary.rows == A_CHUNK
    assert closed.reference.summary.rows == FIRST + 4 * A_CHUNK
    assert seconds > 0
    assert inputs.beside(4, 9)[0] is closed


def test_ours_has_nothing_to_choose() -> None:
    """The default policy has one setting, on all rows; every other says what it tries."""
    ours, *others = families()
    assert ours.name == OURS
    assert ours.settings == [{"window": 2}]
    assert all(family.settings for family in others)
    assert len({family.name for family in families()}) == len(others) + 1


def test_one_setting_for_each_cell() -> None:
    """Of the settings each cell takes its own."""
    one = judged(a_scene("s", {}), played([10.0, 12.0]))
    took = with_setting(one, np.array([[1, 0]]))
    assert took.regret.tolist() == [[0.5, 0.0]]
