"""A page of the benchmark of decisions: its table, and the frontier of every stream."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from benchmarks.decisions_cells import Scene
from benchmarks.decisions_policies import OURS
from benchmarks.decisions_report import FIXED, ORACLE, Outcome, printed
from benchmarks.decisions_scoring import Row, unlearnable

_WIDE, _HIGH = 680, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 510, 18, 312  # of the plot; names stand at its right
_LINE = 15  # height of one
_PEERS = 2  # policies that are drawn as lines, beside ours
_DOT = 2.2

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1f2328; --faint: #8b929c;
  --grid: #e3e6ea; --ours: #0a5ad4; --fixed: #a34a12; --oracle: #23752c; --peer: #7a4fb0 }
@media (prefers-color-scheme: dark) { :root { --paper: #14171c; --ink: #e4e7eb; --faint: #7d8590;
  --grid: #2b3038; --ours: #6aa9ff; --fixed: #f0954e; --oracle: #6cc274; --peer: #c3a3f0 } }
"""
_DRAWN = """
.frontier { font: 12px system-ui, sans-serif; background: var(--paper) }
.frontier text { fill: var(--ink) } .frontier .small { font-size: 11px; fill: var(--faint) }
.frontier .grid { stroke: var(--grid) } .frontier .none { stroke: var(--faint);
  stroke-dasharray: 2 4 } .frontier .peers circle { fill: var(--faint); opacity: .55 }
.frontier .line { fill: none; stroke-width: 1.6 }
.frontier .ours { stroke: var(--ours); color: var(--ours) } .frontier .line.ours { stroke-width: 3 }
.frontier .fixed { stroke: var(--fixed); color: var(--fixed) }
.frontier .oracle { stroke: var(--oracle); color: var(--oracle); stroke-dasharray: 6 4 }
.frontier .peer { stroke: var(--peer); color: var(--peer) }
.frontier .second { stroke-dasharray: 1.5 3 }
.frontier circle.of { fill: currentColor; stroke: none }
.frontier text.name { fill: currentColor; stroke: none }
"""
_PAGE_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 76rem; margin: 2rem auto; padding: 0 1rem }
.streams { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 1.5rem }
figure { margin: 0 } figcaption { font-weight: 600 } figcaption small { font-weight: 400;
  color: var(--faint) } .table { overflow-x: auto } table { border-collapse: collapse;
  font-variant-numeric: tabular-nums } th, td { text-align: right; padding: .15rem .6rem;
  border-bottom: 1px solid var(--grid) } th:first-child, td:first-child { text-align: left }
.ours-row { font-weight: 700 } .reference { color: var(--faint) } svg { width: 100%; height: auto }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """A policy at a cost."""

    work: float  # in full fits
    error: float
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    """A policy over all costs."""

    name: str
    kind: str  # its class in the style
    points: tuple[_Point, ...]


def pictures(found: Outcome) -> Mapping[str, str]:
    """Return the picture of each stream and learner, of the first seed and delay, as SVG."""
    return {
        f"{scene.job.learner}-{scene.name}".replace(":", "_").replace("/", "_"): _picture(found, i)
        for i, scene in _shown(found)
    }


def page(found: Outcome, command: str) -> str:
    """Return a page that needs nothing beside itself, light or dark as the reader has it."""
    drawn = [(scene, _picture(found, i)) for i, scene in _shown(found)]
    figures = "\n".join(f"<figure>{_caption(scene)}{svg}</figure>" for scene, svg in drawn)
    rows = "\n".join(_row(one) for one in found.rows)
    delays = "".join(f"<th>delay {d}</th>" for d in found.scenes[0].job.delays)
    below = escape(printed(found).split("\n\n", 1)[1])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>When is a retraining worth it?</title><style>{_STYLE}{_PAGE_STYLE}</style></head><body>
<h1>When is a retraining worth it?</h1>
<p>Each cell is a stream, a learner, a seed, a delay of labels and a cost of a fit. The regret is 0
where a policy costs what the split oracle does, and 1 where it costs what the best fixed schedule
does that hindsight finds. All that a policy computes is charged. Settings of policies are chosen on
other streams; {OURS} has none.</p>
<div class="table"><table><thead><tr><th>policy</th><th>median regret</th><th>mean</th>
<th>below 1</th><th>excess on controls</th><th>fits</th><th>other work, in fits</th>
<th>false retrainings</th>{delays}<th>p beside {OURS}</th></tr></thead><tbody>
{rows}
</tbody></table></div>
<h2>Error against work, stream by stream</h2>
<p>Of each policy a point for each cost of a fit, at the least delay and with the first seed. Grey
dots are the other policies; point at one to read its name.</p>
<div class="streams">
{figures}
</div>
<h2>Figures</h2><pre>{below}</pre><p><code>{escape(command)}</code></p>
</body></html>
"""


def _shown(found: Outcome) -> list[tuple[int, Scene]]:
    """Return the scenes of the first seed of each learner, with their places."""
    first = {
        learner: min(scene.job.seed for scene in found.scenes if scene.job.learner == learner)
        for learner in {scene.job.learner for scene in found.scenes}
    }
    every = enumerate(found.scenes)
    return [(i, scene) for i, scene in every if scene.job.seed == first[scene.job.learner]]


def _caption(scene: Scene) -> str:
    note = "; nothing to learn" if unlearnable(scene) else ""
    told = f"{scene.job.learner}, {scene.rows:,} rows, {scene.chunks} chunks{note}"
    return f"<figcaption>{escape(scene.name)} <small>{told}</small></figcaption>"


def _row(one: Row) -> str:
    kind = "ours-row" if one.name == OURS else "reference" if one.reference else ""
    share = "" if one.below_1 is None else f"{one.below_1:.0%}"
    excess = "" if one.excess is None else f"{one.excess:+.1%}"
    p = "" if one.p is None or one.reference else f"{one.p:.2g}"
    cells = [
        escape(one.name),
        _two(one.median),
        _two(one.mean),
        share,
        excess,
        f"{one.retrainings:.1f}",
        f"{one.extra:.1f}",
        _two(one.false),
        *(_two(median) for median in one.delays.values()),
        p,
    ]
    return f'<tr class="{kind}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _picture(found: Outcome, i: int) -> str:
    """Return the frontier of a scene."""
    scene, curves = found.scenes[i], _curves(found, i)
    lines = [curve for curve in curves if curve.kind]
    y_ends = _y_ends(scene, lines)
    across = _across(max(p.work for curve in lines for p in curve.points))

    def up(error: float) -> float:
        low, high = y_ends
        return round(_BOTTOM - (error - low) / (high - low) * (_BOTTOM - _TOP), 1)

    dots = [
        _dot(curve, point, across(point.work), up(point.error))
        for curve in curves
        if not curve.kind
        for point in curve.points
        if _TOP <= up(point.error) <= _BOTTOM and across(point.work) <= _RIGHT
    ]
    parts = [
        *_axes(across, up, y_ends),
        _without_model(scene, up),
        '<g class="peers">' + "".join(dots) + "</g>",
        *(_drawn(curve, across, up) for curve in lines),
        *_names(lines, across, up),
    ]
    label = f"Error against work on {escape(scene.name)}"
    return (
        f'<svg class="frontier" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH}" '
        f'role="img" aria-label="{label}"><style>{_STYLE}{_DRAWN}</style>' + "".join(parts)
    ) + "</svg>"


def _curves(found: Outcome, i: int) -> list[_Curve]:
    """Return all policies of a scene; those of a kind are drawn as lines, ours last."""
    scene = found.scenes[i]
    peers = [one.name for one in found.rows if not one.reference and one.name != OURS][:_PEERS]
    kinds = {
        ORACLE: "oracle",
        FIXED: "fixed",
        **dict(zip(peers, ("peer", "peer second"), strict=False)),
        OURS: "ours",
    }
    shown = [one.name for one in found.rows if not one.reference or one.name in kinds]
    curves = [
        _Curve(
            name=name,
            kind=kinds.get(name, ""),
            points=tuple(
                _Point(work=float(work), error=float(error), cost=cost)
                for work, error, cost in zip(
                    found.judged[name][i].work[0],
                    found.judged[name][i].error[0],
                    scene.job.costs,
                    strict=True,
                )
            ),
        )
        for name in shown
    ]
    return sorted(curves, key=lambda curve: list(kinds).index(curve.name) if curve.kind else -1)


def _y_ends(scene: Scene, lines: Sequence[_Curve]) -> tuple[float, float]:
    """Return the least and largest error that is drawn: of the lines, and of never."""
    errors = [p.error for curve in lines for p in curve.points]
    errors.append(float(scene.known.never[0, 0]) / scene.chunks)
    room = 0.06 * (max(errors) - min(errors)) or 0.01
    return min(errors) - room, max(errors) + room


def _across(most: float) -> Callable[[float], float]:
    """Return where work stands: roots are even, as the first fits matter most."""
    end = math.sqrt(max(most, 1.0) * 1.05)
    return lambda work: round(_LEFT + math.sqrt(max(work, 0.0)) / end * (_RIGHT - _LEFT), 1)


def _axes(
    across: Callable[[float], float], up: Callable[[float], float], ends: tuple[float, float]
) -> list[str]:
    works = [w for w in (0, 1, 2, 5, 10, 20, 40, 70, 100, 200) if across(w) <= _RIGHT]
    places = [w for k, w in enumerate(works) if not k or across(w) - across(works[k - 1]) > 16]
    errors = np.linspace(*ends, 7)[1:-1:2]
    return [
        *(f'<path class="grid" d="M{_LEFT} {up(e)}H{_RIGHT}"/>' for e in errors),
        *(
            f'<text class="small" x="{_LEFT - 6}" y="{up(e) + 4}" text-anchor="end">{e:.3f}</text>'
            for e in errors
        ),
        *(
            f'<text class="small" x="{across(w)}" y="{_BOTTOM + 17}" '
            f'text-anchor="middle">{w}</text>'
            for w in places
        ),
        f'<text x="{_RIGHT}" y="{_BOTTOM + 37}" text-anchor="end">work, in full fits</text>',
        f'<text x="{_LEFT}" y="12">mean loss of a row</text>',
        f'<path class="grid" d="M{_LEFT} {_BOTTOM}H{_RIGHT}"/>',
    ]


def _without_model(scene: Scene, up: Callable[[float], float]) -> str:
    """Draw the loss of the last label repeated; where that is off the picture, say it."""
    error = scene.plain["no change"]
    told = f"last label repeated: {error:.3f}"
    text = '<text class="small" x="{x}" y="{y}">' + told + "</text>"
    if _TOP <= up(error) <= _BOTTOM:
        line = f'<path class="none" d="M{_LEFT} {up(error)}H{_RIGHT}"/>'
        return line + text.format(x=_LEFT + 4, y=up(error) - 4)
    return text.format(x=_LEFT, y=_BOTTOM + 37)


def _dot(curve: _Curve, point: _Point, x: float, y: float) -> str:
    return f'<circle cx="{x}" cy="{y}" r="{_DOT}">{_title(curve, point)}</circle>'


def _title(curve: _Curve, point: _Point) -> str:
    told = (
        f"{curve.name} at a cost of {point.cost:g}: error {point.error:.4f}, work {point.work:.1f}"
    )
    return f"<title>{escape(told)}</title>"


def _drawn(curve: _Curve, across: Callable[[float], float], up: Callable[[float], float]) -> str:
    places = [(across(p.work), up(p.error), p) for p in curve.points]
    path = "M" + "L".join(f"{x} {y}" for x, y, _ in places)
    dots = "".join(
        f'<circle class="of" cx="{x}" cy="{y}" r="{_DOT + 1}">{_title(curve, p)}</circle>'
        for x, y, p in places
    )
    return f'<g class="{curve.kind}"><path class="line {curve.kind}" d="{path}"/>{dots}</g>'


def _names(
    lines: Sequence[_Curve], across: Callable[[float], float], up: Callable[[float], float]
) -> list[str]:
    """Write the names at the right, in the order of the lines' ends and apart from each other."""
    ends = sorted(
        ((up(curve.points[0].error), across(curve.points[0].work), curve) for curve in lines),
        key=lambda end: end[:2],
    )
    texts: list[str] = []
    lowest = -math.inf
    for y, x, curve in ends:
        lowest = max(y + 4, lowest + _LINE)
        line = f'<path class="grid" d="M{x} {y}L{_RIGHT + 6} {lowest - 4}"/>'
        name = f'<text class="name" x="{_RIGHT + 10}" y="{lowest}">{escape(curve.name)}</text>'
        texts.append(f'{line}<g class="{curve.kind}">{name}</g>')
    return texts
