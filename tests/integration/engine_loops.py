"""Small loops, and what is on record of them, for the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.naive_bayes import GaussianNB

import ratoon as rt
from ratoon.stores import MemoryStore, MemoryVault
from ratoon.stores.protocol import Store

HISTORY = 60
Trainer = Callable[[rt.DatasetSnapshot], Any]


def rows_of(start: int, stop: int) -> dict[str, Any]:
    """Return rows by their number, with a column of every kind of value."""
    place = np.arange(start, stop)
    return {
        "x": np.sin(place * 1.7),
        "n": place % 5,
        "known": place % 2 == 0,
        "city": [("Porto", "Faro")[number % 2] for number in place.tolist()],
        "gap": np.where(place % 7 == 0, np.nan, 1.0),
    }


def numbers_of(start: int, stop: int) -> dict[str, Any]:
    """Return rows of two numbers."""
    place = np.arange(start, stop)
    return {"x": np.sin(place * 1.7), "z": np.cos(place * 0.9)}


def labels_of(start: int, stop: int) -> list[str]:
    """Return the labels of rows by their number."""
    return ["yes" if value > 0 else "no" for value in np.sin(np.arange(start, stop) * 1.7)]


def ids_of(start: int, stop: int) -> list[str]:
    """Return ids of rows."""
    return [f"p{number}" for number in range(start, stop)]


def train(data: rt.DatasetSnapshot) -> Any:
    """Fit a quick model on the first column."""
    return OneColumn().fit(data.X, data.y)


class OneColumn:
    """A classifier that looks at the first column alone, whatever the others hold."""

    def fit(self, rows: Any, labels: Any) -> OneColumn:
        self.inner = GaussianNB().fit(first_column(rows), labels)
        self.classes_ = self.inner.classes_
        return self

    def predict(self, rows: Any) -> Any:
        return self.inner.predict(first_column(rows))

    def predict_proba(self, rows: Any) -> Any:
        return self.inner.predict_proba(first_column(rows))


def first_column(rows: Any) -> Any:
    """Return the first column of an array or a frame."""
    column = rows[:, 0] if isinstance(rows, np.ndarray) else rows["x"]
    return np.asarray(column, dtype=float).reshape(-1, 1)


def small(trainer: Trainer = train, **settings: Any) -> rt.Loop:
    """Return a loop in memory that trains on few rows."""
    usual: dict[str, Any] = {
        "train_on": rt.windows.Everything(least=20),
        "retrain_when": rt.triggers.On("now"),
        "limits": rt.Limits(retry=10),
        "window": 20,
        "checks": False,  # rows of a few sines are no data that rules can be inferred from
    }
    if "home" not in settings:
        usual |= {"store": MemoryStore(), "vault": MemoryVault()}
    return rt.Loop("small", trainer=trainer, **{**usual, **settings})


def fitted(trainer: Trainer = train, **settings: Any) -> rt.Loop:
    """Return a loop that was fitted on rows of every kind."""
    loop = small(trainer, **settings)
    loop.fit(rows_of(0, HISTORY), labels_of(0, HISTORY))
    return loop


def store_of(loop: rt.Loop) -> Store:
    """Return the store of a loop, opening it."""
    return loop._open().store


def on_record(loop: rt.Loop) -> dict[str, object]:
    """Return all that is on record of an open loop, as values that compare."""
    store = store_of(loop)
    return {
        "counts": store.counts(),
        "journal": [(e.seq, e.draft.kind, e.draft.ids, e.joined) for e in store.entries(0)],
        "saved": store.saved(),
        "events": list(store.events()),
        "decisions": list(store.decisions()),
        "runs": list(store.runs()),
        "versions": list(store.versions()),
        "champion": store.alias("champion"),
    }


@contextmanager
def nothing_stored(loop: rt.Loop) -> Iterator[None]:
    """Check that what happens within leaves no trace."""
    before = on_record(loop)
    yield
    assert on_record(loop) == before


def files_below(home: Path) -> list[Path]:
    """Return the files below a folder."""
    return sorted(path for path in home.rglob("*") if path.is_file())
