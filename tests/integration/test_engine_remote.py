"""A loop whose tables of rows lie in an object store, and rows read from a table there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
import requests
from deltalake import DeltaTable, write_deltalake
from moto.server import ThreadedMotoServer

from ratoon.sources import read
from tests.integration.engine_loops import fitted, ids_of, labels_of, rows_of


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run an object store with one bucket, which the environment leads to."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # All of moto's servers of a process share what they hold.
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10)
    known = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="rows")
    yield "s3://rows"
    server.stop()


def test_a_loop_with_its_tables_elsewhere(bucket: str, tmp_path: Path) -> None:
    """Rows go to tables in the store, which others read; a second life reads them again."""
    where = {"home": tmp_path, "tables": f"{bucket}/ratoon"}
    with closing(fitted(**where)) as loop:
        loop.predict(rows_of(60, 80), ids=ids_of(60, 80))
        loop.label(ids_of(60, 70), labels_of(60, 70))
        digest = loop.data.snapshots()[0].digest
    [labels] = [
        found
        for found in _tables(bucket)
        if found.endswith("/labels") and "_delta_log" not in found
    ]
    read_again = DeltaTable(f"{bucket}/{labels}").to_pyarrow_table()
    assert set(ids_of(60, 70)) <= set(read_again.column("id").to_pylist())
    assert not list(tmp_path.rglob("*.parquet"))
    with closing(loop.settings()) as again:
        assert again.status().counts.labelled == 70
        assert again.data.snapshot(digest).digest == digest
        assert again.label(ids_of(70, 72), labels_of(70, 72)).stored == 2


def test_rows_of_a_table_elsewhere(bucket: str) -> None:
    """A Delta table in the store is a source of rows like any other."""
    table = pa.table({"id": ["a", "b", "c"], "x": [0.5, None, 2.0]})
    write_deltalake(f"{bucket}/others", table)
    found = [row for batch in read(f"{bucket}/others", format="delta") for row in batch.to_pylist()]
    assert found == table.to_pylist()


def _tables(bucket: str) -> set[str]:
    """Return the folders of a bucket that hold Parquet files."""
    store = boto3.resource("s3", region_name="us-east-1").Bucket(bucket.removeprefix("s3://"))
    keys = [found.key for found in store.objects.all()]
    return {key.rpartition("/")[0] for key in keys if key.endswith(".parquet")}
