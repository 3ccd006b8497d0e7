"""A small history whose concept turns around again and again, and a loop on it that is quick."""

from __future__ import annotations

from typing import Any

import numpy as np

import ratoon as rt
from ratoon.engine.tuning import Family, Number, Whole

ROWS = 1600
TURN = 300  # rows of a concept
COST = 5.0


class Sign:
    """A classifier that has learnt which sign of the first column belongs to label 1."""

    classes_ = (0, 1)

    def __init__(self, share: float) -> None:
        self.share = share  # of label 1 among rows above 0

    def predict_proba(self, rows: Any) -> Any:
        above = np.asarray(rows)[:, 0] > 0
        chance = np.where(above, self.share, 1 - self.share)
        return np.stack([1 - chance, chance], axis=1)

    def predict(self, rows: Any) -> Any:
        return self.predict_proba(rows).argmax(axis=1)


def train(data: rt.DatasetSnapshot) -> Sign:
    """Learn from the newest half of the rows, within 5 % and 95 %."""
    x, y = data.X[:, 0], data.y
    newest = slice(len(y) // 2, None)
    agree = np.mean((x[newest] > 0) == (y[newest] == 1))
    return Sign(float(np.clip(agree, 0.05, 0.95)))


def table(rows: int = ROWS, seed: int = 0) -> dict[str, Any]:
    """Two columns, of which the first decides, and labels."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2))
    turned = np.arange(rows) // TURN % 2 == 1
    noise = rng.random(rows) < 0.05
    return {"a": x[:, 0], "b": x[:, 1], "y": ((x[:, 0] > 0) ^ turned ^ noise).astype(int)}


def history(rows: int = ROWS, seed: int = 0) -> rt.History:
    """That table over a year, in few batches, labels twenty days late."""
    return rt.History.of_table(
        table(rows, seed), target="y", label_delay="20d", first=0.2, batches=24, name="turns"
    )


def loop(**changes: Any) -> rt.Loop:
    """A loop with short windows, which retrains on the newest rows."""
    settings: dict[str, Any] = {
        "trainer": train,
        "window": 50,
        "train_on": rt.windows.Last(rows=200, least=60),
        "accept_if": rt.gates.Untested(),
        "checks": False,
    }
    return rt.Loop("turns", **{**settings, **changes})


def degraded(by: float, windows: int) -> Any:
    """A trigger with two settings."""
    return rt.triggers.Degraded(by=by, windows=windows)


def space() -> list[Family]:
    """Two families with settings, of which one has a start."""
    return [
        Family(
            "degraded",
            degraded,
            settings={"by": Number(0.05, 3.0, log=True), "windows": Whole(1, 3)},
            start={"by": 0.1, "windows": 2},
        ),
        Family("labels", rt.triggers.NewLabels, settings={"rows": Whole(50, 500)}),
    ]
