"""A store that reports an error, be the write done or not, leaves a loop that goes on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from ratoon.stores import MemoryStore
from ratoon.testing import CrashingStore, VirtualClock
from tests.crash.scenario import SCRIPTS, START, Life, life_of, loop_on

_TRIES = 2


class FailingStore(CrashingStore):
    """Reports an error at one write, and works before and after."""

    def _die_if(self, *, after: bool) -> None:
        if self.writes == self._at and after == self._after:
            raise OSError("no space left on device")


def live(script: str, home: Path, at: int | None = None, *, after: bool = False) -> Life:
    """Run a script in one process; a call that raises is sent once more."""
    clock, answers = VirtualClock(START), list[object]()
    store = FailingStore(MemoryStore(), at, after=after)
    loop = loop_on(store, home, clock)
    for number, call in enumerate(SCRIPTS[script]):
        clock.set(START + timedelta(minutes=number))
        for attempt in range(_TRIES):
            try:
                answers.append(call(loop))
                break
            except OSError:
                assert attempt == 0
    return life_of(store, answers, store.writes, ())


@pytest.mark.parametrize("after", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize("script", ["promoted", "rolled back"])
def test_every_write(script: str, tmp_path: Path, *, after: bool) -> None:
    """The same loop object, called again, comes to the records of a life without an error."""
    whole = live(script, tmp_path / "whole")
    wrong: dict[int, list[str]] = {}
    for at in range(1, whole.writes + 1):
        different = whole.differences(live(script, tmp_path / str(at), at, after=after))
        if different:
            wrong[at] = different
    assert not wrong
