"""The file of a report: its data, its safety, its size, and that it loads nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ratoon.core import Alternative, Firing, Hold
from ratoon.core.events import Event
from ratoon.report import Comparison, Fact, Line, Story, write_report
from ratoon.report.page import _embedded
from tests.unit.test_report_loop import START, html_of, long_story, real_story

VENDOR = Path(write_report.__code__.co_filename).parent / "vendor"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> ]]> <!-- <script> '\"&"
EMPTY = Story(
    title="A loop",
    about="It has just begun.",
    loop="new",
    metric="log_loss",
    greater_is_better=False,
)


class _Elements(HTMLParser):
    """Gathers the elements of a page, and the text of its scripts and style."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] in ("script", "style") and data.strip():
            self.raw.append((self.found[-1][0], data))


def elements(html: str) -> _Elements:
    parsed = _Elements()
    parsed.feed(html)
    return parsed


def embedded(html: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found.group(1))


def hostile() -> Story:
    """Return a story whose every text tries to break out of its place."""
    cause = Firing(
        trigger=HOSTILE,
        event_type=HOSTILE,
        reason=HOSTILE,
        at=START,
        event_id="e",
        evidence={HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]},
    )
    alternative = Alternative(what=HOSTILE, why=HOSTILE)
    decision = Hold(
        id=HOSTILE, loop=HOSTILE, at=START, causes=(cause,), reason="r", refused=(alternative,)
    )
    event = Event(id="e", source="s", type=HOSTILE, time=START, data={"reason": HOSTILE})
    rows = [
        Comparison(name=HOSTILE, losses={HOSTILE: 1.0}, retrainings=1, cost=c, note=HOSTILE)
        for c in (1, 2)
    ]
    return Story(
        title=HOSTILE,
        about=HOSTILE,
        loop=HOSTILE,
        metric="accuracy",
        greater_is_better=True,
        unit=HOSTILE,
        measurements=real_story().measurements,
        events=(event,),
        decisions=(decision,),
        comparisons=tuple(rows),
        lines=(Line(name=HOSTILE, times=(START,), values=(0.5,)),),
        facts=(Fact(name=HOSTILE, value=HOSTILE, note=HOSTILE),),
    )


def test_measurements_survive_the_page(tmp_path: Path) -> None:
    """The data in the page reads back as the measurements that went in, to the last digit."""
    story = real_story()
    found = embedded(html_of(story, tmp_path))["measurements"]
    own = sorted(story.measurements, key=lambda m: m.window.end)
    assert found["value"] == [m.value for m in own]
    assert found["stderr"] == [m.stderr for m in own]
    assert found["n"] == [m.n for m in own]
    assert found["end"] == pytest.approx([m.window.end.timestamp() for m in own], abs=1e-3)
    assert found["start"] == pytest.approx([m.window.start.timestamp() for m in own], abs=1e-3)


def test_marks_and_reigns_survive_the_page(tmp_path: Path) -> None:
    """Each event and each run is a mark; the reigns follow one another to the champion's."""
    story = real_story()
    data = embedded(html_of(story, tmp_path))
    marks = data["marks"]
    assert {len(column) for column in marks.values()} == {len(story.events) + len(story.runs)}
    assert marks["at"] == sorted(marks["at"])
    reigns = data["reigns"]
    assert [r["stop"] for r in reigns[:-1]] == [r["start"] for r in reigns[1:]]
    assert reigns[-1]["version"] == story.champion
    assert reigns[-1]["stop"] is None


def test_numbers_that_json_does_not_know_are_gaps(tmp_path: Path) -> None:
    """An undefined or infinite value is a gap in the line, not an error."""
    first, second, *rest = real_story().measurements
    odd = (replace(first, value=None), replace(second, value=float("inf")), *rest)
    line = Line(name="odd", times=(START, START), values=(float("nan"), None))
    html = html_of(replace(real_story(), measurements=odd, lines=(line,)), tmp_path)
    data = embedded(html)
    assert data["measurements"]["value"][:2] == [None, None]
    assert data["lines"][0]["value"] == [None, None]


def test_no_text_breaks_out_of_its_place(tmp_path: Path) -> None:
    """A text that looks like markup stays text, in the page and in the embedded data."""
    html = html_of(hostile(), tmp_path)
    parsed = elements(html)
    plain = elements(html_of(real_story(), tmp_path))
    assert "<script>alert" not in html
    assert [tag for tag, _ in parsed.found].count("script") == [
        tag for tag, _ in plain.found
    ].count("script")
    assert all(tag != "img" for tag, _ in parsed.found)
    assert not [name for _, attrs in parsed.found for name in attrs if name.startswith("on")]
    assert embedded(html)["loop"] == HOSTILE
    assert embedded(html)["marks"]["text"][0].startswith(HOSTILE[:40])


@pytest.mark.parametrize("text", [HOSTILE, "\u2028\u2029", "<!--<script>", "&lt;", "é漢\U0001f331"])
def test_embedded_json_is_safe_and_whole(text: str) -> None:
    """Embedded JSON holds nothing that ends a script element, and reads back as it was."""
    found = _embedded({"text": text})
    assert not set("<>&\u2028\u2029") & set(found)
    assert json.loads(found) == {"text": text}


@pytest.mark.parametrize("story", [real_story, hostile], ids=["real", "hostile"])
def test_the_file_loads_nothing(story: Any, tmp_path: Path) -> None:
    """No element, style or script refers to anything outside the file."""
    parsed = elements(html_of(story(), tmp_path))
    for tag, attributes in parsed.found:
        for name, value in attributes.items():
            if name in ("src", "href", "action", "srcset", "poster", "data", "xlink:href"):
                assert (value or "").startswith("#"), (tag, name, value)
    styles = "".join(text for kind, text in parsed.raw if kind == "style")
    assert "url(" not in styles
    assert "@import" not in styles
    assert not [tag for tag, _ in parsed.found if tag in ("link", "iframe", "object", "base")]
    scripts = "".join(text for kind, text in parsed.raw if kind == "script")
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|\bimport\(|sendBeacon", scripts)


def test_the_policy_allows_the_page_s_own_scripts_alone(tmp_path: Path) -> None:
    """The content security policy names the digest of each script, and of the style."""
    parsed = elements(html_of(real_story(), tmp_path))
    policy = next(
        attributes["content"] or ""
        for tag, attributes in parsed.found
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for _, text in parsed.raw:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy or text.startswith('{"schema"')


def test_an_empty_story_has_a_page(tmp_path: Path) -> None:
    """A loop in which nothing has happened has a report that says so."""
    html = html_of(EMPTY, tmp_path)
    assert "Nothing has been measured and nothing has happened yet." in html
    assert "Nothing has been decided yet." in html
    assert "There is no version yet." in html
    assert 'id="chart"' not in html
    assert embedded(html)["measurements"]["value"] == []


def test_light_and_dark_and_print(tmp_path: Path) -> None:
    """The style has a light and a dark dress, one for print, and one for narrow screens."""
    html = html_of(EMPTY, tmp_path)
    for text in (
        "@media (prefers-color-scheme: dark)",
        "color-scheme: light dark",
        "@media print",
        "@media (max-width: 640px)",
        "prefers-reduced-motion",
    ):
        assert text in html


def test_the_page_is_well_formed(tmp_path: Path) -> None:
    """Ids are unique, one heading is the first, and every button and table cell is in its place."""
    parsed = elements(html_of(real_story(), tmp_path))
    ids = [attributes["id"] for _, attributes in parsed.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    tags = [tag for tag, _ in parsed.found]
    assert tags.count("h1") == 1
    assert tags.count("main") == 1
    assert all(a.get("type") == "button" for tag, a in parsed.found if tag == "button")
    assert all("style" not in attributes for _, attributes in parsed.found)


def test_a_long_story_stays_small(tmp_path: Path) -> None:
    """With 1,000 measurements and 500 decisions the file stays well below 1 MB."""
    html = html_of(long_story(1000, 500), tmp_path)
    assert len(html.encode()) < 870_000
    assert html.count('<li id="decision-') == 500
    assert len(embedded(html)["measurements"]["value"]) == 1000


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    """Beyond its limits the page draws and lists less, and says how much it left out."""
    story = long_story(5000, 520)
    html = html_of(story, tmp_path)
    assert "Of 5,000 windows 2,000 are drawn" in html
    assert "20 older decisions not listed" in html
    assert html.count('<li id="decision-') == 500
    values = {m.value for m in story.measurements}
    drawn = embedded(html)["measurements"]["value"]
    assert min(drawn) == min(v for v in values if v is not None)
    assert max(drawn) == max(v for v in values if v is not None)


def test_the_same_story_gives_the_same_bytes(tmp_path: Path) -> None:
    """Nothing of the moment or the machine enters the file."""
    assert html_of(real_story(), tmp_path) == html_of(real_story(), tmp_path)


def test_vendored_files_are_those_that_are_named() -> None:
    """Each vendored file has the digest that stands beside it, and its licence is there."""
    table = (VENDOR / "README.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", table, re.MULTILINE))
    files = {path.name for path in VENDOR.iterdir()} - {"README.md"}
    assert set(named) == files
    for name, digest in named.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
    assert "The MIT License" in (VENDOR / "uPlot.LICENSE").read_text(encoding="utf-8")
