"""A folder whose files are brought to a loop as they come."""

from __future__ import annotations

import glob
import hashlib
import json
import select
import signal
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from ratoon.cli import showing
from ratoon.cli.handing_in import Asked, Taken, hand_in, rows_of, show, taken
from ratoon.cli.opening import opened
from ratoon.core.errors import RatoonError, SettingInvalid, StoreUnwritable
from ratoon.core.times import duration

if TYPE_CHECKING:
    from ratoon.sources import Watched
    from ratoon.stores.local import LocalStore

_BY_SIGNAL = 128  # and its number: the exit code of what a signal has ended
_STATE = "watched"  # the folder, beside the loops, where it is remembered what was taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """Whether and how a folder is watched."""

    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="SOURCE is a folder, or a pattern of its files: take each of them once as they "
            "come, until interrupted.",
        ),
    ] = False
    every: Annotated[str, typer.Option(metavar="TIME", help="How often to look, with --watch.")] = (
        "5s"
    )
    still: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="How long a file must not have changed, with --watch; 0s for files that are "
            "written elsewhere and moved there.",
        ),
    ] = "10s"


def bring(asked: Asked, sources: Sequence[str], watching: Watching) -> None:
    """Bring the rows of sources to a loop: once, or as they come."""
    if not watching.watch:
        hand_in(asked, sources)
        return
    if len(sources) != 1 or sources[0] == "-" or "://" in sources[0]:
        raise typer.BadParameter("it watches one folder, or one pattern", param_hint="--watch")
    every = duration("every", watching.every).total_seconds()
    if not every:
        raise SettingInvalid("every", "above 0", watching.every)
    with opened(asked.common.folder, asked.loop):
        pass  # the loop must be there
    with _watched(asked, sources[0], watching.still) as watched:
        _go_on(asked, watched, every)


def _go_on(asked: Asked, watched: Watched, every: float) -> None:
    """Look again and again, until a person has enough of it."""
    _say(asked, f"Watching {watched.folder} for {watched.pattern}. Ctrl-C ends it.")
    told, rows = dict[str, Taken](), 0
    with _Enough() as enough:
        while True:
            for found in _look(asked, watched, enough):
                if not found.again or told.get(found.source) != replace(found, at=None):
                    _tell(asked, found)
                told[found.source] = replace(found, at=None)  # what must wait is told once
                rows += found.rows
            if enough.within(every):
                break
    _sum_up(asked, watched, rows)
    raise typer.Exit(_BY_SIGNAL + (enough.signal or 0))


class _Enough:
    """Knows when a person, or the system, has had enough: the file in hand is finished first.

    The second signal is as rude as ever.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._woken, self._wake = socket.socketpair()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._asked)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._woken.close()
        self._wake.close()

    def _asked(self, number: int, _frame: object) -> None:
        self.signal = number
        signal.signal(number, self._before[number])
        self._wake.send(b".")

    def within(self, seconds: float) -> bool:
        """Wait so long, or until it is enough; tell whether it is."""
        select.select([self._woken], [], [], seconds)
        return self.signal is not None


def _look(asked: Asked, watched: Watched, enough: _Enough) -> Generator[Taken]:
    """Take the files that are due; yield what became of each of them."""
    from ratoon.engine import SystemClock  # noqa: PLC0415 - slow to import

    now = SystemClock().now()
    due = watched.due(now)
    if not due:
        return
    with opened(asked.common.folder, asked.loop) as store:
        for path in due:
            if enough.signal is not None:
                return
            found = replace(_one(asked, store, path), at=now.isoformat())
            if found.refused is None:
                watched.taken(path)
            elif not found.again:
                watched.set_aside(path, found.refused)
            yield found


def _one(asked: Asked, store: LocalStore, path: Path) -> Taken:
    """Bring the rows of one file; whatever is wrong with it, the others go on."""
    try:
        return taken(asked, store, str(path))
    except (SettingInvalid, StoreUnwritable) as error:
        return Taken(
            source=str(path),
            rows=0,
            batches=0,
            left_out=0,
            refused=error.fact,
            hint=error.hint,
            again=error.transient,
        )


def _tell(asked: Asked, found: Taken) -> None:
    if asked.common.json:
        typer.echo(json.dumps(showing.plain(found)))
    else:
        show(asked, found)


def _sum_up(asked: Asked, watched: Watched, rows: int) -> None:
    """Tell how the folder stands."""
    report = watched.report()
    files = showing.counted(report.taken, "file")
    _say(asked, f"{rows_of(asked, rows)} stored; of the folder {files} taken.")
    for path in report.changed:
        _say(asked, f"Changed after it was taken: {path}")
    for one in report.refused:
        _say(asked, f"Set aside until it changes: {one.path}: {one.reason}")


def _say(asked: Asked, text: str) -> None:
    if asked.common.json:
        typer.echo(text, err=True)
    else:
        showing.say(text)


@contextmanager
def _watched(asked: Asked, source: str, still: str) -> Generator[Watched]:
    """Open what is remembered of a folder; one process at a time may."""
    from ratoon.sources import Watched  # noqa: PLC0415 - slow to import
    from ratoon.stores.locking import locked  # noqa: PLC0415

    folder, pattern = _parted(source)
    kept = asked.common.folder / _STATE
    kept.mkdir(exist_ok=True)
    where = f"{folder.resolve()}\n{pattern}".encode()
    name = f"{asked.loop}-{asked.kind.what}-{hashlib.sha256(where).hexdigest()[:16]}"
    try:
        lock = locked(kept / f"{name}.lock")
    except OSError as error:
        fact = f"another process watches {source} for the {asked.kind.what} of {asked.loop!r}"
        raise RatoonError(fact, hint="end that one first; nothing was taken here") from error
    try:
        yield Watched(folder, pattern=pattern, state=kept / f"{name}.json", still=still)
    finally:
        lock.close()


def _parted(source: str) -> tuple[Path, str]:
    """Return the folder of a pattern, and the pattern below it.

    >>> folder, pattern = _parted("in/2026-*/*.csv")
    >>> folder.name, pattern
    ('in', '2026-*/*.csv')
    """
    path = Path(source)
    if not glob.has_magic(source) or path.is_dir():
        return path, "*"
    parts = path.parts
    first = next(n for n, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:first]), str(Path(*parts[first:]))
