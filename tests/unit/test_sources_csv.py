"""CSV that is hostile, or only unusual."""

from __future__ import annotations

import csv
import gzip
import io
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratoon.core.errors import RowsRefused, SettingInvalid
from ratoon.sources import delimited, read

# What CSV can hold: no half surrogates; a NUL ends a text for some, so nobody writes one.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def rows(body: bytes, **options: Any) -> list[dict[str, Any]]:
    """Return the rows of a CSV file."""
    found = read(io.BytesIO(body), format="csv", **options)
    return [row for batch in found for row in batch.to_pylist()]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks so small that a few rows fill one."""
    monkeypatch.setattr(delimited, "_BLOCK", 64)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty: a CSV file begins with the names"),
    "only line ends": (b"\n\r\n", "is empty"),
    "a row too short": (b"a,b\n1,2\n3\n", "row 2 has 1 values, the header 2 names: 3"),
    "a row too long": (b"a,b\n1,2\n3,4,\n", "row 2 has 3 values, the header 2 names"),
    "latin-1": ("a,b\n1,2\nü,3\n".encode("latin-1"), "row 2, column 'a': a text is not UTF-8"),
    "a header in latin-1": ("ä,b\n1,2\n".encode("latin-1"), "the header is not UTF-8"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), "holds text in UTF-16"),
    "a name twice": (b"a,b,a\n1,2,3\n", "column 'a' stands there twice"),
    "no name": (b",a\n0,1\n", "column 1 has no name"),
    "an open quote": (b'a,b\n1,"x\n2,3\n', "a quote is opened and never closed"),
    "a quote alone": (b'a,b\n1,5"\n2,3\n', "a quote is opened and never closed"),
    "an open quote in the header": (b'"a,b\n1,2\n', "the header cannot be read"),
    "line ends of old": (b"a,b\r1,2\r3,4\r", "the header cannot be read: new-line character"),
    "Parquet": (b"PAR1" + b"\0" * 20, "holds Parquet"),
    "a workbook": (b"PK\x03\x04" + b"\0" * 20, "holds a zip archive or a workbook"),
    "gzip that ends too early": (
        gzip.compress(b"a,b\n" + b"1,2\n" * 999)[:-9],
        "cannot be read: Compressed file ended",
    ),
    "gzip that is damaged": (
        gzip.compress(b"a,b\n" + b"1,2\n" * 999)[:-8] + b"\0" * 8,
        "cannot be read: CRC check failed",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile(case: str) -> None:
    """What is no CSV in UTF-8 is refused, saying what is wrong and in which row."""
    body, message = HOSTILE[case]
    with pytest.raises(RowsRefused) as refused:
        rows(body)
    assert message in refused.value.fact
    assert refused.value.fact.startswith("the stream")


@pytest.mark.parametrize("body", [b"a,b\n", b"a,b", b"\n\na,b\r\n\r\n\r\n", b"\xef\xbb\xbfa,b\n"])
def test_a_header_alone_has_no_rows(body: bytes) -> None:
    """A header without rows gives no batch, and is no fault."""
    assert rows(body) == []


def test_byte_order_mark_is_no_part_of_the_name() -> None:
    """The mark that Excel writes is passed over, in gzip too."""
    body = b"\xef\xbb\xbfa\n1\n"
    assert rows(body) == rows(gzip.compress(body)) == [{"a": 1}]


def test_gzip_of_several_parts_is_read_whole() -> None:
    """Files of gzip put behind each other are one file."""
    assert rows(gzip.compress(b"a\n1\n") + gzip.compress(b"2\n")) == [{"a": 1}, {"a": 2}]


def test_what_is_missing() -> None:
    """Nothing is missing, "" is an empty text, NaN a number that is missing, NA a text."""
    found = rows(b'id,text,number\np-1,,\np-2,"",NaN\np-3,NA,1.5\n')
    assert [row["text"] for row in found] == [None, "", "NA"]
    assert found[0]["number"] is None
    assert math.isnan(found[1]["number"])


def test_an_empty_quoted_number_is_missing() -> None:
    """Where everything is quoted, an empty number is a missing one."""
    assert rows(b'a,b\n"1","x"\n"",""\n') == [{"a": 1, "b": "x"}, {"a": None, "b": ""}]


def test_other_texts_are_missing_where_said() -> None:
    """`missing` says which texts stand for a missing value, unless they are in quotes."""
    found = rows(b'a,b\n1,NA\nNA,"NA"\n,\n', missing=["NA", ""])
    assert found == [{"a": 1, "b": None}, {"a": None, "b": "NA"}, {"a": None, "b": None}]


def test_huge_whole_numbers_keep_their_digits() -> None:
    """Whole numbers beyond 64 bits are texts."""
    assert rows(b"a\n99999999999999999999\n1\n") == [
        {"a": "99999999999999999999"},
        {"a": "1"},
    ]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("first", "later", "message"),
    [
        ("1", "x", "'x' is not a whole number of at most 64 bits"),
        ("1", "1.5", "'1.5' is not a whole number of at most 64 bits"),
        ("1", "007", "'007' is not a whole number of at most 64 bits"),
        ("1", "9223372036854775808", "'9223372036854775808' is not a whole number"),
        ("1.5", "007", "'007' is not a number"),
        ("true", "1", "'1' is not true or false"),
        ("2026-03-01", "01.03.2026", "'01.03.2026' is not a moment"),
    ],
)
def test_a_later_block_of_another_kind(first: str, later: str, message: str) -> None:
    """A value of another kind than the first block's is refused, by column and row; as text not."""
    body = "\n".join(["a,b", *[f"{first},x"] * 100, f"{later},x"]).encode()
    with pytest.raises(RowsRefused, match="row 101, column 'a'") as refused:
        rows(body)
    assert message in refused.value.fact
    assert "types={'a': 'category'}" in refused.value.hint
    assert rows(body, types={"a": "category"})[-1]["a"] == later


@pytest.mark.usefixtures("small")
def test_a_column_that_begins_empty() -> None:
    """A column is of the kind of its first values, however late they come."""
    found = rows(b"a,b\n" + b",1\n" * 100 + b"1.5,2\n")
    assert [row["a"] for row in found] == [None] * 100 + [1.5]


@pytest.mark.usefixtures("small")
def test_a_row_longer_than_a_block_is_refused() -> None:
    """A row that no block holds is refused, with the row before it."""
    with pytest.raises(RowsRefused, match=r"behind row \d+: a row is longer than"):
        rows(b"a,b\n" + b"1,2\n" * 40 + b"1," + b"x" * 500 + b"\n")


@pytest.mark.usefixtures("small")
def test_the_row_is_told_in_a_later_block() -> None:
    """Ragged rows and texts that are no UTF-8 are told by their row, in every block."""
    for tail in (b"1\n", b"\xff,1\n"):
        with pytest.raises(RowsRefused, match="row 101"):
            rows(b"a,b\n" + b"x,2\n" * 100 + tail)


def test_types_are_kept() -> None:
    """What a person says of a column is so, or refused."""
    body = b"a,b,c\n1,1,1\n0,2,\n"
    found = rows(body, types={"a": "boolean", "b": "category", "c": "number"})
    assert found == [{"a": True, "b": "1", "c": 1.0}, {"a": False, "b": "2", "c": None}]
    with pytest.raises(RowsRefused, match="row 2, column 'b': '2' is not true or false"):
        rows(body, types={"b": "boolean"})
    with pytest.raises(SettingInvalid, match="got 'z'"):
        rows(body, types={"z": "number"})


@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=8), st.integers(1, 5))
def test_every_text_comes_back(table: list[list[str]], size: int) -> None:
    """Whatever a text holds (commas, quotes, line ends) is read as it was written."""
    sink = io.StringIO(newline="")
    lines = csv.writer(sink, quoting=csv.QUOTE_ALL, lineterminator="\n")
    lines.writerows([["a", "b"], *table])
    found = rows(
        sink.getvalue().encode(), types={"a": "category", "b": "category"}, batch_rows=size
    )
    assert [list(row.values()) for row in found] == table


@given(
    st.lists(
        st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.booleans()),
        min_size=1,
    ),
    st.integers(1, 9),
)
def test_the_size_of_batches_is_of_no_consequence(table: list[Any], size: int) -> None:
    """Batches of any size hold the same values, of the same types."""
    body = "i,f,b\n" + "".join(f"{i},{f!r},{b}\n" for i, f, b in table)
    batches = list(read(io.BytesIO(body.encode()), format="csv", batch_rows=size))
    assert {batch.schema.field("i").type for batch in batches} == {pa.int64()}
    assert len({batch.schema.field("f").type for batch in batches}) == 1
    assert [tuple(row.values()) for batch in batches for row in batch.to_pylist()] == table
    assert all(batch.num_rows == size for batch in batches[:-1])
