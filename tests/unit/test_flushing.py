"""The thread that brings rows to the tables: what it tells where it fails."""

from __future__ import annotations

import threading
from pathlib import Path

from ratoon.stores.flushing import Flusher, trouble_of


class Table:
    """Something to flush to, which fails at first."""

    def __init__(self) -> None:
        self.fails = True
        self.tried = threading.Event()

    def flush(self) -> None:
        """Fail, or not."""
        if self.fails:
            self.tried.set()
            message = "no room"
            raise OSError(message)


def test_a_failure_is_told_until_a_flush_succeeds(tmp_path: Path) -> None:
    """Why a flush failed stands in the flusher and, for others, in a file, until one succeeds."""
    table, note = Table(), tmp_path / "flush.error"
    flusher = Flusher(table.flush, note)
    assert trouble_of(flusher, note) is None
    flusher.grown(10_000)
    assert table.tried.wait(10)
    flusher.stop()
    assert trouble_of(flusher, note) == trouble_of(None, note) == "OSError: no room"
    table.fails = False
    flusher.now()
    assert trouble_of(flusher, note) is None
    assert trouble_of(None, note) is None


def test_a_note_that_cannot_be_written(tmp_path: Path) -> None:
    """Where even the note finds no room, the process itself still knows."""
    table = Table()
    flusher = Flusher(table.flush, tmp_path / "gone" / "flush.error")
    flusher.grown(10_000)
    assert table.tried.wait(10)
    flusher.stop()
    assert trouble_of(flusher, tmp_path / "gone" / "flush.error") == "OSError: no room"
