"""Drift of columns: what has changed is named, and what has not raises no alarm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.drift import EFFECTS, ColumnTest, inflation_of
from ratoon.drift.control import (
    benjamini_hochberg,
    benjamini_yekutieli,
    e_benjamini_hochberg,
    holm,
)
from ratoon.windows.summaries import ColumnSummary, Reference, Summary, reference_of

WINDOW = Window(start=EPOCH, end=EPOCH)


def drifted(
    reference: Reference, now: dict[str, object], **settings: object
) -> set[tuple[str, str]]:
    """Return the columns and respects that have changed."""
    found = ColumnTest(**settings).compare(reference, reference.summarise(now), WINDOW)  # type: ignore[arg-type]
    return {(change.column, change.aspect) for change in found if change.drifted}


@pytest.mark.parametrize("distance", EFFECTS)
def test_stationary_stream(distance: str) -> None:
    """Windows of 50 columns without drift have no more alarms than one in a thousand, as stated.

    Windows are drawn on the bins themselves. The bound is what so many windows at the stated rate
    exceed once in ten thousand times. `benchmarks.monitoring` has the longer streams.
    """
    rng = np.random.default_rng(5)
    shares = [rng.dirichlet(np.ones(int(bins))) for bins in rng.integers(2, 30, 50)]

    def table(rows: int) -> dict[str, ColumnSummary]:
        counts = {f"x{i}": rng.multinomial(rows, p) for i, p in enumerate(shares)}
        return {name: ColumnSummary(counts=np.append(c, 0)) for name, c in counts.items()}

    grids = {
        f"x{i}": reference_of({"x": np.arange(float(len(p)))}).grids["x"]
        for i, p in enumerate(shares)
    }
    reference = Reference(grids=grids, summary=Summary(columns=table(20_000)))
    test = ColumnTest(distance=distance, effect=1e-9)  # whatever the effect: chance alone decides
    alarms = sum(
        any(
            change.drifted
            for change in test.compare(reference, Summary(columns=table(500)), WINDOW)
        )
        for _ in range(150)
    )
    assert alarms <= scipy.stats.poisson(0.15).ppf(1 - 1e-4)


@pytest.mark.parametrize("distance", EFFECTS)
def test_shift_is_found(distance: str) -> None:
    """A shift by a standard deviation, and other categories, are found by every distance."""
    rng = np.random.default_rng(6)
    old = rng.choice(list("abcd"), 5000, p=[0.4, 0.3, 0.2, 0.1]).astype(object)
    new = rng.choice(list("abcd"), 2000, p=[0.1, 0.2, 0.3, 0.4]).astype(object)
    reference = reference_of({"x": rng.normal(size=5000), "y": rng.normal(size=5000), "c": old})
    now = {"x": rng.normal(size=2000) + 1, "y": rng.normal(size=2000), "c": new}
    found = drifted(reference, now, distance=distance)
    assert found == {("x", "distribution"), ("c", "distribution")}


@pytest.mark.parametrize("distance", EFFECTS)
def test_one_extreme_value_blinds_nothing(distance: str) -> None:
    """A single 10,000 among 20,000 rows hides no shift of half a standard deviation."""
    rng = np.random.default_rng(7)
    reference = reference_of({"x": rng.normal(size=20_000)})
    now = rng.normal(size=20_000) + 0.5
    before = ColumnTest(distance=distance).compare(
        reference, reference.summarise({"x": now}), WINDOW
    )
    now[0] = 1e4
    after = ColumnTest(distance=distance).compare(
        reference, reference.summarise({"x": now}), WINDOW
    )
    values = [
        next(c.measurement.value for c in found if c.aspect == "distribution")
        for found in (before, after)
    ]
    assert values[1] == pytest.approx(values[0], rel=0.001)
    assert ("x", "distribution") in drifted(reference, {"x": now}, distance=distance, bins=5)


def test_missing_values_count() -> None:
    """A missing rate that goes from 15 to 30 % is a drift, of the missing rate alone."""
    rng = np.random.default_rng(8)

    def gappy(share: float) -> np.ndarray:
        return np.where(rng.random(20_000) < share, np.nan, rng.normal(size=20_000))

    reference = reference_of({"x": gappy(0.15)})
    assert drifted(reference, {"x": gappy(0.15)}) == set()
    assert drifted(reference, {"x": gappy(0.30)}) == {("x", "missing")}


def test_new_categories_and_range() -> None:
    """Values that the reference does not have are named as such; a long tail's are not."""
    rng = np.random.default_rng(9)
    reference = reference_of(
        {
            "c": rng.choice(list("ab"), 5000).astype(object),
            "x": rng.random(5000),
            "tail": np.array([f"t{i}" for i in rng.zipf(2, 5000)], dtype=object),
        }
    )
    now = {
        "c": np.where(rng.random(2000) < 0.05, "z", rng.choice(list("ab"), 2000)).astype(object),
        "x": np.where(rng.random(2000) < 0.03, 2.0, rng.random(2000)),
        "tail": np.array([f"t{i}" for i in rng.zipf(2, 2000)], dtype=object),
    }
    assert drifted(reference, now) == {("c", "new categories"), ("x", "range")}
    assert reference.summarise(now).columns["c"].others[0][0] == "z"


@pytest.mark.parametrize("tail", ["uniform", "half in a tail", "zipf"])
def test_rare_categories_do_not_cry_wolf(tail: str) -> None:
    """Categories of which the reference has one row, or none, are no drift, however many."""
    rng, alarms, effects = np.random.default_rng(15), 0, []

    def draw(rows: int) -> np.ndarray:
        kinds = rng.integers(0, 3000, rows) if tail != "zipf" else rng.zipf(1.5, rows)
        if tail == "half in a tail":
            kinds = np.where(rng.random(rows) < 0.5, -1, kinds)
        return np.array([f"c{kind}" for kind in kinds], dtype=object)

    for _ in range(60):
        reference = reference_of({"c": draw(2000)})
        found = ColumnTest(false_alarms=0.01).compare(
            reference, reference.summarise({"c": draw(1000)}), WINDOW
        )
        alarms += any(change.adjusted <= 0.01 for change in found)
        effects += [change.effect for change in found if change.aspect == "distribution"]
    assert alarms <= scipy.stats.binom(60, 0.01).ppf(1 - 1e-4)
    assert np.median(effects) < 0.05


def test_large_samples_do_not_cry_wolf() -> None:
    """With 300,000 rows a shift of a fiftieth of a standard deviation is certain, and no drift."""
    rng = np.random.default_rng(10)
    reference = reference_of({"x": rng.normal(size=300_000)})
    now = reference.summarise({"x": rng.normal(size=300_000) + 0.02})
    change = next(
        c for c in ColumnTest().compare(reference, now, WINDOW) if c.aspect == "distribution"
    )
    assert change.adjusted < 1e-4
    assert not change.drifted
    assert change.strength < 0.3


def test_small_samples_do_not_cry_wolf() -> None:
    """With 50 rows distances are large by chance alone; what is more than chance is not."""
    rng = np.random.default_rng(11)
    reference = reference_of({"x": rng.normal(size=5000)})
    effects, values = [], []
    for _ in range(100):
        now = reference.summarise({"x": rng.normal(size=50)})
        found = ColumnTest().compare(reference, now, WINDOW)
        change = next(c for c in found if c.aspect == "distribution")
        assert not change.drifted
        effects.append(change.effect)
        values.append(change.measurement.value)
    assert np.mean(values) > 0.1
    assert np.mean(effects) < np.mean(values) / 2


def test_windows_that_differ_anyway() -> None:
    """Where rows follow each other alike, the reference's own windows say how much they differ."""
    rng = np.random.default_rng(12)

    def clumped(rows: int) -> np.ndarray:
        return np.repeat(rng.normal(size=rows // 10), 10)

    parts = [clumped(500) for _ in range(20)]
    reference = reference_of({"x": np.concatenate(parts)})
    inflation = inflation_of(reference, [reference.summarise({"x": part}) for part in parts])
    assert 7 < inflation["x"] < 13
    naive = ColumnTest(effect=1e-9, false_alarms=0.01)
    inflated = replace(naive, inflation=inflation)
    alarms = [0, 0]
    for _ in range(200):
        now = reference.summarise({"x": clumped(500)})
        for i, test in enumerate((naive, inflated)):
            alarms[i] += test.compare(reference, now, WINDOW)[0].drifted
    assert alarms[0] > 100
    assert alarms[1] <= scipy.stats.binom(200, 0.01).ppf(1 - 1e-4)


def test_adjusted_p_values() -> None:
    """Adjusted p-values are scipy's, Holm's are those of the step-down rule."""
    p = np.random.default_rng(13).random(40) ** 3
    assert benjamini_hochberg(p) == pytest.approx(scipy.stats.false_discovery_control(p))
    by = scipy.stats.false_discovery_control(p, method="by")
    assert benjamini_yekutieli(p) == pytest.approx(by)
    ordered = np.sort(p)
    steps = [max(min(1, (40 - j) * ordered[j]) for j in range(i + 1)) for i in range(40)]
    assert np.sort(holm(p)) == pytest.approx(steps)
    equal = np.full(1000, 0.05)
    assert (benjamini_hochberg(equal - 1e-5) <= 0.05).all()
    assert not (benjamini_hochberg(equal + 1e-9) <= 0.05).any()


def test_e_values() -> None:
    """The e-value procedure is Benjamini-Hochberg on 1 / e."""
    e = 1 / np.random.default_rng(14).random(50) ** 2
    assert e_benjamini_hochberg(e, 0.1).tolist() == (benjamini_hochberg(1 / e) <= 0.1).tolist()


def test_settings_are_checked() -> None:
    """What makes no sense is refused."""
    for wrong in ({"distance": "nope"}, {"effect": 0}, {"false_alarms": 1}, {"bins": 1}):
        with pytest.raises(SettingInvalid):
            ColumnTest(**wrong)


def test_empty_window_and_empty_column() -> None:
    """Without rows, or without values on a side, what cannot be judged is left out."""
    reference = reference_of({"x": np.arange(10.0), "gone": np.full(10, np.nan)})
    assert drifted(reference, {"x": np.array([]), "gone": np.array([])}) == set()
    found = drifted(reference, {"x": np.full(1000, np.nan), "gone": np.full(1000, np.nan)})
    assert found == {("x", "missing")}
