"""Weighted and chosen rows through a whole loop: trained on, pinned, read again, trained again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import ratoon as rt
from ratoon.engine import VirtualClock
from ratoon.engine.pinning import unpinned
from ratoon.engine.replay import drive, replay
from ratoon.engine.reproducing import reproduce
from ratoon.stores import MemoryStore, MemoryVault
from ratoon.windows import AgeWeighted, By, Chosen, Everything, TrainableRows
from tests.integration.test_engine_choices import Trainer


def newest(rows: TrainableRows) -> Any:
    """Weigh the newest 300 rows, the older the less."""
    return np.maximum(0.0, (rows.ordinals - rows.ordinals.max() + 300) / 300)


RULES = [
    By(newest, least=100),
    AgeWeighted(half_life="20d", least=100),
    Chosen(
        candidates=(Everything(), By(newest), AgeWeighted(half_life=100)), refit=True, least=100
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=["by", "age", "chosen"])
def test_what_was_trained_on_is_read_again(rule: Any) -> None:
    """A loop retrains on such rows; each pin gives the same rows and weights, the same model."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=900)
    late = (x + 0.3 * rng.normal(size=900) > 0) != (np.arange(900) >= 500)
    table = pd.DataFrame({"x": x, "city": np.where(rng.random(900) < 0.5, "A", "B"), "late": late})
    history = rt.History.of_table(table, target="late", label_delay="1d", first=0.3, batches=40)
    clock, store = VirtualClock(history.at), MemoryStore()
    loop = rt.Loop(
        "small",
        trainer=Trainer(),
        retrain_when=rt.triggers.NewLabels(150),
        accept_if=rt.gates.Untested(),
        train_on=rule,
        window=50,
        clock=clock,
        store=store,
        vault=MemoryVault(),
    )
    for _ in drive(loop, history, clock):
        pass
    runs = loop.runs()
    assert len(runs) > 3
    assert [run.error for run in runs if run.error is not None] == []
    for pin in store.pins():
        again = unpinned(pin, store)
        assert again.digest == pin.digest
        assert (again.weights is None) == (pin.plan.choices[0].rule == "all labelled rows")
    assert reproduce(store, Trainer(), runs[-1].id).same
    assert list(replay(loop, loop.history())["small"].decisions) == list(loop.decisions())
