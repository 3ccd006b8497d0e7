"""Row tables in an object store: the same table, with no disk below it.

The store is moto's, which keeps objects in memory and refuses to write one twice where it is asked
to (If-None-Match), as S3 does. It looks and then writes, so two requests at the very same moment
may both be let in: that S3 lets in one alone is S3's own promise, and not shown here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import requests
from moto.server import ThreadedMotoServer

from ratoon.core.errors import FileCorrupt, StoreUnreachable, StoreUnwritable, TableChanged
from ratoon.log.table import RowTable
from ratoon.log.table_commits import DeltaLog
from tests.unit.log_table_rows import APP, rows_of

LATER = datetime(2100, 1, 1, tzinfo=UTC)
URI = "s3://rows/some/table"


@pytest.fixture
def options() -> Iterator[dict[str, str]]:
    """Run a store of the test's own, and return how to reach it.

    What a request of another test tries again finds nobody at its address.
    """
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # All of moto's servers of a process share what they hold.
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10)
    yield {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    server.stop()


@pytest.fixture
def bucket(options: dict[str, str]) -> Iterator[Any]:
    """Return an empty bucket."""
    store = boto3.resource(
        "s3",
        endpoint_url=options["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    made = store.create_bucket(Bucket="rows")
    yield made
    made.objects.all().delete()
    made.delete()


def filled(options: dict[str, str], *, files: int = 4, rows: int = 10) -> RowTable:
    """Return a table of some files of as many rows."""
    table = RowTable(URI, app=APP, storage_options=options)
    for at in range(files):
        table.append(rows_of(at * rows, (at + 1) * rows, at + 1), seq=at + 1)
    return table


def data_keys(bucket: Any) -> set[str]:
    """Return the names of the data files that lie in the store."""
    keys = (found.key for found in bucket.objects.all())
    return {key.rpartition("/")[2] for key in keys if "/rows-" in key}


@pytest.mark.usefixtures("bucket")
def test_read_and_written(options: dict[str, str]) -> None:
    """Rows are appended once, read in every way, widened and found again."""
    table = filled(options)
    table.append(rows_of(30, 40, 4), seq=4)
    table.append(rows_of(40, 45, 5, y=pa.array(np.ones(5))), seq=5)
    reader = RowTable(URI, app=APP, storage_options=options, writable=False)
    for opened in (table, reader):
        assert (opened.stop, opened.seq, opened.version) == (45, 5, 5)
        assert opened.take(np.array([44, 3, 3]), ["y"]).column("y").to_pylist() == [1, None, None]
        assert opened.read() == pa.concat_tables(opened.scan())
        assert opened.read().column("row").to_pylist() == list(range(45))
        assert opened.dataset().to_table().sort_by("row") == opened.read()
        assert not list(opened.verify())
    frame = pl.scan_delta(URI, storage_options=options).sort("row").collect()
    assert frame.to_arrow().cast(table.schema) == table.read()
    table.append(rows_of(45, 46, 6), seq=6)
    assert reader.stop == 45
    reader.refresh()
    assert reader.stop == 46


@pytest.mark.usefixtures("bucket")
def test_duckdb(options: dict[str, str]) -> None:
    """DuckDB reads the objects through the dataset, time and again, without a standstill."""
    data = filled(options).dataset()
    for _ in range(20):
        with duckdb.connect() as database:
            database.register("data", data)
            found = database.sql("SELECT count(*), sum(row) FROM data WHERE row >= 15").fetchall()
            assert found == [(25, sum(range(15, 40)))]


def test_merged_erased_and_deleted(bucket: Any, options: dict[str, str]) -> None:
    """Merges, erasures, drops and deletions leave in the store what they should."""
    table = filled(options, files=8)
    table.compact(rows=40)
    assert len(data_keys(bucket)) > len(table.files)
    assert table.erase(np.array([3, 79])) == 2
    for key in data_keys(bucket):
        body = bucket.Object(f"some/table/{key}").get()["Body"].read()
        rows = pa.BufferReader(body)
        numbers = pl.read_parquet(rows.read(), columns=["row"])["row"].to_list()
        assert not {3, 79} & set(numbers)
    assert table.vacuum(older_than=timedelta(0), now=LATER) > 0
    assert data_keys(bucket) == {file.name for file in table.files}
    assert table.drop_before(40, now=LATER) == 39
    again = RowTable(URI, app=APP, storage_options=options)
    assert again.read().column("row").to_pylist() == list(range(40, 79))
    assert again.stop == 80


def test_erasure_cut_short(
    bucket: Any, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An erasure whose process ends behind the commit is done when the table is opened next."""
    table = filled(options, files=2)

    def ends(*_: Any) -> None:
        raise StoreUnwritable("a test", "the process ends")

    with monkeypatch.context() as patch:
        patch.setattr("ratoon.log.table_vacuum.finish_erasure", ends)
        with pytest.raises(StoreUnwritable):
            table.erase(np.array([3]))
    assert len(data_keys(bucket)) == 3
    assert RowTable(URI, app=APP, storage_options=options).read().num_rows == 19
    assert len(data_keys(bucket)) == 2


def test_two_writers(bucket: Any, options: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The store lets one of two commits in; the other is refused and leaves nothing."""
    ours = filled(options, files=1)
    theirs = RowTable(URI, app=APP, storage_options=options)
    theirs.append(rows_of(10, 15, 2), seq=2)
    with pytest.raises(TableChanged):
        ours.append(rows_of(10, 15, 2), seq=2)
    ours.append(rows_of(10, 15, 2), seq=2)
    assert len(data_keys(bucket)) == 2
    assert ours.read().column("row").to_pylist() == list(range(15))
    with monkeypatch.context() as patch:
        patch.setattr(DeltaLog, "commit", lambda *_: _ends())
        with pytest.raises(StoreUnwritable):
            ours.append(rows_of(15, 20, 3), seq=3)
    assert ours.stop == 15
    assert len(data_keys(bucket)) == 2


def _ends() -> None:
    raise StoreUnwritable("a test", "the process ends")


@pytest.mark.parametrize("how", ["missing", "flipped"])
def test_damaged(how: str, bucket: Any, options: dict[str, str]) -> None:
    """An object that is missing or has other bytes is an error that names it."""
    table = filled(options)
    damaged = bucket.Object(f"some/table/{table.files[1].name}")
    if how == "missing":
        damaged.delete()
    else:
        body = bytearray(damaged.get()["Body"].read())
        body[len(body) // 2] ^= 1
        damaged.put(Body=bytes(body))
    reader = RowTable(URI, app=APP, storage_options=options, writable=False)
    for reading in (
        lambda: reader.take(np.array([12, 1])),
        reader.read,
        lambda: list(reader.scan()),
        lambda: reader.dataset().to_table(),
    ):
        with pytest.raises(FileCorrupt, match=table.files[1].name):
            reading()
    assert [table.files[1].name in complaint for complaint in reader.verify()] == [True]


def test_checkpoints(bucket: Any, options: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are written in the store too."""
    monkeypatch.setattr("ratoon.log.table_commits.CHECKPOINT_EVERY", 4)
    table = filled(options, files=9, rows=1)
    points = [found.key for found in bucket.objects.all() if "checkpoint.parquet" in found.key]
    assert len(points) == 2
    assert RowTable(URI, app=APP, storage_options=options).read() == table.read()


def test_out_of_reach() -> None:
    """A store that does not answer is not taken for a damaged one."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # All of moto's servers of a process share what they hold.
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10)
    options = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "max_retries": "0",
    }
    boto3.client(
        "s3",
        endpoint_url=options["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    ).create_bucket(Bucket="rows")
    table = filled(options, files=2)
    server.stop()
    for asking in (
        table.read,
        lambda: table.append(rows_of(20, 30, 3), seq=3),
        lambda: table.vacuum(older_than=timedelta(0), now=LATER),
        lambda: RowTable(URI, app=APP, storage_options=options),
    ):
        with pytest.raises((StoreUnreachable, StoreUnwritable)) as caught:
            asking()
        assert caught.value.transient
