"""What a search may try."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

import ratoon as rt
from ratoon.core.errors import SettingInvalid
from ratoon.engine.tuning import Family, Number, OneOf, Whole, usual_space
from ratoon.engine.tuning.benching import Bench
from ratoon.engine.tuning.identity import study_name
from ratoon.engine.tuning.lines import python, settings_line
from ratoon.engine.tuning.space import checked_space
from ratoon.engine.tuning.usual import scale_of, untuned
from tests.unit.tuning_world import history, loop, space


class Lowest:
    """Draws the lower end, or the first value."""

    def suggest_float(self, _: str, low: float, high: float, *, log: bool = False) -> float:
        assert low <= high
        assert not log or low > 0
        return low

    def suggest_int(self, _: str, low: int, high: int, *, log: bool = False) -> int:
        assert low <= high
        assert not log or low > 0
        return low

    def suggest_categorical(self, _: str, choices: Any) -> Any:
        return choices[0]


def test_number_is_rounded_within_its_ends() -> None:
    """A number that is drawn has three digits and never leaves its range."""
    assert Number(0.1234567, 2).rounded(0.1234567) == 0.1234567  # 0.123 would lie below
    assert Number(0.1, 2).rounded(1.23456) == 1.23
    assert Number(0.1, 1.999).rounded(1.9989) == 1.999


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Number(2, 1), "at most high"),
        (lambda: Number(0, 1, log=True), "above 0"),
        (lambda: Number(0, float("inf")), "finite"),
        (lambda: Whole(3, 2), "at most high, which is 2"),
        (lambda: Whole(0, 2, log=True), "at least 1"),
        (lambda: Whole(0.5, 2), "whole number"),  # type: ignore[arg-type]
        (lambda: OneOf(()), "one or more"),
        (lambda: OneOf(([1],)), "texts, numbers"),  # type: ignore[arg-type]
        (lambda: Family("", rt.triggers.Never), "not empty"),
        (lambda: Family("x", 3), "function"),  # type: ignore[arg-type]
        (lambda: Family("x", rt.triggers.NewLabels, settings={"rows": 3}), "Number, Whole"),  # type: ignore[dict-item]
        (
            lambda: Family("x", rt.triggers.NewLabels, settings={"rows": Whole(1, 9)}, start={}),
            "given for each",
        ),
        (
            lambda: Family(
                "x", rt.triggers.NewLabels, settings={"rows": Whole(1, 9)}, start={"rows": 10}
            ),
            "within",
        ),
        (lambda: checked_space([]), "one Family or more"),
        (lambda: checked_space([Family("x", rt.triggers.Never)] * 2), "names of their own"),
        (lambda: Family("x", lambda: 3).made({}), "returns a trigger"),  # type: ignore[arg-type,return-value]
    ],
)
def test_wrong_settings(make: Any, says: str) -> None:
    """A range or a family that cannot be searched is refused where it is made."""
    with pytest.raises(SettingInvalid, match=says):
        make()


def test_family_of_several_settings() -> None:
    """A family may set more of a loop than when it retrains."""
    family = Family(
        "both",
        lambda days: {
            "retrain_when": rt.triggers.Every(days=days),
            "accept_if": rt.gates.Untested(),
        },
        settings={"days": Number(1, 30)},
    )
    line = settings_line(family.made({"days": 7}))
    assert line == "retrain_when=rt.triggers.Every(days=7), accept_if=rt.gates.Untested()"


@pytest.mark.parametrize("cost", [0.0, 0.5, 5000.0])
@pytest.mark.parametrize("rows", [60, 1600])
def test_usual_space(cost: float, rows: int) -> None:
    """Every start and every lower end of the usual space makes a policy, on any history."""
    found = usual_space(loop(), history(rows), retrain_cost=cost)
    names = [one.name for one in found]
    assert ("worth" in names) == (cost > 0)
    assert "drift adwin" in names
    for family in found:
        for values in (family.start, family.drawn(Lowest())):
            if values is not None:
                made = family.made(values)["retrain_when"]
                assert eval(python(made), {"rt": rt}) == made
    assert checked_space(found) == found


def test_usual_space_of_numbers() -> None:
    """ADWIN, which asks for values between 0 and 1, is not tried where labels are numbers."""
    rng = np.random.default_rng(0)
    told = rt.History.of_table({"x": rng.normal(size=90), "y": rng.normal(size=90)}, target="y")
    names = [one.name for one in usual_space(loop(), told, retrain_cost=1)]
    assert "drift adwin" not in names
    assert "drift cusum" in names


def test_untuned_policies() -> None:
    """The first, which the winner is judged by, is worth-it, or without a price the drift."""
    told = history()

    def names(one: rt.Loop, cost: float) -> list[str]:
        return [family.name for family in untuned(one, scale_of(one, told, cost))]

    own = loop(retrain_when=rt.triggers.NewLabels(100))
    assert names(own, 5) == ["worth", "drift or degraded", "never", "loop", "every"]
    assert names(loop(), 5) == ["worth", "loop", "never", "every"]  # it is drift or degraded
    assert names(own, 0) == ["drift or degraded", "never", "loop", "every"]
    assert names(loop(), 0) == ["loop", "never", "every"]
    with pytest.raises(SettingInvalid, match="retrain_cost"):
        scale_of(loop(), told, -1)


TRIGGERS = [
    rt.triggers.Never(),
    rt.triggers.WorthIt(retrain_cost=12.5),
    rt.triggers.Every("36h"),
    rt.triggers.Every(days=12.3),
    rt.triggers.Every("7s"),
    rt.triggers.Cron("0 3 * * MON", "Europe/Lisbon"),
    rt.triggers.NewLabels(share=0.5),
    rt.triggers.On("pricing.*") | rt.triggers.Degraded("log_loss", by=0.1, windows=3),
    rt.triggers.Drift(detector=rt.detectors.Cusum(threshold=5.0)) & rt.triggers.Every(days=1),
    rt.triggers.AtLeast(2, rt.triggers.Drift(), rt.triggers.Never(), within="36h"),
    rt.triggers.AtLeast(1, rt.triggers.Drift(), within="2d"),
    rt.triggers.DataDrift(("a", "b"), effect=0.3) | rt.triggers.DataDrift(("a",), of="outputs"),
    rt.triggers.Feedback(rate=0.02),
]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
def test_line_makes_the_trigger_again(trigger: Any) -> None:
    """The line of Python that is printed makes an equal trigger, where `rt` is ratoon."""
    assert eval(python(trigger), {"rt": rt}) == trigger


def test_line_of_what_is_not_public() -> None:
    """A trigger of a person's own is written as its `repr`."""

    class Own:
        def __repr__(self) -> str:
            return "Own(3)"

    assert python(Own()) == "Own(3)"


def test_name_of_a_study() -> None:
    """It is another one where a cost may be another one, and the same in every other process."""

    def named(
        one: rt.Loop, told: rt.History, cost: float = 5.0, takes: float = 0.0, seed: int = 0
    ) -> str:
        bench = Bench(
            loop=one, history=told, retrain_cost=cost, training_takes=timedelta(days=takes)
        )
        return study_name(one, bench, space(), seed)

    told, first = history(200), named(loop(), history(200))
    assert first == named(loop(home="elsewhere", autonomy="observe"), told)
    twin = [*space()[:1], replace(space()[1], settings={"rows": Whole(50, 400)})]
    bench = Bench(loop=loop(), history=told, retrain_cost=5, training_takes=timedelta(0))
    others = {
        named(loop(), history(200, seed=1)),
        named(loop(), history(220)),
        named(loop(), told, cost=6),
        named(loop(), told, takes=1),
        named(loop(), told, seed=1),
        named(loop(window=60), told),
        named(loop(accept_if=rt.gates.Better()), told),
        named(loop(retrain_when=rt.triggers.Never()), told),
        named(loop(trainer=lambda data: data), told),
        study_name(loop(), bench, twin, 0),
    }
    assert len(others) == 10
    assert first not in others
