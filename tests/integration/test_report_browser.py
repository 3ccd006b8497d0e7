"""A report in a real browser: it is drawn, it obeys pointer and keyboard, and it fits a phone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from ratoon.report import Story, write_report
from tests.unit.test_report_loop import long_story, real_story
from tests.unit.test_report_page import EMPTY, HOSTILE, hostile

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
LIMIT_S = 60
LIGHT, DARK = "1", "0"  # what Chromium calls the schemes

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"no browser: none of {', '.join(NAMES)} is on the path"
)

# Runs in the page after its own scripts, in a copy of the report without its policy.
PROBE = """
const probe = { chart: document.getElementById("chart") };
probe.canvas = probe.chart.querySelector("canvas");
probe.over = probe.chart.querySelector(".u-over");
probe.key = (key, more = {}) =>
  probe.chart.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }));
probe.mouse = (type, x, y) =>
  probe.over.dispatchEvent(
    new MouseEvent(type, { clientX: x, clientY: y, movementX: 9, bubbles: true }),
  );
probe.pixels = () => {
  const { width, height } = probe.canvas;
  return probe.canvas.getContext("2d").getImageData(0, 0, width, height).data;
};
probe.ink = () => probe.pixels().reduce((n, value, i) => n + (i % 4 === 3 && value > 0), 0);
probe.tip = () => document.querySelector(".tip");
probe.frame = () => new Promise((done) => setTimeout(done, 50));
(async () => {
  try {
    await probe.frame();
    const found = await (async () => { SCRIPT })();
    document.documentElement.dataset.found = JSON.stringify(found);
  } catch (error) {
    document.documentElement.dataset.error = String(error);
  }
})();
"""


def opened(path: Path, *options: str) -> str:
    """Open a file without a window, and return the page as it stands after some virtual time."""
    assert BROWSER is not None
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--hide-scrollbars",
        f"--user-data-dir={path.parent / 'profile'}",
        "--window-size=1200,1600",
        "--virtual-time-budget=5000",
        *options,
        "--dump-dom",
        path.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    return done.stdout


def attribute(dom: str, name: str) -> str | None:
    """Return a data attribute, the first of that name."""
    found = re.search(rf'\bdata-{name}="([^"]*)"', dom)
    return None if found is None else unescape(found.group(1))


def with_probe(folder: Path, story: Story, script: str) -> Path:
    """Write a report without its policy, with a script that runs after its own."""
    path = folder / "report.html"
    write_report(path, story)
    html = path.read_text(encoding="utf-8")
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    probe = PROBE.replace("SCRIPT", script)
    path.write_text(html.replace("</body>", f"<script>{probe}</script></body>"), encoding="utf-8")
    return path


def probed(folder: Path, story: Story, script: str, *options: str) -> Any:
    """Open a report, run a script in it, and return what the script returned."""
    dom = opened(with_probe(folder, story, script), *options)
    assert attribute(dom, "error") is None
    return json.loads(attribute(dom, "found") or "null")


@pytest.mark.parametrize(
    "story",
    [real_story, hostile, lambda: long_story(1000, 500)],
    ids=["real", "hostile", "long"],
)
def test_the_timeline_is_drawn(story: Any, tmp_path: Path) -> None:
    """The page as written runs its scripts under its policy and draws, without an error."""
    path = tmp_path / "report.html"
    write_report(path, story())
    dom = opened(path)
    assert attribute(dom, "error") is None
    assert attribute(dom, "drawn") == "timeline"
    assert attribute(dom, "points") == str(len(story().measurements))
    assert "<canvas" in dom


@pytest.mark.parametrize(
    "story",
    [
        EMPTY,
        replace(real_story(), measurements=(), lines=()),
        replace(real_story(), events=(), runs=(), decisions=(), versions=(), champion=None),
        replace(real_story(), measurements=real_story().measurements[:1], lines=(), events=()),
    ],
    ids=["empty", "events-alone", "measurements-alone", "one-window"],
)
def test_a_page_with_little_on_it_has_no_error(story: Story, tmp_path: Path) -> None:
    """A loop that has only just begun has a page that works."""
    path = tmp_path / "report.html"
    write_report(path, story)
    dom = opened(path)
    assert attribute(dom, "error") is None
    assert attribute(dom, "drawn") == ("nothing" if story is EMPTY else "timeline")


def test_a_hostile_text_stays_text(tmp_path: Path) -> None:
    """Even without the policy no text of a story becomes an element or runs."""
    script = "return { images: document.images.length, title: document.title };"
    found = probed(tmp_path, hostile(), script)
    assert found == {"images": 0, "title": HOSTILE}


def test_light_and_dark_differ(tmp_path: Path) -> None:
    """The canvas has ink in both schemes, and another colour for its line in each."""
    script = """
    const paper = getComputedStyle(document.body).backgroundColor;
    return { ink: probe.ink(), paper, sum: probe.pixels().reduce((a, b) => a + b, 0) };
    """
    light, dark = (
        probed(tmp_path, real_story(), script, f"--blink-settings=preferredColorScheme={scheme}")
        for scheme in (LIGHT, DARK)
    )
    assert light["ink"] > 5000
    assert dark["ink"] > 5000
    assert light["paper"] != dark["paper"]
    assert light["sum"] != dark["sum"]


def test_kinds_and_series_are_switched_off_and_on(tmp_path: Path) -> None:
    """A switch takes its lane or its line off the canvas, says so, and brings it back."""
    script = """
    const counts = [];
    const at = () => counts.push([probe.ink(), probe.canvas.height]);
    at();
    for (const name of ["[data-kind=promotion]", "[data-series=metric]", "[data-series=band]"]) {
      const button = document.querySelector(name);
      button.click();
      await probe.frame();
      at();
      counts.push(button.getAttribute("aria-pressed"));
      button.click();
      await probe.frame();
      at();
    }
    return counts;
    """
    first, lane, off, back, line, _, again, band, _, last = probed(tmp_path, real_story(), script)
    assert off == "false"
    assert lane[1] < first[1]
    assert back == again == last == first
    assert line[0] < first[0]
    assert band[0] < first[0]


def test_the_pointer_is_told_what_happened(tmp_path: Path) -> None:
    """Over the plot the window is told with its error; over a mark, the mark."""
    script = """
    const box = probe.over.getBoundingClientRect();
    probe.mouse("mouseenter", box.left + 300, box.top + 50);
    probe.mouse("mousemove", box.left + 300, box.top + 50);
    await probe.frame();
    const window_ = probe.tip().textContent;
    const lanes = probe.chart.querySelector(".lanes");
    const area = lanes.getBoundingClientRect();
    const told = new Set();
    for (let y = area.top; y < area.bottom; y += 6) {
      for (let x = area.left; x < area.right; x += 12) {
        const at = { clientX: x, clientY: y, bubbles: true };
        lanes.dispatchEvent(new PointerEvent("pointermove", at));
        if (!probe.tip().hidden) told.add(probe.tip().querySelector("b").textContent);
      }
    }
    return { window: window_, told: [...told] };
    """
    found = probed(tmp_path, real_story(), script)
    assert re.search(r"accuracy 0\.\d+ ± 0\.\d+", found["window"])
    assert "version" in found["window"]
    assert "never retrained" in found["window"]
    assert {"Retraining", "Promotion", "Rollback", "Failed run"} <= set(found["told"])


def test_the_keyboard_reaches_everything(tmp_path: Path) -> None:
    """Arrows step through windows and marks, Enter opens what a mark is about, 0 shows all."""
    script = """
    const said = document.getElementById("chart-said");
    const all = document.querySelector(".all");
    const steps = { tab: probe.chart.tabIndex, reset: [all.hidden] };
    probe.key("Home");
    steps.window = said.textContent;
    probe.key("+");
    await probe.frame();
    steps.reset.push(all.hidden);
    probe.key("0");
    await probe.frame();
    steps.reset.push(all.hidden);
    probe.key("ArrowRight", { shiftKey: true });
    probe.key("ArrowRight", { shiftKey: true });
    steps.mark = said.textContent;
    probe.key("Enter");
    await probe.frame();
    steps.hash = location.hash;
    steps.focus = document.activeElement.id;
    return steps;
    """
    found = probed(tmp_path, real_story(), script)
    assert found["tab"] == 0
    assert "accuracy" in found["window"]
    assert found["reset"] == [True, False, True]
    assert found["mark"].startswith(("A person asked", "Promotion", "Retraining"))
    assert found["hash"] in ("#decision-1", "#version-1")
    assert f"#{found['focus']}" == found["hash"]


def test_dragging_zooms(tmp_path: Path) -> None:
    """A drag over the plot shows that stretch alone, and the button shows all again."""
    script = """
    const box = probe.over.getBoundingClientRect();
    const all = document.querySelector(".all");
    const from = probe.ink();
    probe.mouse("mouseenter", box.left + 200, box.top + 50);
    probe.mouse("mousemove", box.left + 200, box.top + 50);
    probe.mouse("mousedown", box.left + 200, box.top + 50);
    probe.mouse("mousemove", box.left + 400, box.top + 60);
    await probe.frame();
    probe.mouse("mouseup", box.left + 400, box.top + 60);
    await probe.frame();
    const zoomed = !all.hidden;
    all.click();
    await probe.frame();
    return { zoomed, back: all.hidden && probe.ink() === from };
    """
    assert probed(tmp_path, real_story(), script) == {"zoomed": True, "back": True}


def test_lists_are_filtered_and_the_table_is_filled(tmp_path: Path) -> None:
    """The filter leaves what was done; the table, once opened, has a row a window."""
    script = """
    const listed = [...document.querySelectorAll("#log li[id]")];
    const seen = () => listed.filter((item) => item.offsetHeight).length;
    document.querySelector("[data-list=done]").click();
    const done = seen();
    document.querySelector("#as-table").open = true;
    await probe.frame();
    return { done, rows: document.querySelectorAll("#as-table tbody tr").length };
    """
    found = probed(tmp_path, real_story(), script)
    acted = [d for d in real_story().decisions if type(d).__name__ in ("Retrain", "Rollback")]
    assert found["done"] == len(acted)
    assert found["rows"] == len(real_story().measurements)


def test_print_is_light(tmp_path: Path) -> None:
    """Printing from the dark draws the canvas on white paper, and returns to the dark."""
    script = """
    const ink = () => getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
    const colors = [ink()];
    dispatchEvent(new Event("beforeprint"));
    colors.push(ink());
    dispatchEvent(new Event("afterprint"));
    colors.push(ink());
    return colors;
    """
    dark = f"--blink-settings=preferredColorScheme={DARK}"
    before, printed, after = probed(tmp_path, real_story(), script, dark)
    assert before == after != printed


@pytest.mark.parametrize("width", [360, 768])
def test_a_narrow_screen_has_nothing_beside_it(width: int, tmp_path: Path) -> None:
    """On a phone's width nothing but tables of their own stands out of the page."""
    script = """
    const wide = document.documentElement.scrollWidth;
    parent.postMessage({ wide, chart: probe.canvas.clientWidth }, "*");
    return {};
    """
    with_probe(tmp_path, real_story(), script)
    frame = tmp_path / "frame.html"
    frame.write_text(
        "<!doctype html><script>addEventListener('message', (event) => {"
        "document.documentElement.dataset.found = JSON.stringify(event.data); });</script>"
        f'<iframe src="report.html" width="{width}" height="900" style="border:0"></iframe>',
        encoding="utf-8",
    )
    found = json.loads(attribute(opened(frame), "found") or "null")
    assert found["wide"] == width
    assert 0.8 * width < found["chart"] <= width
