"""Links between pages and to files lead somewhere."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, name_of, prose, read

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
ANCHOR_IN_REFERENCE = "ratoon."


def links(page: Path) -> list[str]:
    """Return the targets of a page's links, but for those to the network."""
    found = LINK.findall(prose(page.read_text(encoding="utf-8")))
    return [target for target in found if not target.startswith(("http://", "https://"))]


def anchors(page: Path) -> set[str]:
    """Return the anchors that Markdown makes of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", prose(page.read_text(encoding="utf-8")), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", title).strip().lower() for title in titles)
    return {re.sub(r"[\s]+", "-", title) for title in plain}


def is_named(path: str) -> bool:
    """Tell whether a dotted path leads to something in the package."""
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_resolve(page: Path) -> None:
    """Each link leads to a file that is there, and to a heading or a name in it."""
    wrong: list[str] = []
    for target in links(page):
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        if not path.exists():
            wrong.append(target)
        elif anchor.startswith(ANCHOR_IN_REFERENCE):
            wrong += [] if path == DOCS / "reference.md" and is_named(anchor) else [target]
        elif anchor and anchor not in anchors(path):
            wrong.append(target)
    assert not wrong


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=name_of)
def test_pages_stay_inside(page: Path) -> None:
    """A page of the documentation links to nothing outside of it, which the site would lack."""
    for target in links(page):
        file = target.partition("#")[0]
        assert (page.parent / file).resolve().is_relative_to(DOCS), target


def test_every_page_is_reached() -> None:
    """Every page stands in the navigation, and every entry of the navigation is a page."""
    nav = read("mkdocs.yml").partition("\nnav:\n")[2]
    named = re.findall(r"([\w./-]+\.md)", nav)
    pages = [page.relative_to(DOCS).as_posix() for page in sorted(DOCS.rglob("*.md"))]
    assert sorted(named) == sorted(pages)


def test_no_machine_paths() -> None:
    """No page names a path of somebody's machine."""
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", read(name_of(page)))


def test_files_in_backticks_exist() -> None:
    """A file of the repository that a page names is there."""
    pattern = re.compile(r"`((?:src|docs|tests|tools|examples)/[\w./-]+)`")
    for page in PAGES:
        for path in pattern.findall(read(name_of(page))):
            assert (ROOT / path).exists(), f"{name_of(page)}: {path}"
