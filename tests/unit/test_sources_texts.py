"""What the texts of a column are, and what they are worth."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratoon.core.schema import Kind
from ratoon.sources.texts import first_odd, from_text, text_kind, zeros_and_ones

CODES = ["007", "+5", "-01", "0x1F", "1_000", " 1", "1 ", "1,5", "--1", "٣", "1e", "t", "yes", "NA"]
MOMENTS = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1))  # noqa: DTZ001 - zones are added


def kinds(*texts: str | None) -> Kind | None:
    return text_kind(pa.array(texts, pa.string()))


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["0", "-1", "9223372036854775807", None, ""], "integer"),
        (["9223372036854775808"], "category"),
        (["1", "1.5"], "number"),
        (["1e5", ".5", "2.", "-0.0", "-0"], "number"),
        (["NaN", "inf", "-Infinity", "1"], "number"),
        (["true", "False", "TRUE"], "boolean"),
        (["true", "1"], "category"),
        (["0", "1"], "integer"),
        (["2026-03-01", "2026-03-01T12:00Z", "2026-03-01 12:00:00.123456+01:00"], "time"),
        (["2026-02-30"], "category"),
        (["2026-03-01T12:00:00.1234567Z"], "category"),
        (["12:30"], "category"),
        (["20260301"], "integer"),
        ([None, ""], None),
        ([], None),
    ],
)
def test_kind_of_texts(texts: list[str | None], kind: Kind | None) -> None:
    """The kind is the narrowest that holds every text that is there."""
    assert kinds(*texts) == kind


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_no_number(code: str) -> None:
    """A text that a number would lose something of stays a text, among numbers too."""
    assert kinds(code) == kinds("1", code, "1.5") == "category"
    for kind in ("integer", "number"):
        assert from_text(pa.array(["1", code]), kind) is None


def test_minus_zero_is_no_whole_number() -> None:
    """-0 is a number, of which a whole number would lose the sign."""
    assert kinds("-0") == "number"
    assert from_text(pa.array(["-0"]), "integer") is None


@given(st.lists(st.from_regex(re.compile(r"[-+0-9.eExX_ ]{1,22}", re.ASCII), fullmatch=True)))
def test_whole_numbers_lose_nothing(texts: list[str]) -> None:
    """A column of whole numbers, written down again, gives the same texts."""
    column = pa.array(texts, pa.string())
    if text_kind(column) == "integer":
        found = from_text(column, "integer")
        assert found is not None
        assert [str(value) for value in found.to_pylist()] == texts


@given(st.lists(st.floats(allow_nan=True), min_size=1))
def test_numbers_are_those_of_python(values: list[float]) -> None:
    """Numbers as Python writes them are read as the same numbers."""
    found = from_text(pa.array([repr(value) for value in values]), "number")
    assert found is not None
    for left, right in zip(found.to_pylist(), values, strict=True):
        assert left == right or (math.isnan(left) and math.isnan(right))


@given(
    st.lists(st.tuples(MOMENTS, st.timezones() | st.none(), st.sampled_from("T "), st.booleans()))
)
def test_moments_are_those_of_python(given: list[tuple[Any, Any, str, bool]]) -> None:
    """Moments as Python writes them are read as the same moments; without a zone, in UTC."""
    moments = [
        moment.replace(second=0, microsecond=0, tzinfo=zone)
        for moment, zone, _, _ in given
        if zone is None or not _odd(moment.replace(tzinfo=zone))
    ]
    texts = [
        moment.isoformat(sep=sep, timespec="minutes" if short else "auto")
        for moment, (_, _, sep, short) in zip(moments, given, strict=False)
    ]
    found = from_text(pa.array(texts, pa.string()), "time")
    assert found is not None
    expected = [m.replace(tzinfo=UTC) if m.tzinfo is None else m.astimezone(UTC) for m in moments]
    assert found.to_pylist() == expected


def _odd(moment: datetime) -> bool:
    """Tell whether a zone was off by seconds, which ISO 8601 cannot say."""
    offset = moment.utcoffset()
    return offset is None or offset.total_seconds() % 60 != 0


@given(st.lists(st.sampled_from(["1", "", "2.5", "x", "007", "true"]), min_size=1))
def test_first_odd_is_the_first(texts: list[str]) -> None:
    """`first_odd` finds what a look at each text finds."""
    column = pa.array(texts)
    for kind in ("integer", "number", "boolean"):
        odd = [from_text(pa.array([text]), kind) is None for text in texts]
        assert (from_text(column, kind) is None) == any(odd)
        if any(odd):
            assert first_odd(column, kind) == odd.index(True)


def test_an_empty_text_is_missing_but_among_texts() -> None:
    """An empty text is a text among texts, and else a missing value."""
    column = pa.array(["", None])
    assert from_text(column, "category").to_pylist() == ["", None]
    for kind in ("integer", "number", "boolean", "time"):
        assert from_text(column, kind).to_pylist() == [None, None]


def test_zeros_and_ones_only_where_said() -> None:
    """0 and 1 are truths only where a person says so."""
    column = pa.array(["1", "0", None, "false", "2"])
    assert from_text(column, "boolean") is None
    assert zeros_and_ones(column).to_pylist() == ["true", "false", None, "false", "2"]
