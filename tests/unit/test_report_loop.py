"""A report of a real loop: every kind of thing that can happen to one is on its page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ratoon.core import Event, Hold, Retrain, Rollback, Wait
from ratoon.detectors import Cusum
from ratoon.engine import Loop, VirtualClock
from ratoon.gates import NotWorse
from ratoon.metrics import Accuracy, LogLoss
from ratoon.policies import Limits
from ratoon.report import Comparison, Fact, Line, Story, write_report
from ratoon.report.index import indexed
from ratoon.report.kinds import kind_of
from ratoon.report.versions import lived
from ratoon.rollouts import Direct
from ratoon.stores import MemoryStore, MemoryVault
from ratoon.triggers import DataDrift, Degraded, Drift, Every, Feedback, NewLabels, On

START = datetime(2026, 1, 5, tzinfo=UTC)
BATCHES = 72
ROWS = 100


def _rows(rng: np.random.Generator, batch: int, rows: int = ROWS) -> tuple[Any, list[str]]:
    """Draw a batch; the concept turns at 15 and 30 for a while, an input moves at 60."""
    sign = -1 if 15 <= batch < 21 or 30 <= batch < 46 else 1
    x = rng.normal(size=(rows, 2))
    score = sign * x[:, 0] + 0.6 * x[:, 1] + rng.normal(scale=0.4, size=rows)
    income = x[:, 0] + (1.5 if batch >= 60 else 0.0)
    return {"income": income, "age": x[:, 1]}, np.where(score > 0, "good", "bad").tolist()


def _loop(clock: VirtualClock, train: Callable[[Any], Any]) -> Loop:
    return Loop(
        "credit",
        trainer=train,
        metrics=[Accuracy(), LogLoss()],
        retrain_when=Drift(detector=Cusum(warm_up=4, threshold=4))
        | Degraded(by=0.2, windows=3)
        | DataDrift()
        | On("pricing.*")
        | Feedback(rate=0.01)
        | Every(days=13)
        | NewLabels(2500),
        accept_if=NotWorse("brier", margin=0.02),
        limits=Limits(retry=200),
        rollout=Direct(watch=1500),
        window=ROWS,
        input_window=4 * ROWS,
        store=MemoryStore(),
        vault=MemoryVault(),
        clock=clock,
    )


def _lived() -> Loop:
    """Let a loop live through 36 days: labels come half a day late."""
    rng, clock, broken = np.random.default_rng(7), VirtualClock(START), set[datetime]()

    def train(data: Any) -> Any:
        if clock.now() in broken:
            raise MemoryError("the machine ran out of memory")
        return LogisticRegression().fit(data.X, data.y)

    loop, late = _loop(clock, train), list[tuple[Any, list[str]]]()
    loop.fit(*_rows(rng, 0, 8 * ROWS))
    for batch in range(BATCHES):
        clock.advance(timedelta(hours=12))
        rows, labels = _rows(rng, batch)
        ids = loop.predict(rows).ids
        late.append((ids, labels))
        if batch == 8:
            loop.emit("pricing.changed", {"list": "2026-02"})
        if batch == 50:
            loop.feedback(ids[:60], ratings=[-1.0] * 60)
        if batch == 54:
            broken.add(clock.now())
            loop.retrain("the auditors want a fresh model", by="ana")
        if len(late) > 1:
            loop.label(*late.pop(0))
        loop.tick()
    loop.rollback(reason="a customer complained", by="ben")
    return loop


@cache
def real_story() -> Story:
    """Return the story of a loop that lived through everything, made once a run of the tests."""
    loop = _lived()
    own = [m for m in loop.measurements() if m.metric == "accuracy" and m.subject is None]
    ends = tuple(m.window.end for m in own)
    return Story(
        title="Credit scoring, kept accurate",
        about="A loop whose concept turns and turns back: what was noticed, and what came of it.",
        loop="credit",
        metric="accuracy",
        greater_is_better=True,
        measurements=tuple(own),
        events=tuple(loop.events()),
        decisions=tuple(loop.decisions()),
        runs=tuple(loop.runs()),
        versions=tuple(loop.versions()),
        champion=loop.status().champion.number if loop.status().champion else None,
        comparisons=(
            Comparison(name="never", losses={"accuracy": 0.62}, retrainings=0, cost=2700.0),
            Comparison(
                name="period",
                losses={"accuracy": 0.79},
                retrainings=14,
                cost=2110.0,
                note="every 500 labels",
            ),
            Comparison(
                name="ratoon",
                losses={"accuracy": 0.84},
                retrainings=9,
                refused=3,
                rollbacks=2,
                cost=1490.0,
            ),
        ),
        lines=(
            Line(name="never retrained", times=ends, values=(0.62,) * len(ends)),
            Line(name="every period", times=ends, values=(0.79,) * len(ends)),
        ),
        facts=(Fact(name="Labelled rows", value="7,100", note="half a day late"),),
    )


def long_story(measurements: int, decisions: int) -> Story:
    """Return the real story over and over, until it has so many windows and decisions."""
    story, step = real_story(), timedelta(hours=12)
    lives = [_again(story, k) for k in range(-(-decisions // len(story.decisions)))]
    windows = islice(cycle(story.measurements), measurements)
    return replace(
        story,
        measurements=tuple(
            replace(m, window=replace(m.window, start=START + k * step, end=START + (k + 1) * step))
            for k, m in enumerate(windows)
        ),
        events=tuple(event for life in lives for event in life.events),
        decisions=tuple(d for life in lives for d in life.decisions)[:decisions],
        runs=tuple(run for life in lives for run in life.runs),
        versions=tuple(version for life in lives for version in life.versions),
        champion=lives[-1].champion,
    )


def _again(story: Story, k: int) -> Story:
    """Return the story as it would be told of the k-th life after the first."""
    later, more = k * BATCHES * timedelta(hours=12), k * len(story.versions)

    def named(id: str | None) -> str | None:
        return None if id is None else f"{id}{k}"

    def numbered(data: Any) -> Any:
        names = ("version", "to", "leaves", "replaces")
        kept = {name: data[name] + more for name in names if isinstance(data.get(name), int)}
        return {**data, **kept}

    def again(item: Any, **changes: Any) -> Any:
        at = "at" if hasattr(item, "at") else "time"
        return replace(item, **{at: getattr(item, at) + later}, **changes)

    def subject(event: Event) -> str | None:
        if event.subject is None or not event.subject.startswith("version "):
            return named(event.subject)
        return f"version {int(event.subject[8:]) + more}"

    return replace(
        story,
        events=tuple(
            again(e, id=f"{e.id}{k}", subject=subject(e), data=numbered(e.data))
            for e in story.events
        ),
        decisions=tuple(
            again(
                d,
                id=f"{d.id}{k}",
                causes=tuple(again(c, event_id=named(c.event_id)) for c in d.causes),
            )
            for d in story.decisions
        ),
        runs=tuple(
            replace(
                run,
                id=f"{run.id}{k}",
                decision_id=f"{run.decision_id}{k}",
                started_at=run.started_at + later,
                version=None if run.version is None else run.version + more,
            )
            for run in story.runs
        ),
        versions=tuple(
            replace(
                v,
                number=v.number + more,
                created_at=v.created_at + later,
                run_id=named(v.run_id),
                parent=None if v.parent is None else v.parent + more,
            )
            for v in story.versions
        ),
        champion=None if story.champion is None else story.champion + more,
    )


def html_of(story: Story, folder: Path) -> str:
    """Write a report, and return what was written."""
    path = folder / "report.html"
    write_report(path, story)
    return path.read_text(encoding="utf-8")


@pytest.fixture
def html(tmp_path: Path) -> str:
    return html_of(real_story(), tmp_path)


def test_everything_that_happened_can_be_switched(html: str) -> None:
    """Each kind of cause and of outcome that occurred has its switch, and no other has."""
    switches = set(re.findall(r'data-kind="(\w+)"', html))
    assert switches == {kind_of(event.type).id for event in real_story().events} | {"retraining"}
    assert {"schedule", "business", "person", "promotion", "rollback", "failure"} <= switches


def test_every_decision_is_listed(html: str) -> None:
    """Each decision has its place on the page, in the order of time."""
    places = [int(n) for n in re.findall(r'<li id="decision-(\d+)"', html)]
    assert places == list(range(1, len(real_story().decisions) + 1))


def test_every_link_leads_somewhere(html: str) -> None:
    """A link inside the page, and a mark's on the timeline, name a place that is there."""
    places = set(re.findall(r'\bid="([^"]+)"', html))
    links = re.findall(r'"link":(\[.*?\])', html)
    linked = set(re.findall(r'href="#([^"]+)"', html)) | set(json.loads(links[0]))
    assert linked - {None} <= places


def test_each_kind_of_decision_is_told(html: str) -> None:
    """Each kind of decision is told by its verb, and a retraining with what became of it."""
    verbs = {Retrain: "Retrain", Wait: "Wait", Hold: "Hold", Rollback: "Roll back to version"}
    kinds = {type(decision) for decision in real_story().decisions}
    assert {Retrain, Wait, Rollback} <= kinds
    for kind in kinds:
        assert f"<h3>{verbs[kind]}" in html
    assert "promoted as version 1" in html
    assert "the machine ran out of memory" in html


def test_gates_are_told_with_their_numbers(html: str) -> None:
    """A verdict shows its effect, its interval and its evidence, and draws the interval."""
    assert re.search(r"<b>pass</b> difference \S+ \[\S+, \S+\] · e\S+value \S+ · \d+ paired", html)
    assert '<div class="verdict pass">' in html


def test_the_final_verdict_of_a_version_is_shown() -> None:
    """A version that was registered undecided and passed later is not called inconclusive."""
    was_live = [v for v in lived(real_story(), indexed(real_story())) if v.terms]
    verdicts = {v.judged.outcome for v in was_live if v.judged is not None}
    assert verdicts == {"pass"}


def test_why_the_champion_is_live(html: str) -> None:
    """After a rollback the page says that this, not the old promotion, is why it is live."""
    story = real_story()
    rollbacks = [d for d in story.decisions if isinstance(d, Rollback)]
    assert rollbacks[-1].to == story.champion
    told = html.split(f"Why version {story.champion} is live")[1].split("</article>", maxsplit=1)[0]
    assert f"back from version {rollbacks[-1].leaves}: ben asked for it" in told


def test_what_was_undone_is_called_so(html: str) -> None:
    """A version that a rollback took out of use is told as promoted, later rolled back."""
    assert "later rolled back" in html
    assert "<span>rolled back</span>" in html


def test_refused_alternatives_are_folded(html: str) -> None:
    """What was refused stands in a details element of its decision."""
    assert re.search(r"<details><summary>Evidence and alternatives</summary>", html)
    assert "Not: wait, since there are labels enough and nothing blocks." in html


def test_the_best_cost_is_marked_in_words(html: str) -> None:
    """The best cost is marked by a word, not by colour alone."""
    row = html.split('<tr class="ours">')[1].split("</tr>", maxsplit=1)[0]
    assert re.search(r'<span class="mark">best</span> 1,490', row)
    assert "2,110" not in row
