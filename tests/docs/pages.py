"""The pages, and what is read from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = (
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "CHANGELOG.md",
    *sorted(DOCS.rglob("*.md")),
)
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its language and its text."""

    language: str
    text: str


def name_of(page: Path) -> str:
    """Return a page's name, from the root of the repository."""
    return page.relative_to(ROOT).as_posix()


def read(name: str) -> str:
    """Return the text of a page below the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    return [Block(language=found[1], text=found[2]) for found in _FENCE.finditer(text)]


def prose(text: str) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", text)


def inline_code(text: str) -> list[str]:
    """Return what stands between backticks on one line, outside of fenced blocks."""
    return _CODE.findall(prose(text))


def tables(text: str) -> Iterator[list[list[str]]]:
    """Yield the bodies of the tables of a page: rows of cells."""
    for found in re.finditer(r"(?:^\|.*\|\n?)+", prose(text), re.MULTILINE):
        lines = found[0].strip().splitlines()
        yield [_cells(line) for line in lines[2:]]


def _cells(line: str) -> list[str]:
    """Return the cells of a row; an escaped bar does not part them."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def first_cells(name: str) -> list[str]:
    """Return the first cell of each row of all tables of a page, without backticks."""
    return [row[0].strip("`") for table in tables(read(name)) for row in table]


def sections(text: str) -> dict[str, str]:
    """Return what stands below each heading of the second level, by its text without backticks."""
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    pairs = (part.partition("\n") for part in parts)
    return {title.strip().strip("`"): body for title, _, body in pairs}
