"""A process that dies before or after any write loses nothing and does nothing twice."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.crash.scenario import SCRIPTS, Life, live


@cache
def unhurt(script: str) -> Life:
    """Return the life without a crash."""
    with TemporaryDirectory() as home:
        return live(script, Path(home))


EXPECTED = {
    "refused": {"refused"},
    "promoted": {"rolled back"},
    "rolled back": {"rolled back"},
    "failed": {"failed", "testing"},
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_script_tells_its_story(script: str) -> None:
    """Each script comes to the outcomes that its name promises, so that they are crashed too."""
    found = {run["status"] for run in unhurt(script).runs[1:]}  # type: ignore[index]
    assert found == EXPECTED[script]


def crashes(script: str) -> list[tuple[int, bool]]:
    """Return every write to die at, and whether after it.

    Before a write that follows another one of the same call, the disk and the calls to send again
    are those after that other one.
    """
    whole = unhurt(script)
    before = [at for at in dict.fromkeys(whole.begins) if at <= whole.writes]
    return [(at, False) for at in before] + [(at, True) for at in range(1, whole.writes + 1)]


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_write(script: str, tmp_path: Path) -> None:
    """After a crash at any write, and the same calls sent again, all records are the same.

    Events, decisions, runs with their steps, versions with the digests of their models, aliases,
    the journal, the labelled rows, the policy's state, and the answers that were given.
    """
    wrong: dict[tuple[int, bool], list[str]] = {}
    for at, after in crashes(script):
        home = tmp_path / f"{at}-{after}"
        home.mkdir()
        different = unhurt(script).differences(live(script, home, at, after=after))
        if different:
            wrong[at, after] = different
    assert not wrong
