"""Rows that leave a table, file by file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from ratoon.log.table import RowTable
from tests.unit.log_table_rows import APP, data_files, filled

LATER = datetime(2100, 1, 1, tzinfo=UTC)


def test_dropped_rows(tmp_path: Path) -> None:
    """Rows of many files go in one version; who reads the one before still has them, till then."""
    table = filled(tmp_path, files=3)
    before, old = table.version, data_files(tmp_path)
    assert table.drop(np.array([3, 4, 17]), now=LATER) == 3
    assert table.version == before + 1
    assert table.read().column("row").to_pylist() == [n for n in range(30) if n not in {3, 4, 17}]
    assert old < data_files(tmp_path)
    assert table.drop(np.array([3, 4, 17]), now=LATER) == 0
    assert table.vacuum(older_than=timedelta(0), now=LATER + timedelta(days=1)) == 2
    assert len(data_files(tmp_path)) == 3
    assert list(RowTable(str(tmp_path), app=APP).verify()) == []
