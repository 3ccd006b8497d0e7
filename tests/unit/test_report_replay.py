"""The page on a replay: what it says, that it is safe, and that it loads nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import ratoon as rt
from ratoon.engine.replay_telling import replayed
from ratoon.report import Replayed, replay_page
from ratoon.report.replay_drawing import rivals_drawn

HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(2)>'\"&"


@cache
def real_report() -> rt.ReplayReport:
    """Three policies on a table whose concept turns around."""
    rng = np.random.default_rng(5)
    a = rng.normal(size=3000)
    y = (a + 0.3 * rng.normal(size=3000) > 0) != (np.arange(3000) > 1500)
    loop = rt.Loop(
        "turning",
        trainer=lambda data: LogisticRegression().fit(data.X, data.y),
        retrain_when=rt.triggers.Degraded(by=0.2),
        limits=rt.Limits(retry=100),
        window=50,
    )
    rows: dict[str, Any] = {"a": a, "b": rng.normal(size=3000), "y": y}
    names = ["never", "every:60d", "loop"]
    return rt.replay(loop, rows, policies=names, retrain_cost=5, target="y", label_delay="2d")


def real_page() -> Replayed:
    return replayed(real_report())


def test_the_page_says_what_was_found() -> None:
    """Table, recommendation, frontier, prices, and each decision with its cause and verdict."""
    html = real_report().to_html()
    found = real_report().recommendation
    assert found is not None
    for name in ("never", "every:60d", "loop"):
        assert f"<h3>{name}</h3>" in html
    assert f"“{found.best}”" in html
    for text in ("regret", "Error against cost", "Cost so far", "moving-block bootstrap"):
        assert text in html
    assert "below the baseline" in html or "worse than" in html or "Degraded(by=0.2)" in html
    assert "became champion" in html


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    """No script, no link to anywhere else, and a policy that forbids both."""
    html = real_report().to_html()
    assert "<script" not in html
    assert "default-src &#39;none&#39;; style-src &#39;sha256-" in html
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', html)
    assert "@import" not in html
    assert "url(" not in html


def test_the_same_replay_has_the_same_page() -> None:
    """Byte for byte."""
    assert real_report().to_html() == replay_page(replayed(real_report()))


def test_hostile_texts_stay_texts() -> None:
    """Names of histories and policies, and what triggers say, become no elements."""
    found = real_page()
    policies = tuple(replace(one, name=one.name + HOSTILE, told=HOSTILE) for one in found.policies)
    best = policies[0].name
    html = replay_page(
        replace(found, history=HOSTILE, advice=HOSTILE, policies=policies, best=best)
    )
    assert "<script" not in html
    assert "<img" not in html


def test_every_link_and_place_is_there_once() -> None:
    """No two elements share an id, though policies have decisions of the same numbers."""
    html = real_report().to_html()
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(ids)


@pytest.mark.parametrize("kept", [1, 2])
def test_few_policies_have_a_page(kept: int) -> None:
    """One alone has no rivals; all else is there."""
    found = real_page()
    few = replace(found, policies=found.policies[-kept:], best="loop", frontier=("loop",))
    few = replace(few, rivals=found.rivals[: kept - 1], prices=found.prices[:1])
    assert "Each policy over time" in replay_page(few)


def test_costs_that_do_not_compare_are_not_drawn() -> None:
    """Without a common loss there is no frontier, and the page says why."""
    found = replace(real_page(), best=None, loss_metric=None, rivals=(), frontier=(), prices=())
    html = replay_page(found)
    assert "Costs do not compare" in html
    assert "Error against cost" not in html


def test_many_policies_are_limited() -> None:
    """What is left out is said."""
    found = real_page()
    many = tuple(replace(found.policies[0], name=f"policy {k}") for k in range(60))
    html = replay_page(replace(found, policies=many, best="policy 0"))
    assert "20 more policies are not drawn" in html
    assert html.count('<article class="policy"') == 40


def test_intervals_share_one_scale() -> None:
    """What is larger stands further right, and 0 stands at the same place for all."""
    drawn = rivals_drawn(real_page().rivals)
    assert len({one.zero for one in drawn}) == 1
    assert all(one.low <= one.at <= one.high for one in drawn if one.low and one.high)
    assert [one.at for one in drawn] == sorted(one.at for one in drawn)


def test_a_history_without_labels_has_a_page() -> None:
    """Where no label came in time nothing is measured, and nothing fails."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    rng = np.random.default_rng(0)
    a = rng.normal(size=600)
    rows = rt.History.of_table({"a": a, "y": a > 0}, target="y", first=0.5)
    unlabelled = tuple(one for one in rows.arrivals if one.kind == "predict")
    loop = rt.Loop("quiet", trainer=lambda data: LogisticRegression().fit(data.X, data.y))
    report = rt.replay(loop, replace(rows, arrivals=unlabelled, at=at - timedelta(days=9)))
    assert report.recommendation is None
    assert "quiet" in report.to_html()
