"""The page on a replay in a real browser: light and dark, wide and narrow."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_report_browser import BROWSER, DARK, LIGHT, attribute, opened
from tests.unit.test_report_replay import real_report

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser is on the path")

PROBE = """
<script>
const style = (query, name) => getComputedStyle(document.querySelector(query))[name];
const inside = [...document.querySelectorAll(".frontier text")].every((text) => {
  const box = text.getBoundingClientRect();
  const room = text.closest("svg").getBoundingClientRect();
  return box.left >= room.left - 2 && box.right <= room.right + 2;
});
document.documentElement.dataset.found = JSON.stringify({
  wide: document.documentElement.scrollWidth,
  paper: style("body", "backgroundColor"),
  line: style(".policy .effect", "stroke"),
  axis: style(".frontier .axis", "fill"),
  courses: document.querySelectorAll(".policy svg .effect").length,
  inside,
});
parent.postMessage(document.documentElement.dataset.found, "*");
</script></body>
"""


def page(folder: Path) -> Path:
    """Write the page without its policy, with a script that looks at it."""
    html = real_report().to_html()
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    path = folder / "replay.html"
    path.write_text(html.replace("</body>", PROBE), encoding="utf-8")
    return path


def probed(folder: Path, *options: str) -> Any:
    return json.loads(attribute(opened(page(folder), *options), "found") or "null")


def test_light_and_dark_differ_and_all_is_drawn(tmp_path: Path) -> None:
    """Each policy has its course, names stand inside the picture, and both schemes have colours."""
    light, dark = (
        probed(tmp_path, f"--blink-settings=preferredColorScheme={scheme}")
        for scheme in (LIGHT, DARK)
    )
    for found in (light, dark):
        assert found["courses"] == 3
        assert found["axis"] == "none"
        assert found["inside"]
    assert light["paper"] != dark["paper"]
    assert light["line"] != dark["line"]


@pytest.mark.parametrize("width", [360, 768])
def test_a_narrow_screen_has_nothing_beside_it(width: int, tmp_path: Path) -> None:
    """On a phone's width nothing stands out: tables and drawings scroll by themselves."""
    page(tmp_path)
    frame = tmp_path / "frame.html"
    frame.write_text(
        "<!doctype html><script>addEventListener('message', (event) => {"
        "document.documentElement.dataset.found = event.data; });</script>"
        f'<iframe src="replay.html" width="{width}" height="900" style="border:0"></iframe>',
        encoding="utf-8",
    )
    assert json.loads(attribute(opened(frame), "found") or "null")["wide"] == width
