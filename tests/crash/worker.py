"""A process that sends calls to a loop, says which are done, and is killed within a write.

Run as ``python -m tests.crash.worker HOME SCRIPT BEGIN STATEMENT``: it begins with the call BEGIN
and kills itself at the given SQL statement that changes something, counted from 1.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ratoon.stores.book import SqlBook, sqlite_engine
from ratoon.stores.local import LocalStore
from ratoon.testing import VirtualClock
from tests.crash.scenario import NAME, SCRIPTS, START, loop_on


def main(home: Path, script: str, begin: int, statement: int) -> None:
    """Send the calls."""
    engine = sqlite_engine(home / "ratoon.db")
    begun = 0

    def count(_: object, __: object, text: str, *___: Any) -> None:
        nonlocal begun
        begun += text.startswith(("INSERT", "UPDATE"))
        if begun == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(engine, "before_cursor_execute", count)
    clock = VirtualClock(START)
    loop = loop_on(LocalStore(SqlBook(engine, NAME), home / "log", epoch=1), home, clock)
    for number, call in list(enumerate(SCRIPTS[script]))[begin:]:
        clock.set(START + timedelta(minutes=number))
        call(loop)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
