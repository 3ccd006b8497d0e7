"""Every kind of input gives the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ratoon.core.errors import RowsRefused
from ratoon.sources import read, where
from ratoon.windows.intake import read_rows
from ratoon.windows.rows import Rows, concat
from tests.integration.sources_inputs import BATCH, COLUMNS, MAKERS, Maker, table, whole

every_maker = pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.name)
every_source = pytest.mark.parametrize(
    "maker", [maker for maker in MAKERS if maker.read is not whole], ids=lambda maker: maker.name
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder to write into, beside which other files may lie."""
    path = tmp_path / "incoming"
    path.mkdir()
    return path


def same(left: Rows, right: Rows) -> None:
    """Assert that two batches hold the same columns, of the same kinds and values."""
    assert [(c.name, c.kind) for c in left.schema.columns] == [
        (c.name, c.kind) for c in right.schema.columns
    ]
    for name, column in right.columns.items():
        np.testing.assert_array_equal(left.columns[name], column, err_msg=name)


@every_maker
def test_rows_are_the_same(maker: Maker, folder: Path) -> None:
    """`read_rows` makes the same rows of every input, whatever it came as."""
    expected = read_rows(COLUMNS)
    found = [read_rows(batch, expected.schema) for batch in maker.batches(folder)]
    same(concat(found), expected)


@every_source
def test_batches_hold_the_table(maker: Maker, folder: Path) -> None:
    """`read` gives the values and the types of the table, in its order."""
    found = pa.concat_tables(batch.replace_schema_metadata() for batch in maker.batches(folder))
    assert found.schema == table().schema
    assert found.to_pylist() == table().to_pylist()


@every_source
def test_batches_are_of_the_size_asked_for(maker: Maker, folder: Path) -> None:
    """Every batch of a source but its last has as many rows as were asked for, and says which."""
    batches = maker.batches(folder)
    assert all(batch.num_rows <= BATCH for batch in batches)
    assert len(batches) == 3
    assert where(batches[0]).endswith("rows 1 to 2")


@every_source
def test_reading_changes_nothing(maker: Maker, folder: Path) -> None:
    """A source is as it was, and gives the same again; but a stream and a watched folder end."""
    source = maker.make(folder)
    once, twice = (_listed(maker, source) for _ in range(2))
    ended = maker.read is not read or hasattr(source, "read")
    assert once == table().to_pylist()
    assert twice == ([] if ended else once)


def _listed(maker: Maker, source: Any) -> list[Any]:
    try:
        batches = list(maker.read(source, batch_rows=BATCH, **maker.options))
    except RowsRefused:  # an ended stream has not even a header
        return []
    return [row for batch in batches for row in batch.to_pylist()]
