"""What the benchmark of decisions tells: the rows of its table, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.decisions_cells import LeftOut, Scene
from benchmarks.decisions_matrices import WINDOWS
from benchmarks.decisions_policies import OURS, PREFIX, families
from benchmarks.decisions_scoring import (
    CONTROL,
    Judged,
    Row,
    in_hindsight,
    is_control,
    judged,
    policy,
    row,
    unlearnable,
    with_setting,
)

FIXED, ORACLE = "best fixed, in hindsight", "split oracle"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """All policies on all scenes, with the setting that each was given there."""

    scenes: tuple[Scene, ...]
    left_out: tuple[LeftOut, ...]
    judged: Mapping[str, Sequence[Judged]]  # by policy: one for each scene
    rows: tuple[Row, ...]  # policies by their median, then references
    shared: Mapping[str, Row]  # with one setting for all delays and costs


def outcome(found: Sequence[Scene | LeftOut]) -> Outcome:
    """Choose the settings, and judge every policy."""
    scenes = [one for one in found if isinstance(one, Scene)]
    left_out = tuple(one for one in found if isinstance(one, LeftOut))
    if not scenes:
        return Outcome(scenes=(), left_out=left_out, judged={}, rows=(), shared={})
    tried = families()
    every = {family.name: policy(scenes, family.name) for family in tried}
    every |= {FIXED: [in_hindsight(scene, "fixed") for scene in scenes]}
    every |= {ORACLE: [in_hindsight(scene, "oracle") for scene in scenes]}
    references = {family.name for family in tried if family.reference} | {FIXED, ORACLE}
    paid = {f"{family.name}, prefix paid": family.name for family in tried if family.prefixed}
    with_bill = [_billed(scene, set(paid.values())) for scene in scenes]
    every |= {name: policy(with_bill, of) for name, of in paid.items()}
    references |= set(paid)
    rows = [
        row(scenes, name, one, every[OURS], reference=name in references)
        for name, one in every.items()
    ]
    shared = {
        family.name: row(scenes, family.name, policy(scenes, family.name, shared=True), every[OURS])
        for family in tried
        if len(family.settings) > 1
    }
    return Outcome(
        scenes=tuple(scenes),
        left_out=left_out,
        judged=every,
        rows=tuple(sorted(rows, key=lambda one: (one.reference, *one.order))),
        shared=shared,
    )


def _billed(scene: Scene, names: set[str]) -> Scene:
    """Return a scene in which policies have paid the fits of the prefix that they learned from."""
    fits = min(PREFIX, scene.chunks) - 1  # the first model is there in any case
    played = {
        name: replace(scene.played[name], extra=scene.played[name].extra + fits) for name in names
    }
    return replace(scene, played=played)


def printed(found: Outcome) -> str:
    """Return the table, and what is said below it."""
    if not found.scenes:
        return "\n".join(["There is no stream to judge policies on.", *_left_out(found)])
    delays = found.scenes[0].job.delays
    names = [("median", 7), ("mean", 7), ("shared", 7), ("< 1", 6), ("controls", 9), ("fits", 6)]
    names += [("extra", 6), ("false", 7), *((f"d={d}", 7) for d in delays), ("p", 9)]
    head = f"{'policy':<25}" + "".join(f"{name:>{wide}}" for name, wide in names)
    lines = [head]
    for kind, title in ((False, None), (True, "for reference: no policies")):
        lines += [title] if title else []
        lines += [
            _line(one, found.shared.get(one.name)) for one in found.rows if one.reference is kind
        ]
    return "\n".join([*lines, "", *_below(found)])


def _line(one: Row, shared: Row | None) -> str:
    """Return the line of a policy; "shared" is its median with one setting for all its cells."""
    alike = "" if shared is None else _two(shared.median)
    share = "-" if one.below_1 is None else f"{one.below_1:.0%}"
    excess = "-" if one.excess is None else f"{one.excess:+.1%}"
    p = "" if one.p is None else f"{one.p:.2g}"
    return (
        f"{one.name:<25}{_two(one.median):>7}{_two(one.mean):>7}{alike:>7}{share:>6}{excess:>9}"
        f"{one.retrainings:>6.1f}{one.extra:>6.1f}{_two(one.false):>7}"
        + "".join(f"{_two(median):>7}" for median in one.delays.values())
        + f"{p:>9}"
    )


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _below(found: Outcome) -> list[str]:
    """Return how many cells there are, and the forecasts without a model."""
    controls = [is_control(scene) for scene in found.scenes]
    cells, few = sum(one.size for one in controls), int(sum(one.sum() for one in controls))
    nothing = sorted({scene.name for scene in found.scenes if unlearnable(scene)})
    heads = ("no change", "constant", "never", "fixed", "ours", "oracle")
    lines = [
        f"{len(found.scenes)} streams, learners and seeds; {cells} cells, {few} of them controls.",
        f"Nothing to learn (false retrainings are those on): {', '.join(nothing) or 'none'}.",
        "Mean loss of a row, without a model and with one:",
        f"{'stream':<28}{'learner':<10}" + "".join(f"{head:>10}" for head in heads),
    ]
    for i, scene in enumerate(found.scenes):
        values = "".join(f"{value:>10.3f}" for value in _losses(found, i).values())
        lines.append(f"{scene.name:<28}{scene.job.learner:<10}{values}")
    return lines + _left_out(found)


def _left_out(found: Outcome) -> list[str]:
    return [f"left out: {one.stream}: {one.why}" for one in found.left_out]


def _losses(found: Outcome, i: int) -> dict[str, float]:
    """Return mean losses on a scene, over its delays and costs."""
    scene = found.scenes[i]
    return {
        "no_change": scene.plain["no change"],
        "constant": scene.plain["constant"],
        "never": float(scene.known.never[0, 0]) / scene.chunks,
        "best_fixed": float(found.judged[FIXED][i].error.mean()),
        OURS: float(found.judged[OURS][i].error.mean()),
        "split_oracle": float(found.judged[ORACLE][i].error.mean()),
    }


def as_json(found: Outcome) -> dict[str, Any]:
    """Return all figures: of policies, of controls, and of streams."""
    rows = [one for one in found.rows if not one.reference]
    return {
        "policies": {one.name: _figures(one) for one in rows},
        "controls": {one.name: one.excess for one in rows},
        "streams": _streams(found),
        "references": {one.name: _figures(one) for one in found.rows if one.reference},
        "one_setting_for_all_costs": {name: _figures(one) for name, one in found.shared.items()},
        "by_learner": _by_learner(found),
        "left_out": {one.stream: one.why for one in found.left_out},
        "figures": next((_figures(one) for one in rows if one.name == OURS), {}),
        "goals": goals(found),
    }


def _figures(one: Row) -> dict[str, Any]:
    return {
        "median_nr": one.median,
        "mean_nr": one.mean,
        "below_1": one.below_1,
        "retrainings": one.retrainings,
        "error": one.error,
        "extra_fits": one.extra,
        "false_retrainings": one.false,
        "excess_on_controls": one.excess,
        "median_nr_by_delay": {str(delay): value for delay, value in one.delays.items()},
        "wilcoxon_p": one.p,
        "wilcoxon_p_cells": one.p_cells,
    }


def _by_learner(found: Outcome) -> dict[str, Any]:
    """Return the policies of each learner alone."""
    told: dict[str, Any] = {}
    for learner in sorted({scene.job.learner for scene in found.scenes}):
        inside = [i for i, scene in enumerate(found.scenes) if scene.job.learner == learner]
        scenes = [found.scenes[i] for i in inside]
        ours = [found.judged[OURS][i] for i in inside]
        told[learner] = {
            name: _figures(row(scenes, name, [every[i] for i in inside], ours))
            for name, every in found.judged.items()
        }
    return told


def _streams(found: Outcome) -> dict[str, Any]:
    """Return what each stream is, and how policies did there with each learner and seed."""
    told: dict[str, Any] = {}
    for i, scene in enumerate(found.scenes):
        stream = told.setdefault(
            scene.name,
            {
                "task": scene.task,
                "loss": scene.loss,
                "rows": scene.rows,
                "chunks": scene.chunks,
                "no_change": scene.plain["no change"],
                "constant": scene.plain["constant"],
                "scenes": {},
            },
        )
        stream["scenes"][f"{scene.job.learner}, seed {scene.job.seed}"] = {
            "unit": scene.unit,
            "fit_cpu_s": scene.fit_s,
            "nothing_to_learn": unlearnable(scene),
            "controls": int(is_control(scene).sum()),
            "cells": int(is_control(scene).size),
            "losses": _losses(found, i),
            "best_fixed": _fixed(scene),
            "policies": {name: _on_scene(every[i]) for name, every in found.judged.items()},
            "settings": {
                family.name: _settings(scene, found, family.name, i)
                for family in families()
                if len(family.settings) > 1
            },
        }
    return told


def _fixed(scene: Scene) -> list[dict[str, Any]]:
    """Return the best fixed schedules, by delay and cost."""
    return [
        {
            "delay": delay,
            "cost": cost,
            "period": int(scene.known.period[j, k]) or None,
            "window": WINDOWS[int(scene.known.window[j, k])],
            "price": float(scene.known.fixed[j, k]),
            "split_oracle": float(scene.known.oracle[j, k]),
        }
        for j, delay in enumerate(scene.job.delays)
        for k, cost in enumerate(scene.job.costs)
    ]


def _on_scene(one: Judged) -> dict[str, Any]:
    regrets, excess = one.regret[~np.isnan(one.regret)], one.excess[~np.isnan(one.excess)]
    return {
        "mean_nr": float(regrets.mean()) if regrets.size else None,
        "excess_on_controls": float(excess.mean()) if excess.size else None,
        "retrainings": float(one.fits.mean()),
        "error": float(one.error.mean()),
    }


def _settings(scene: Scene, found: Outcome, name: str, i: int) -> str:
    """Return the setting that was chosen most often for a scene."""
    settings = next(family.settings for family in families() if family.name == name)
    every, took = judged(scene, scene.played[name]), found.judged[name][i]
    fits = [
        float((with_setting(every, np.full(took.fits.shape, k)).work == took.work).mean())
        for k in range(len(settings))
    ]
    best = dict(settings[int(np.argmax(fits))])
    best["window"] = WINDOWS[best["window"]]
    return ", ".join(f"{key} {value}" for key, value in best.items())


def goals(found: Outcome) -> list[dict[str, Any]]:
    """Return what was to be reached, and whether it was.

    Peers count with the better of both ways to choose their settings.
    """
    rows = [one for one in found.rows if not one.reference]
    ours = next((one for one in rows if one.name == OURS), None)
    if ours is None or ours.median is None or ours.below_1 is None:
        return []
    peers = [one for one in rows if one is not ours]
    shared = [found.shared[one.name] for one in peers if one.name in found.shared]
    told = [_goal("median NR", ours.median, "<=", limit) for limit in (1.0, 0.7, 0.5)]
    told += [_goal("share of cells with NR < 1", ours.below_1, ">=", 0.75)]
    if ours.excess is not None:
        told += [_goal("excess cost on controls", ours.excess, "<=", CONTROL)]
    for delay, median in ours.delays.items():
        others = [one.delays[delay] for one in (*peers, *shared)]
        best = min((value for value in others if value is not None), default=None)
        if median is not None and best is not None:
            told += [_goal(f"median NR at delay {delay}, of the best peer", median, "<=", best)]
    return told


def _goal(name: str, figure: float, op: str, goal: float) -> dict[str, Any]:
    met = figure <= goal if op == "<=" else figure >= goal
    return {"name": name, "figure": figure, "op": op, "goal": goal, "met": bool(met)}
