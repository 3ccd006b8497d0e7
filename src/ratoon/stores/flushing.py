"""When rows go from the write-ahead file to the tables: in large pieces, or after some seconds."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

_ROWS = 10_000  # that wait, at most, before a flush
_AFTER_S = 5  # that the first of them waits, at most
_AGAIN_S = 5  # after a flush that failed: the disk may be full


class Flusher:
    """Calls a function in a thread of its own when enough has come, or time has passed."""

    def __init__(self, flush: Callable[[], None], note: Path | None = None) -> None:
        """Begin with nothing to flush; the thread begins with the first row.

        Args:
            flush: a method; the thread does not keep its object alive, and ends with it.
            note: a file where other processes read why the last flush failed, as long as it has.
        """
        self._note = note
        self._flush = weakref.WeakMethod(flush)
        weakref.finalize(flush.__self__, self._end)  # type: ignore[attr-defined]
        self._condition = threading.Condition()
        self._flushing = threading.RLock()
        self._waiting = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self.error: BaseException | None = None  # why the last flush of the thread failed

    def grown(self, waiting: int) -> None:
        """Tell how much waits now."""
        with self._condition:
            first = not self._waiting
            self._waiting = waiting
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="ratoon-flush")
                self._thread.start()
            if first or waiting >= _ROWS:
                self._condition.notify()

    def now(self) -> None:
        """Flush in this thread; what it raises is raised here."""
        with self._flushing:
            flush = self._flush()
            if flush is not None:
                flush()
        self._waiting, self.error = 0, None
        if self._note is not None and self._note.exists():
            with suppress(OSError):
                self._note.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Generator[None]:
        """Let nothing be flushed but by this thread."""
        with self._flushing:
            yield

    def stop(self) -> None:
        """End the thread."""
        self._end()
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """End the thread, then flush what is left."""
        self.stop()
        self.now()

    def _end(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify()

    def _run(self) -> None:
        while self._wait():
            try:
                self.now()
                self.error = None
            except Exception as error:  # noqa: BLE001 - the rows are safe, and the next try may do
                self.error = error
                self._tell(error)
                with self._condition:
                    self._condition.wait_for(lambda: self._closed, timeout=_AGAIN_S)

    def _tell(self, error: Exception) -> None:
        """Leave a note for other processes, where the disk still takes one."""
        if self._note is not None:
            with suppress(OSError):
                self._note.write_text(f"{type(error).__name__}: {error}", encoding="utf-8")

    def _wait(self) -> bool:
        """Wait until there is enough to flush; False where there is an end."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._waiting > 0)
            self._condition.wait_for(
                lambda: self._closed or self._waiting >= _ROWS, timeout=_AFTER_S
            )
            return not self._closed


def trouble_of(flusher: Flusher | None, note: Path) -> str | None:
    """Return why the last flush failed, of this process or, by its note, of the one that writes.

    The rows are safe in the write-ahead file meanwhile, and the next try follows by itself.
    """
    if flusher is not None and flusher.error is not None:
        return f"{type(flusher.error).__name__}: {flusher.error}"
    try:
        return note.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
