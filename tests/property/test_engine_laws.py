"""Laws of a live loop: how calls are cut, and when it is opened, decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.naive_bayes import GaussianNB

import ratoon as rt
from ratoon.core import wire
from ratoon.core.deciding import Retrain
from ratoon.core.measuring import RowRange
from ratoon.stores import MemoryStore, MemoryVault
from ratoon.testing import VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)
FEW = settings(max_examples=12)
BEGUN, ROWS, TURNS = 60, 260, 130
PLACE = np.arange(ROWS)
X = np.column_stack([np.sin(PLACE * 1.7), np.cos(PLACE * 0.9)])
LABELS = ["yes" if (x > 0) == (row < TURNS) else "no" for row, x in enumerate(X[:, 0].tolist())]
IDS = [f"p{row}" for row in range(ROWS)]
CUTS = st.sets(st.integers(BEGUN + 1, ROWS - 1), max_size=12)
Call = Callable[[rt.Loop], object]


def train(data: rt.DatasetSnapshot) -> GaussianNB:
    """Fit a model."""
    return GaussianNB().fit(data.X, data.y)


class Life:
    """A loop in memory that may be opened again, in virtual time."""

    def __init__(self, **changes: Any) -> None:
        self.store, self.vault = MemoryStore(), MemoryVault()
        self.clock = VirtualClock(START)
        self.changes = changes
        self.loop = self.opened()

    def opened(self) -> rt.Loop:
        """Return the loop as a new process would open it."""
        usual: dict[str, Any] = {
            "retrain_when": rt.triggers.Degraded("brier", beyond=0.3, windows=1)
            | rt.triggers.On("now"),
            "accept_if": rt.gates.Better("brier", patience=80),
            "rollout": rt.rollouts.Direct("brier", watch=50),
            "train_on": rt.windows.SinceChange(least=20),
            "limits": rt.Limits(retry=15),
            "window": 20,
            "input_window": 30,
            "store": self.store,
            "vault": self.vault,
            "clock": self.clock,
        }
        return rt.Loop("laws", trainer=train, **{**usual, **self.changes})

    def fit(self) -> None:
        """Fit the first version."""
        self.loop.fit(X[:BEGUN], LABELS[:BEGUN])

    def decided(self) -> dict[str, object]:
        """Return everything that was decided, measured and made, as JSON."""
        names = ("events", "decisions", "measurements", "runs", "versions")
        found: dict[str, object] = {n: wire.to_json(list(getattr(self.store, n)())) for n in names}
        rows = self.store.labelled(RowRange(start=0, stop=self.store.counts().labelled))
        aliases = [self.store.alias(name) for name in ("champion", "challenger")]
        return found | {"ids": rows.ids, "values": rows.values, "aliases": aliases}


def pieces(cuts: set[int]) -> list[slice]:
    """Return the rows behind the history, cut."""
    edges = [BEGUN, *sorted(cuts), ROWS]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def whole_life(predicted: set[int], labelled: set[int]) -> Life:
    """Return a life with predictions cut one way and labels another."""
    life = Life()
    life.fit()
    for piece in pieces(predicted):
        life.loop.predict(X[piece], ids=IDS[piece])
    life.clock.advance(timedelta(days=1))
    for piece in pieces(labelled):
        life.loop.label(IDS[piece], LABELS[piece])
    return life


WHOLE = whole_life(set(), set()).decided()


def test_there_is_something_to_decide() -> None:
    """The life that the laws are tried on has a promotion, on evidence."""
    life = whole_life(set(), set())
    assert sum(isinstance(d, Retrain) for d in life.loop.decisions()) > 1
    assert life.store.alias("champion") != 1


@FEW
@given(predicted=CUTS, labelled=CUTS)
def test_cut_batches(predicted: set[int], labelled: set[int]) -> None:
    """Cutting batches of predictions and of labels anywhere changes nothing that is on record."""
    assert whole_life(predicted, labelled).decided() == WHOLE


CALLS: Sequence[Call] = (
    lambda loop: loop.fit(X[:BEGUN], LABELS[:BEGUN]),
    lambda loop: loop.label(["p70"], [LABELS[70]]),
    lambda loop: loop.predict(X[60:100], ids=IDS[60:100]),
    lambda loop: loop.label(IDS[60:70], LABELS[60:70]),
    lambda loop: loop.feedback(["p60", "p61"], ratings=[-1, -1]),
    lambda loop: loop.emit("now", id="e1"),
    lambda loop: loop.label(IDS[71:100], LABELS[71:100]),
    lambda loop: loop.predict(X[100:200], ids=IDS[100:200]),
    lambda loop: loop.label(IDS[100:160], LABELS[100:160]),
    lambda loop: loop.tick(),
    lambda loop: loop.label(IDS[160:200], LABELS[160:200]),
    lambda loop: loop.record(X[200:220], ["no"] * 20, ids=IDS[200:220], scores=[[0.6, 0.4]] * 20),
    lambda loop: loop.label(IDS[200:220], LABELS[200:220]),
    lambda loop: loop.rollback(1),
    lambda loop: loop.retrain("again"),
    lambda loop: loop.predict(X[220:260], ids=IDS[220:260]),
    lambda loop: loop.label(IDS[220:260], LABELS[220:260]),
)


def called(opened_again: set[int]) -> dict[str, object]:
    """Send all calls, one a minute; before some of them the loop is opened again."""
    life = Life()
    for number, call in enumerate(CALLS):
        if number in opened_again:
            life.loop.close()
            life.loop = life.opened()
        life.clock.advance(timedelta(minutes=1))
        call(life.loop)
    return life.decided() | {"saved": life.store.saved(), "counts": life.store.counts()}


STAYED_OPEN = called(set())


@FEW
@given(opened_again=st.sets(st.integers(1, len(CALLS) - 1)))
def test_opened_again(opened_again: set[int]) -> None:
    """Closing and opening the loop between any two calls changes nothing that is on record."""
    assert called(opened_again) == STAYED_OPEN


def test_opened_again_before_every_call() -> None:
    """A loop that is opened anew for each call comes to the same records."""
    assert called(set(range(1, len(CALLS)))) == STAYED_OPEN


@FEW
@given(order=st.permutations(range(BEGUN, 100)))
def test_labels_before_their_predictions(order: list[int]) -> None:
    """Labels that wait for their predictions join in the predictions' order, however they came."""
    lives = Life(), Life()
    for life, rows in zip(lives, (sorted(order), order), strict=True):
        life.fit()
        life.loop.label([IDS[row] for row in rows], [LABELS[row] for row in rows])
        life.loop.predict(X[BEGUN:100], ids=IDS[BEGUN:100])
        life.loop.predict(X[100:], ids=IDS[100:])
        life.loop.label(IDS[100:], LABELS[100:])
    assert lives[0].decided() == lives[1].decided()


@FEW
@given(drawn=st.data())
def test_order_within_a_window(drawn: st.DataObject) -> None:
    """In which order the labels of one window come does not change what is measured of it."""
    lives = Life(retrain_when=rt.triggers.Never()), Life(retrain_when=rt.triggers.Never())
    blocks = [range(start, start + 20) for start in range(BEGUN, ROWS, 20)]
    shuffled = [drawn.draw(st.permutations(block)) for block in blocks]
    for life, order in zip(lives, (blocks, shuffled), strict=True):
        life.fit()
        life.loop.predict(X[BEGUN:], ids=IDS[BEGUN:])
        for block in order:
            life.loop.label([IDS[row] for row in block], [LABELS[row] for row in block])
    ours, theirs = (life.loop.measurements() for life in lives)
    assert [m.window.rows for m in ours] == [m.window.rows for m in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-9)


@FEW
@given(rows=st.sets(st.integers(BEGUN, ROWS - 1), min_size=30))
def test_the_same_life_twice(rows: set[int]) -> None:
    """The same calls at the same times give the same records: nothing is left to chance."""
    found: list[dict[str, object]] = []
    for _ in range(2):
        life = Life()
        life.fit()
        life.loop.predict(X[BEGUN:], ids=IDS[BEGUN:])
        kept = list(rows)
        life.loop.label([IDS[row] for row in kept], [LABELS[row] for row in kept])
        found.append(life.decided())
    assert found[0] == found[1]
