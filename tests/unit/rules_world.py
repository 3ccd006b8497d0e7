"""Data to check, made by a known law, and faults put into one batch of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratoon.core.schema import Column, Schema
from ratoon.windows.judged import Target
from ratoon.windows.rows import Rows
from ratoon.windows.rules.data import Dataset

BATCH = 250
BATCHES = 24
START = np.datetime64("2026-01-01", "us")
HOUR = np.timedelta64(3_600_000_000, "us")
TARGET = Target(task="binary", classes=("good", "bad"))
SCHEMA = Schema(
    columns=(
        Column(name="age", kind="number"),
        Column(name="income", kind="number"),
        Column(name="celsius", kind="number", nullable=True),
        Column(name="height_cm", kind="number"),
        Column(name="visits", kind="integer"),
        Column(name="city", kind="category", nullable=True),
        Column(name="plan", kind="category"),
        Column(name="member", kind="boolean"),
    )
)
CITIES = np.array([f"city {i}" for i in range(12)], dtype=object)
PLANS = np.array(["free", "basic", "pro"], dtype=object)

Chance = np.random.Generator
Fault = Callable[[Dataset, NDArray[np.bool_], Chance], Dataset]


def world(chance: Chance, rows: int, *, drift: float = 0.0, first: int = 0) -> Dataset:
    """Return rows; `drift` from 0 to 1 is how far they have moved by the last one."""
    far = drift * np.linspace(0, 1, rows)
    season = np.sin(np.linspace(0, 2 * np.pi, rows)) * bool(drift)
    age = chance.normal(45, 12, rows) + 4 * far
    income = chance.lognormal(10, 0.6, rows) * (1 + far)
    celsius = chance.normal(15, 6, rows) + 10 * season
    celsius[chance.random(rows) < 0.05 + 0.1 * far] = np.nan
    city = CITIES[chance.integers(0, 12, rows)]
    moved = chance.random(rows) < 0.05 * far
    city[moved] = "a new city"
    city[chance.random(rows) < 0.02] = None
    risk = -1.2 + 0.05 * (age - 45) - 0.8 * np.log(income / 22_000) + 0.8 * far
    bad = chance.random(rows) < 1 / (1 + np.exp(-risk))
    columns: dict[str, Any] = {
        "age": age,
        "income": income,
        "celsius": celsius,
        "height_cm": chance.normal(170, 9, rows),
        "visits": chance.poisson(np.where(chance.random(rows) < 0.5, 0.0, 3 + far)),
        "city": city,
        "plan": PLANS[chance.choice(3, rows, p=(0.6, 0.3, 0.1))],
        "member": chance.random(rows) < 0.3,
    }
    times = START + HOUR * np.arange(first, first + rows)
    return Dataset(
        rows=Rows(schema=SCHEMA, columns=columns),
        target=TARGET,
        labels=bad.astype(float),
        ids=np.arange(first, first + rows),
        times=times,
        arrived=times + HOUR,
        labelled=times + 100 * HOUR,
        batches=np.arange(rows) // BATCH,
    )


def changed(data: Dataset, **columns: Any) -> Dataset:
    """Return data with other columns."""
    return replace(
        data, rows=Rows(schema=data.rows.schema, columns={**data.rows.columns, **columns})
    )


def times_factor(column: str, factor: float, offset: float = 0.0) -> Fault:
    """Return the fault of a column in another unit."""

    def fault(data: Dataset, here: NDArray[np.bool_], _: Chance) -> Dataset:
        values = data.rows.columns[column]
        return changed(data, **{column: np.where(here, values * factor + offset, values)})

    return fault


def some_become(column: str, value: Any, share: float) -> Fault:
    """Return the fault of a share of the batch's values being another one."""

    def fault(data: Dataset, here: NDArray[np.bool_], chance: Chance) -> Dataset:
        values = data.rows.columns[column].copy()
        values[here & (chance.random(len(values)) < share)] = value
        return changed(data, **{column: values})

    return fault


def swap(one: str, other: str) -> Fault:
    """Return the fault of two columns that hold each other's values."""

    def fault(data: Dataset, here: NDArray[np.bool_], _: Chance) -> Dataset:
        left, right = data.rows.columns[one], data.rows.columns[other]
        swapped = {one: np.where(here, right, left), other: np.where(here, left, right)}
        return changed(data, **swapped)

    return fault


def leak(*, flipped: bool, noise: float = 0.01) -> Fault:
    """Return the fault of a feature that was made of the label."""

    def fault(data: Dataset, here: NDArray[np.bool_], chance: Chance) -> Dataset:
        assert data.labels is not None
        told = 1 - data.labels if flipped else data.labels
        height = 165 + 10 * told + chance.normal(0, noise, len(told))
        return changed(data, height_cm=np.where(here, height, data.rows.columns["height_cm"]))

    return fault


def class_vanishes(data: Dataset, here: NDArray[np.bool_], _: Chance) -> Dataset:
    """Turn all labels of the batch into one class."""
    assert data.labels is not None
    return replace(data, labels=np.where(here, 0.0, data.labels))


def sent_twice(data: Dataset, here: NDArray[np.bool_], _: Chance) -> Dataset:
    """Let the batch be a copy of the first one, with ids of its own."""
    index = np.arange(len(data))
    index[here] = index[: int(here.sum())]
    copy = data.take(index)
    return replace(data, rows=copy.rows, labels=copy.labels)


def join_explodes(data: Dataset, here: NDArray[np.bool_], _: Chance) -> Dataset:
    """Repeat each row of the batch four times."""
    index = np.arange(len(data))
    rows = index[here]
    index[here] = np.repeat(rows, 4)[: len(rows)]
    copy = data.take(index)
    return replace(data, rows=copy.rows, labels=copy.labels)


def from_the_future(data: Dataset, here: NDArray[np.bool_], _: Chance) -> Dataset:
    """Let the events of the batch be a year later than they came."""
    assert data.times is not None
    return replace(data, times=np.where(here, data.times + 8766 * HOUR, data.times))


def clock_unset(data: Dataset, here: NDArray[np.bool_], _: Chance) -> Dataset:
    """Let the events of the batch be of 1970."""
    assert data.times is not None
    return replace(data, times=np.where(here, np.datetime64(0, "us"), data.times))


def infinite(data: Dataset, here: NDArray[np.bool_], chance: Chance) -> Dataset:
    """Let a fifth of the batch be infinite."""
    return some_become("income", np.inf, 0.2)(data, here, chance)


FAULTS: Mapping[str, tuple[str, Fault]] = {
    "income x 1000": ("units", times_factor("income", 1000)),
    "income / 100": ("units", times_factor("income", 0.01)),
    "age in months": ("units", times_factor("age", 12)),
    "age x 3600": ("units", times_factor("age", 3600)),
    "height in inches": ("units", times_factor("height_cm", 1 / 2.54)),
    "kelvin": ("units", times_factor("celsius", 1, 273.15)),
    "9999 in 30 %": ("sentinel", some_become("age", 9999.0, 0.3)),
    "-1 in 20 %": ("sentinel", some_become("age", -1.0, 0.2)),
    "0 in 20 %": ("sentinel", some_become("height_cm", 0.0, 0.2)),
    "-999 in 10 %": ("sentinel", some_become("celsius", -999.0, 0.1)),
    "'N/A' in 40 %": ("sentinel", some_become("city", "N/A", 0.4)),
    "nulls 5 % to 60 %": ("nulls", some_become("celsius", np.nan, 0.58)),
    "nulls in texts": ("nulls", some_become("city", None, 0.4)),
    "leak": ("leak", leak(flipped=False)),
    "flipped leak": ("leak", leak(flipped=True)),
    "class vanished": ("classes", class_vanishes),
    "batch sent twice": ("duplicates", sent_twice),
    "join exploded": ("duplicates", join_explodes),
    "numbers swapped": ("swapped", swap("age", "height_cm")),
    "texts swapped": ("swapped", swap("city", "plan")),
    "from the future": ("time", from_the_future),
    "clock unset": ("time", clock_unset),
    "infinite": ("infinite", infinite),
}
"""What may go wrong in one batch, and the rule that is to tell of it."""
