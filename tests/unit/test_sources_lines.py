"""JSON lines that are hostile, or only unusual; values of Python."""

from __future__ import annotations

import io
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratoon.core.errors import RowsRefused
from ratoon.core.schema import Kind
from ratoon.sources import lines, read
from ratoon.sources.kinds import Kinds
from ratoon.sources.places import Place
from ratoon.sources.values import natural, of_kind

HERE = Place(source="a.db", column="x", before=10)
NAME = UUID("12345678-1234-5678-1234-567812345678")
WHOLE = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def rows(body: bytes | str, **options: Any) -> list[dict[str, Any]]:
    """Return the rows of JSON lines."""
    given = io.BytesIO(body.encode() if isinstance(body, str) else body)
    return [row for batch in read(given, format="jsonl", **options) for row in batch.to_pylist()]


HOSTILE: dict[str, tuple[bytes, str]] = {
    "an array": (b'[{"a":1}]', "line 1 is no object: [{'a': 1}]"),
    "an array on several lines": (b'[\n{"a":1}\n]', "line 1 is no JSON"),
    "null": (b"null\n", "line 1 is no object: None"),
    "cut short": (b'{"a":1}\n{"a":', "line 2 is no JSON"),
    "two objects": (b'{"a":1}{"a":2}\n', "line 1 is no JSON: Extra data"),
    "single quotes": (b"{'a':1}\n", "line 1 is no JSON"),
    "a key twice": (b'{"a":1,"a":2}\n', "key 'a' stands there twice"),
    "an empty key": (b'{"":1}\n', "column 1 has no name"),
    "an empty object": (b"{}\n", "row 1 has no columns"),
    "latin-1": (b'{"a":"\xfc"}\n', "line 1 is not UTF-8"),
    "UTF-16": ('{"a":1}\n'.encode("utf-16"), "holds text in UTF-16"),
    "half a surrogate": (b'{"a":"\\ud800"}\n', "row 1, column 'a': '\\ud800' is not a text"),
    "a huge number": (b'{"a":1}\n{"a":9223372036854775808}\n', "row 2, column 'a': 92233"),
    "an endless number": (b'{"a":' + b"1" * 5000 + b"}\n", "line 1 is no JSON: Exceeds the limit"),
    "several kinds": (b'{"a":1}\n{"a":"x"}\n', "row 2, column 'a': 'x' is of another kind than 1"),
    "a truth among numbers": (b'{"a":1}\n{"a":true}\n', "row 2, column 'a': True is of another"),
    "an object within": (b'{"a":1}\n\n{"a":{"b":1}}\n', "row 2, column 'a': {'b': 1} is no number"),
    "a list within": (b'{"a":[1]}\n', "row 1, column 'a': [1] is no number"),
    "deeper than anyone needs": (b'{"a":' * 99_999, "line 1 is no JSON: maximum recursion depth"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile(case: str) -> None:
    """What is no line of JSON with an object of plain values is refused, by its line or row."""
    body, message = HOSTILE[case]
    with pytest.raises(RowsRefused) as refused:
        rows(body)
    assert message in refused.value.fact


@pytest.mark.parametrize("body", ["", "\n \r\n"])
def test_nothing_has_no_rows(body: str) -> None:
    """A file without a line gives no batch, and is no fault."""
    assert rows(body) == []


def test_what_is_missing() -> None:
    """A key that is not there and null are missing values; NaN is a number that is missing."""
    found = rows('{"a":1,"b":"x"}\n{"b":null}\n\n{"a":NaN}')
    assert [row["b"] for row in found] == ["x", None, None]
    assert found[0]["a"] == 1.0
    assert found[1]["a"] is None
    assert math.isnan(found[2]["a"])


def test_texts_stay_texts_but_moments() -> None:
    """Of the texts of JSON only moments are read; a text with a number in it is a text."""
    found = rows('{"n":"1","t":"2026-03-01T12:00:00Z","m":"2026-03-01"}\n{"n":"2","m":"x"}')
    assert found[0] == {"n": "1", "t": datetime(2026, 3, 1, 12, tzinfo=UTC), "m": "2026-03-01"}
    assert rows('{"t":"2026-03-01"}', types={"t": "category"}) == [{"t": "2026-03-01"}]


def blocks(monkeypatch: pytest.MonkeyPatch, *records: dict[str, Any]) -> list[dict[str, Any]]:
    """Read each record as a block of its own."""
    monkeypatch.setattr(lines, "_BLOCK", 1)
    return rows("\n".join(json.dumps(record) for record in records))


@pytest.mark.parametrize(
    ("first", "later", "hint"),
    [
        (1, 1.5, "types={'x': 'number'} takes it too"),
        (1, "x", "types={'x': 'category'} takes whole numbers as texts"),
        ("x", 1, "types={'x': 'category'} takes whole numbers as texts"),
        (1.5, "x", ""),
        (True, 1, ""),
        ("2026-03-01", "x", "types={'x': 'category'} takes the column as texts"),
    ],
)
def test_a_later_block_of_another_kind(
    first: Any, later: Any, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value of another kind than the first block's is refused, with a way out if there is one."""
    with pytest.raises(RowsRefused, match="row 2, column 'x'") as refused:
        blocks(monkeypatch, {"x": first}, {"x": later})
    assert hint in refused.value.hint
    assert bool(hint) == bool(refused.value.hint)


def test_a_later_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that the first block did not have is refused; one that is lacking is missing."""
    assert blocks(monkeypatch, {"x": 1, "y": 2}, {"y": 3})[1] == {"x": None, "y": 3}
    with pytest.raises(RowsRefused, match="row 2: column 'y' is new"):
        blocks(monkeypatch, {"x": 1}, {"y": 2})


def test_later_values_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole numbers fit among numbers, any text among texts, and a missing value anywhere."""
    found = blocks(monkeypatch, {"x": None}, {"x": 1.5}, {"x": 2}, {"x": None})
    assert [row["x"] for row in found] == [None, 1.5, 2.0, None]
    found = blocks(monkeypatch, {"x": "a"}, {"x": "2026-03-01"})
    assert [row["x"] for row in found] == ["a", "2026-03-01"]


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "whole": WHOLE,
                "number": st.floats(allow_nan=False, width=64),
                "truth": st.booleans(),
                "text": TEXT.map(lambda text: f"_{text}"),
            },
        ),
        max_size=8,
    ),
    st.integers(1, 5),
)
def test_every_value_comes_back(records: list[dict[str, Any]], size: int) -> None:
    """Records of plain values are read as they were written."""
    if not any(records):
        return
    names = list(dict.fromkeys(key for record in records for key in record))
    body = "\n".join(json.dumps(record) for record in records)
    found = rows(body, batch_rows=size)
    assert found == [{name: record.get(name) for name in names} for record in records]


@pytest.mark.parametrize(
    ("value", "kind", "found"),
    [
        (12, "category", "12"),
        (NAME, "category", str(NAME)),
        (Decimal("0.1"), "number", 0.1),
        ("0.1", "number", 0.1),
        (2.0, "integer", 2),
        ("2", "integer", 2),
        (1, "boolean", True),
        ("false", "boolean", False),
        (date(2026, 3, 1), "time", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01", "time", datetime(2026, 3, 1, tzinfo=UTC)),
        (None, "integer", None),
    ],
)
def test_values_as_they_were_said_to_be(value: Any, kind: Kind, found: Any) -> None:
    """A value is read as the kind that a person named, where that loses nothing."""
    assert of_kind(HERE, [value], kind).to_pylist() == [found]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1.5, "category"),
        (True, "category"),
        (2.5, "integer"),
        (math.nan, "integer"),
        (2**63, "integer"),
        (Decimal("1e9999"), "integer"),
        ("007", "number"),
        (True, "number"),
        (2, "boolean"),
        (1772366400, "time"),
        ([1], "category"),
    ],
)
def test_values_that_would_lose_something(value: Any, kind: Kind) -> None:
    """A value that is not what a person said is refused, by its row."""
    with pytest.raises(RowsRefused, match=r"a\.db, row 12, column 'x'"):
        of_kind(HERE, [None, value], kind)


@pytest.mark.parametrize("value", [b"x", [1], {"a": 1}, Decimal(1), object(), 1j])
def test_values_of_no_kind(value: Any) -> None:
    """A value that no column holds is refused, by its row."""
    with pytest.raises(RowsRefused, match=r"a\.db, row 13, column 'x'"):
        natural(HERE, [1, None, value])


def test_decimals_are_taken_where_said() -> None:
    """A decimal is refused with the way to take it: the nearest number."""
    with pytest.raises(RowsRefused) as refused:
        natural(HERE, [Decimal("0.1")])
    assert refused.value.hint.startswith("types={'x': 'number'}")


def test_kinds_count_the_rows_of_all_blocks() -> None:
    """The row of a refusal is that of the source, not of the block."""
    kinds = Kinds("a.db", {})
    kinds.values({"x": [1, 2]})
    with pytest.raises(RowsRefused, match="row 4"):
        kinds.values({"x": [3, "x"]})
