"""Searching policies on history, from a call to its report."""

from __future__ import annotations

import builtins
import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyarrow import Table, parquet

import ratoon as rt
from ratoon.core.errors import RatoonError, SettingInvalid, TrainingFailed
from ratoon.engine import VirtualClock
from ratoon.engine.tuning import Family, Number, OneOf, TuningReport, Whole, tune
from ratoon.engine.tuning.parts import parted
from tests.unit.tuning_world import COST, Sign, history, loop, space, table, train

WHOLE = history()


def searched(trials: int = 8, **settings: Any) -> TuningReport:
    given: dict[str, Any] = {"retrain_cost": COST, "space": space(), "trials": trials}
    return tune(loop(), WHOLE, **{**given, **settings})


def told(report: TuningReport) -> list[Any]:
    """Return what was tried, but for the numbers of the trials."""
    return [(t.policy, dict(t.settings), t.figures) for t in report.tried]


@pytest.fixture(scope="module")
def report() -> TuningReport:
    """A search of eight policies."""
    return searched()


def test_costs_are_those_of_replays(report: TuningReport) -> None:
    """Each trial costs what a replay of that policy costs on the first part; the least wins."""
    parts = parted(WHOLE, 0.3)
    families = {one.name: one for one in space()}
    for one in report.tried:
        made = families[one.policy].made(one.settings)
        found = rt.replay(loop(**made), parts.search, retrain_cost=COST).rows[0]
        assert one.figures is not None
        assert one.cost == found.cost == found.total_loss + COST * found.fits
        assert one.figures.fits == found.fits
    costs = [one.cost for one in report.tried] + [one.search.cost for one in report.beside]
    assert report.winner.cost == min(costs)


def test_winner_is_judged_on_the_rest(report: TuningReport) -> None:
    """The winner's figures there are those of a replay that begins with a model of that time."""
    parts = parted(WHOLE, 0.3)
    trigger = eval(report.line.removeprefix("retrain_when="), {"rt": rt})
    found = rt.replay(loop(retrain_when=trigger), parts.held_out, retrain_cost=COST).rows[0]
    assert report.held_out.cost == found.cost
    assert [one.name for one in report.beside] == [
        "worth",
        "loop",
        "never",
        "every",
    ]
    never = rt.replay(
        loop(retrain_when=rt.triggers.Never()), parts.held_out, retrain_cost=COST
    ).rows[0]
    beside = next(one for one in report.beside if one.name == "never")
    assert beside.held_out.cost == never.cost
    assert beside.difference == found.cost - never.cost
    assert beside.low is not None
    assert beside.high is not None
    assert beside.low <= beside.difference <= beside.high


def test_optimism(report: TuningReport) -> None:
    """It is what the winner saved against the default where it was searched, less what it kept."""
    first, won = report.default, report.winner.figures
    assert won is not None
    saved = 1000 * (first.search.cost - won.cost) / won.rows
    kept = -1000 * first.difference / report.held_out.rows
    assert report.optimism == pytest.approx(saved - kept)


def test_untuned_settings_are_tried_first(report: TuningReport) -> None:
    """The start of each family that has one comes before all draws."""
    assert dict(report.tried[0].settings) == {"by": 0.1, "windows": 2}
    assert len(report.tried) == 8


def test_the_same_again(report: TuningReport) -> None:
    """Of one seed all trials are the same, with fits reused or not; of another they differ."""
    assert told(searched(reuse_fits=False)) == told(report)
    assert told(searched(seed=1)) != told(report)
    assert told(searched(14, sampler="random"))[:8] == told(report)  # chance begins TPE too


def test_the_held_out_part_is_never_looked_at(report: TuningReport) -> None:
    """With another ending of the history the search is the same, trial by trial."""
    first = len(parted(WHOLE, 0.3).search.arrivals)
    flipped = [
        dataclasses.replace(one, values=tuple(1 - value for value in one.values))  # type: ignore[operator]
        if one.kind == "label"
        else one
        for one in WHOLE.arrivals[first:]
    ]
    other = dataclasses.replace(WHOLE, arrivals=(*WHOLE.arrivals[:first], *flipped))
    found = tune(loop(), other, retrain_cost=COST, space=space(), trials=8)
    assert told(found) == told(report)
    assert found.held_out != report.held_out


def test_a_search_goes_on(report: TuningReport, tmp_path: Path) -> None:
    """In a folder, three trials and then eight are the same as eight; no trial is done twice."""
    searched(3, folder=tmp_path)
    replays: list[str] = []
    again = searched(8, folder=tmp_path, progress=lambda what, _, __: replays.append(what))
    assert told(again) == told(report)
    assert replays[0] == "policy 4 of 8"
    replays.clear()
    assert told(searched(8, folder=tmp_path, progress=lambda w, _, __: replays.append(w))) == (
        told(report)
    )
    assert set(replays) == {"held-out part"}
    assert len(told(searched(2, folder=tmp_path))) == 8  # what is known stays known
    assert len(told(searched(2, folder=tmp_path, fresh=True))) == 2


def test_another_search_in_the_same_folder(tmp_path: Path) -> None:
    """What costs depend on makes another search: nothing of the first is taken for it."""
    searched(2, folder=tmp_path)
    found = searched(2, folder=tmp_path, retrain_cost=2 * COST)
    assert told(found) == told(searched(2, retrain_cost=2 * COST))


def test_two_searches_in_one_folder(tmp_path: Path) -> None:
    """While one search is at work in a folder another one is told so."""
    found: list[RatoonError] = []

    def meddle(_: str, done: int, __: int) -> None:
        if done == 1:
            with pytest.raises(RatoonError, match="another search") as error:
                searched(2, folder=tmp_path)
            found.append(error.value)

    searched(2, folder=tmp_path, progress=meddle)
    assert "another folder" in found[0].hint


def test_processes(report: TuningReport, tmp_path: Path) -> None:
    """Policies that are tried in two processes cost the same; as many are tried."""
    found = searched(4, processes=2, folder=tmp_path)
    assert len(found.tried) == 4
    costs = {one.line: one.cost for one in report.tried}
    assert found.tried[0].cost == costs[found.tried[0].line]
    assert told(found) == told(searched(4, processes=2))
    assert [one.search for one in found.beside] == [one.search for one in report.beside]


def test_errors_in_processes() -> None:
    """What ends a search ends it there too, with the same error."""
    with pytest.raises(TrainingFailed):
        tune(loop(trainer=lambda _: None), WHOLE, retrain_cost=1, trials=1, processes=2)


def test_time_budget() -> None:
    """No trial begins after the time is up, by the clock of the loop; what was tried is judged."""
    clock = VirtualClock(WHOLE.at)
    timed = loop(clock=clock)

    def progress(_: str, done: int, of: int) -> None:
        clock.set(WHOLE.at + timedelta(minutes=60 * done / of))

    given: dict[str, Any] = {"retrain_cost": COST, "space": space(), "trials": 10}
    found = tune(timed, WHOLE, **given, time_budget="30m", progress=progress)
    assert 0 < len(found.tried) < 10
    assert found.stopped is not None
    assert "time was up" in str(found)
    ended = tune(timed, WHOLE, **given, time_budget="0s")
    assert not ended.tried
    assert ended.winner.number < 0


def test_progress_ends_at_the_end() -> None:
    """It never goes back, and what is done at the end is all that there was."""
    seen: list[tuple[int, int]] = []
    searched(3, progress=lambda _, done, of: seen.append((done, of)))
    done = [one for one, _ in seen]
    assert done == sorted(done)
    assert seen[-1][0] == seen[-1][1] == seen[0][1]


def test_no_tuned_policy_is_better() -> None:
    """Where an untuned policy costs least, that is the winner, and it is said."""
    never = Family("labels", rt.triggers.NewLabels, settings={"rows": Whole(60, 70)})
    found = tune(loop(), WHOLE, retrain_cost=1e6, space=[never], trials=2)
    assert found.winner.policy in ("worth", "never", "drift or degraded", "loop")
    assert found.winner.cost <= found.default.search.cost
    assert found.winner_is_better is False
    assert (
        found.take
        == found.default.line
        == "retrain_when=rt.triggers.WorthIt(retrain_cost=1000000.0)"
    )


def test_what_is_said(report: TuningReport) -> None:
    """It names winner and default, says whether the winner is better, and the line to take."""
    text = " ".join(str(report).split())
    assert report.winner.line in text
    assert ("not shown to be better" in text) != report.winner_is_better
    assert text.endswith(report.take)
    record = report.record()
    assert record["take"] == report.take
    assert record["winner_is_better"] == report.winner_is_better
    assert isinstance(record["tried"], list)
    assert len(record["tried"]) == 8


def test_policies_that_cannot_be_made() -> None:
    """A policy whose settings are refused counts as tried, and says why; the others go on."""

    def picky(windows: int) -> Any:
        return rt.triggers.Degraded(by=0.1 if windows < 3 else -1.0, windows=windows)

    family = Family("picky", picky, settings={"windows": OneOf((1, 2, 3, 4))})
    found = tune(loop(), WHOLE, retrain_cost=COST, space=[family], trials=8, sampler="random")
    errors = [one.error for one in found.tried if one.error is not None]
    assert errors
    assert all("by must be" in error for error in errors)
    assert len(found.tried) == 8


def test_settings_beside_the_trigger() -> None:
    """A family may set other things of a loop; a wrong one is told and does not end the search."""

    def limited(cooldown: str) -> dict[str, Any]:
        if cooldown == "wrong":
            return {"no_such_setting": 1}
        return {
            "retrain_when": rt.triggers.Degraded(by=0.1),
            "limits": rt.Limits(cooldown=cooldown),
        }

    family = Family("limited", limited, settings={"cooldown": OneOf(("1d", "60d", "wrong"))})
    found = tune(loop(), WHOLE, retrain_cost=COST, space=[family], trials=6, sampler="random")
    kinds = {str(one.settings["cooldown"]): one.error for one in found.tried}
    assert kinds["1d"] is None
    assert "no_such_setting" in str(kinds.get("wrong", "no_such_setting"))


def test_what_it_runs_on(tmp_path: Path) -> None:
    """A labelled table, a file, and a loop that has lived give a history, as for a replay."""
    parquet.write_table(Table.from_pydict(table(800)), tmp_path / "log.parquet")
    given: dict[str, Any] = {"retrain_cost": COST, "space": space(), "trials": 1}
    read: dict[str, Any] = {"target": "y", "label_delay": "20d", "batches": 24, "first": 0.2}
    first = tune(loop(), table(800), **given, **read)
    assert told(tune(loop(), tmp_path / "log.parquet", **given, **read)) == told(first)
    assert told(tune(loop(), history(800), **given)) == told(first)
    with pytest.raises(SettingInvalid, match="left out"):
        tune(loop(), history(800), **given, **read)
    with pytest.raises(SettingInvalid, match="target"):
        tune(loop(), table(800), **given)


def test_wrong_settings() -> None:
    """A setting that cannot be is refused before anything is tried."""
    for name, value in {
        "trials": 0,
        "sampler": "grid",
        "seed": -1,
        "held_out": 1.0,
        "processes": 0,
        "time_budget": "soon",
        "training_takes": "long",
        "retrain_cost": -1,
        "space": [],
    }.items():
        with pytest.raises(SettingInvalid, match=name):
            searched(**{name: value})
    with pytest.raises(SettingInvalid, match="processes"):
        searched(processes=1000)


def test_no_losses() -> None:
    """Where no metric has row losses there is no cost, and that is said."""
    with pytest.raises(SettingInvalid, match="row losses"):
        tune(loop(metrics=[rt.metrics.F1()]), WHOLE, retrain_cost=1, trials=1)


def test_no_first_model() -> None:
    """Where the trainer fails from the beginning, the search ends with its error."""
    with pytest.raises(TrainingFailed):
        tune(loop(trainer=lambda _: None), WHOLE, retrain_cost=1, trials=1)


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Optuna is not installed, the error names the extra that brings it."""
    known = builtins.__import__

    def missing(name: str, *args: Any, **settings: Any) -> Any:
        if name == "optuna":
            raise ImportError(name)
        return known(name, *args, **settings)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(RatoonError, match="optuna is not installed") as error:
        searched(1)
    assert error.value.hint == "pip install 'ratoon[tune]'"


def test_the_loop_is_left_alone(tmp_path: Path) -> None:
    """It is not opened, its notifier hears nothing, and a loop that only observes is tuned too."""
    heard: list[object] = []
    home = tmp_path / "home"
    watching = loop(home=home, notifier=heard.append, autonomy="observe")
    found = tune(watching, WHOLE, retrain_cost=COST, space=space(), trials=2)
    assert not heard
    assert not home.exists()
    assert any(one.figures is not None and one.figures.fits for one in found.tried)


def test_a_trainer_of_chance_is_told() -> None:
    """Where the trainer gives other models of the same rows, nothing is reused, and it is known."""
    count = iter(range(10_000))

    def chance(data: rt.DatasetSnapshot) -> Sign:
        model = train(data)
        return Sign(model.share + 1e-6 * next(count))

    family = Family("by", lambda by: rt.triggers.Degraded(by=by), settings={"by": Number(0.1, 1)})
    found = tune(loop(trainer=chance), WHOLE, retrain_cost=COST, space=[family], trials=2)
    assert found.deterministic is False
    assert found.fits is not None
    assert found.fits[1] == 0
