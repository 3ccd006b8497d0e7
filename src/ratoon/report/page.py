"""One HTML file: template, style, scripts and data put together."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from os import PathLike
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from ratoon.core.wire import Json
from ratoon.report import phrasing
from ratoon.report.chart import LINES_MOST, chart
from ratoon.report.decisions import passages
from ratoon.report.headline import columns, headline, table
from ratoon.report.index import Index, indexed
from ratoon.report.kinds import KINDS
from ratoon.report.story import Story
from ratoon.report.versions import lived

_STYLES = ("vendor/uPlot.min.css", "assets/report.css")
_SCRIPTS = (
    "assets/errors.js",
    "vendor/uPlot.iife.min.js",
    "assets/lanes.js",
    "assets/tip.js",
    "assets/timeline.js",
    "assets/page.js",
)
# In a script element, HTML knows only the end of the script; in JSON, these can stand for it.
_UNSAFE = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def write_report(path: str | PathLike[str], story: Story) -> None:
    """Write a story as one HTML file, which opens without a network.

    The file holds its style, its scripts (uPlot 1.6.32, MIT) and its data; it loads nothing, and
    its content security policy allows no other script to run. The same story gives the same bytes.
    What is drawn and listed is limited, and the page says what was left out.

    Args:
        path: the file; its folder exists. A file that is there is replaced.
        story: what to tell.

    Raises:
        OSError: the file can not be written.

    Example:
        >>> from tempfile import mkdtemp
        >>> target = Path(mkdtemp()) / "report.html"
        >>> story = Story(
        ...     title="Fraud",
        ...     about="A loop that has just begun.",
        ...     loop="fraud",
        ...     metric="log_loss",
        ...     greater_is_better=False,
        ... )
        >>> write_report(target, story)
        >>> "A loop that has just begun." in target.read_text(encoding="utf-8")
        True
    """
    Path(path).write_text(_rendered(story), encoding="utf-8", errors="replace", newline="\n")


def _rendered(story: Story) -> str:
    index = indexed(story)
    drawn, numbers = chart(story, index), headline(story, index)
    style = _joined(_STYLES)
    scripts = [asset(name) for name in _SCRIPTS]
    template = environment().get_template("report.html")
    return template.render(
        story=story,
        numbers=numbers,
        columns=columns(len(numbers)),
        rows=table(story),
        chart=drawn,
        kinds=KINDS,
        lines_most=LINES_MOST,
        passages=passages(index),
        versions=lived(story, index),
        left_out=_left_out(index),
        policy=_policy(style, scripts),
        style=style,
        scripts=scripts,
        data=_embedded(drawn.data),
    )


def environment() -> Environment:
    """Return what renders the templates of this package."""
    environment = Environment(
        loader=PackageLoader("ratoon.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = phrasing.moment
    return environment


def _embedded(data: Json) -> str:
    """Return JSON that can stand in a script element, whatever the texts in it say."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_UNSAFE)


def _policy(style: str, scripts: list[str]) -> str:
    """Return a content security policy that allows the page's own style and scripts alone."""
    allowed = " ".join(source_of(script) for script in scripts)
    return f"default-src 'none'; style-src {source_of(style)}; script-src {allowed}"


def source_of(text: str) -> str:
    """Return what a content security policy calls a text that it allows."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _left_out(index: Index) -> tuple[str, ...]:
    parts = (
        (index.decisions_left_out, "older decision"),
        (index.versions_left_out, "older version"),
    )
    return tuple(f"{phrasing.count(n, noun)} not listed" for n, noun in parts if n)


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join(asset(name) for name in names)


def asset(name: str) -> str:
    """Return a file of the page's, as text."""
    return resources.files("ratoon.report").joinpath(name).read_text(encoding="utf-8")
