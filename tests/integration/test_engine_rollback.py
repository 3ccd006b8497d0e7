"""Any kept version is champion again after one call, and answers from then on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import ratoon as rt
from ratoon.core.deciding import Hold, Rollback
from ratoon.core.events import ROLLBACK_REQUESTED, ROLLED_BACK
from tests.integration.engine_loops import ids_of, nothing_stored, numbers_of, on_record, small

VERSIONS = 8  # more than are kept warm


class Numbered:
    """A trainer whose n-th model says n to everything."""

    trained = 0

    def __call__(self, data: rt.DatasetSnapshot) -> LinearRegression:
        self.trained += 1
        return LinearRegression().fit(data.X * 0, np.full(len(data), float(self.trained)))


def loop_at(home: Path, trainer: Numbered) -> rt.Loop:
    """Return the loop in a folder."""
    return small(
        trainer, home=home, accept_if=rt.gates.Untested(), retrain_when=rt.triggers.On("now")
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a loop with many versions, the last of which is champion."""
    home = tmp_path_factory.mktemp("kept")
    with loop_at(home, Numbered()) as loop:
        loop.fit(numbers_of(0, 40), np.sin(np.arange(40.0)).tolist())
        for _ in range(VERSIONS - 1):
            loop.emit("now")
        assert [version.number for version in loop.versions()] == list(range(1, VERSIONS + 1))
    return home


@pytest.fixture
def trainer() -> Numbered:
    """Return a trainer that counts, and goes on where the versions end."""
    found = Numbered()
    found.trained = VERSIONS
    return found


@pytest.fixture
def loop(kept: Path, tmp_path: Path, trainer: Numbered) -> Iterator[rt.Loop]:
    """Return a copy of that loop, opened."""
    shutil.copytree(kept, tmp_path / "home")
    found = loop_at(tmp_path / "home", trainer)
    yield found
    found.close()


def answer(loop: rt.Loop) -> tuple[int, float]:
    """Return which version answers, and what."""
    said = loop.predict(numbers_of(40, 41))
    return said.version, float(np.round(said.outputs[0], 6))


@pytest.mark.parametrize("to", range(1, VERSIONS))
def test_to_any_version(loop: rt.Loop, trainer: Numbered, to: int) -> None:
    """One call makes any kept version champion, without training; a reopened loop has it too."""
    assert answer(loop) == (VERSIONS, float(VERSIONS))
    assert loop.rollback(to, reason="complaints", by="ann") == to
    assert answer(loop) == (to, float(to))
    decision = loop.decisions()[-1]
    assert isinstance(decision, Rollback)
    assert (decision.to, decision.leaves) == (to, VERSIONS)
    assert "ann asked for it: complaints" in decision.reason
    told = [(event.type, dict(event.data)) for event in loop.events()][-2:]
    assert told[0] == (ROLLBACK_REQUESTED, {"to": to, "reason": "complaints", "by": "ann"})
    assert told[1][0] == ROLLED_BACK
    loop.close()
    again = loop_at(Path(loop.home), trainer)
    assert answer(again) == (to, float(to))
    assert again.status().champion.number == to  # type: ignore[union-attr]
    again.close()
    assert trainer.trained == VERSIONS


def test_to_the_one_before(loop: rt.Loop) -> None:
    """Without a number it is the champion's parent, and then that one's."""
    assert [loop.rollback() for _ in range(3)] == [VERSIONS - 1, VERSIONS - 2, VERSIONS - 3]
    assert answer(loop) == (VERSIONS - 3, float(VERSIONS - 3))


def test_forward_again(loop: rt.Loop) -> None:
    """A version that was left can be champion again, as any kept one."""
    loop.rollback(2)
    assert loop.rollback(7) == 7
    assert answer(loop) == (7, 7.0)


def test_to_the_champion(loop: rt.Loop) -> None:
    """A rollback to the champion itself changes nothing, and says so."""
    assert loop.rollback(VERSIONS) == VERSIONS
    decision = loop.decisions()[-1]
    assert isinstance(decision, Hold)
    assert decision.reason == "there is no other version to go back to"
    assert answer(loop) == (VERSIONS, float(VERSIONS))


@pytest.mark.parametrize("to", [0, VERSIONS + 1, -1])
def test_to_no_version(loop: rt.Loop, to: int) -> None:
    """A number that no version has is refused with those that are kept."""
    with nothing_stored(loop), pytest.raises(rt.errors.VersionUnknown, match=r"kept are \[1, 2, 3"):
        loop.rollback(to)


def test_a_retraining_after_a_rollback(loop: rt.Loop) -> None:
    """The next version after a rollback has a new number, and the restored one as its parent."""
    loop.rollback(3)
    loop.retrain("try again", by="ann")
    version = loop.versions()[-1]
    assert (version.number, version.parent) == (VERSIONS + 1, 3)
    assert answer(loop) == (VERSIONS + 1, float(VERSIONS + 1))


def test_labels_after_a_rollback(loop: rt.Loop) -> None:
    """Labels of rows that the left version answered are taken, and judge the restored one."""
    loop.predict(numbers_of(40, 80), ids=ids_of(40, 80))
    loop.rollback(2)
    loop.label(ids_of(40, 80), [2.0] * 40)
    measured = [m for m in loop.measurements() if m.metric == "mae"]
    assert [m.value for m in measured] == pytest.approx([0.0, 0.0])


def test_records_are_only_added(loop: rt.Loop) -> None:
    """A rollback takes nothing back of what was on record."""
    before = on_record(loop)
    loop.rollback(1)
    after = on_record(loop)
    for name in ("events", "decisions", "journal"):
        assert after[name][: len(before[name])] == before[name]  # type: ignore[index,arg-type]
    assert after["versions"] == before["versions"]
