"""The file of data rules that a person may edit."""

from __future__ import annotations

from pathlib import Path

import pytest

from ratoon.core.errors import RulesUnreadable
from ratoon.stores.rulebook import FileRuleBook, Written


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Rules are read as they were written, with their reference and the name of their file."""
    book = FileRuleBook(tmp_path / "fraud.rules.toml")
    assert book.read() is None
    book.write(Written(text="version = 1\n", reference="abc"))
    found = book.read()
    assert found is not None
    assert (found.reference, found.source) == ("abc", str(book.path))
    assert found.text == "# reference: snapshot abc\nversion = 1\n"


def test_what_an_editor_does_is_no_matter(tmp_path: Path) -> None:
    """A byte order mark, and line ends of two bytes, change nothing."""
    book = FileRuleBook(tmp_path / "fraud.rules.toml")
    book.write(Written(text="version = 1\n", reference="abc"))
    plain = book.read()
    book.path.write_bytes(b"\xef\xbb\xbf" + book.path.read_bytes().replace(b"\n", b"\r\n"))
    assert book.read() == plain


def test_no_text(tmp_path: Path) -> None:
    """A file that is no UTF-8 is refused by its name and its line."""
    book = FileRuleBook(tmp_path / "fraud.rules.toml")
    book.path.write_bytes("version = 1\n# für\n".encode("latin-1"))
    with pytest.raises(RulesUnreadable, match=r"fraud\.rules\.toml, line 2 must be text") as caught:
        book.read()
    assert caught.value.line == 2


def test_no_file(tmp_path: Path) -> None:
    """What cannot be opened is refused by its name."""
    book = FileRuleBook(tmp_path / "fraud.rules.toml")
    book.path.mkdir()
    with pytest.raises(RulesUnreadable, match="a file that can be read") as caught:
        book.read()
    assert caught.value.line is None
