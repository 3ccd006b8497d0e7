"""What a type checker tells of the data under a loop. Checked by `make check`, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, assert_type

import ratoon as rt
from ratoon.core import Quarantined, RowChoice, RowRange
from ratoon.engine import Data, Difference, Reproduction, Touched
from ratoon.sources import read
from ratoon.stores import Receipt
from ratoon.stores.protocol import Forgotten
from ratoon.windows import Pin, TrainableRows


def kept(data: Data) -> None:
    """Look at snapshots, and read one again."""
    assert_type(data.snapshots(), Sequence[Pin])
    pin = data.pin("c78f2b")
    assert_type(pin.rows, tuple[RowRange, ...])
    assert_type(pin.plan.choices, tuple[RowChoice, ...])
    assert_type(pin.erased, int)
    assert_type(data.snapshot(pin.digest), rt.DatasetSnapshot)
    assert_type(data.diff("c78f2b", "a1"), Difference)


def touched(data: Data) -> None:
    """Tell what rows have touched, set them aside, let go of them."""
    assert_type(data.blame(["a"]), Touched)
    assert_type(data.blame(["a"]).versions, tuple[int, ...])
    assert_type(data.set_aside(["a"], "a test"), Quarantined)
    assert_type(data.release("quarantine-1"), Quarantined)
    gone, after = data.forget(["a"], reason="asked for it")
    assert_type(gone, Forgotten)
    assert_type(after, Touched)
    assert_type(data.prune(age=timedelta(days=400), rows=1_000_000), int)
    data.forget(7)  # pyright: ignore[reportArgumentType]


def done_again(loop: rt.Loop) -> None:
    """Train a run again."""
    found = loop.reproduce("run-1")
    assert_type(found, Reproduction)
    assert_type((found.same, found.erased), tuple[bool, int])
    assert_type(found.largest_difference, float | None)


def brought(loop: rt.Loop) -> None:
    """Bring the rows of files, batch by batch."""
    for batch in read("scored/*.parquet", batch_rows=10_000):
        assert_type(loop.record(batch, [True] * 3), Receipt)
    read("scored.dat", format="excel")  # pyright: ignore[reportArgumentType]


def mornings(rows: TrainableRows) -> Any:
    """Choose rows to train on."""
    assert_type(len(rows), int)
    return rows.columns["hour"] < 12


def chosen() -> None:
    """Train on what a function chooses."""
    rt.windows.By(mornings, name="mornings")
    rt.windows.By("mornings")  # pyright: ignore[reportArgumentType]


def refused() -> None:
    """Read what an error carries."""
    try:
        rt.triggers.Every(days=-1)
    except rt.errors.RulesUnreadable as error:
        assert_type(error.line, int | None)
    except rt.errors.SettingInvalid as error:
        assert_type(error.setting, str)
    except rt.errors.PredictionsUnknown as error:
        assert_type(error.row_ids, tuple[str, ...])
