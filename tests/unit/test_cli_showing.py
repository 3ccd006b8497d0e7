from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest

from ratoon.cli import showing
from ratoon.core.measuring import Measurement, RowRange, Window
from ratoon.core.wire import to_json

MOMENT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
ROWS = RowRange(start=3, stop=9)
MEASURED = Measurement(
    metric="mae", window=Window(start=MOMENT, end=MOMENT, rows=ROWS), value=0.123456, n=6
)


def test_plain_is_strict_json() -> None:
    """Records become JSON without tags; what is not finite becomes null."""
    found = showing.plain({"rows": ROWS, "at": MOMENT, "took": timedelta(hours=1), "x": math.nan})
    expected = {"rows": {"start": 3, "stop": 9}, "at": "2026-01-02T03:04:00+00:00"}
    assert found == expected | {"took": 3600.0, "x": None}
    assert json.loads(json.dumps(showing.plain((MEASURED, math.inf)), allow_nan=False))[1] is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "True"),
        (0.123456, "0.1235"),
        ("plain", "plain"),
        ("ab" * 32, "abababab"),
        (["x", 2], "x, 2"),
        (to_json(ROWS), "3 to 9"),
        (to_json(MEASURED), "mae 0.1235 on 6 rows"),
        ({"rule": "all", "n": 3}, "rule all, n 3"),
    ],
)
def test_told_is_for_people(value: object, text: str) -> None:
    """What a step read or wrote is told in few words, digests by their first digits."""
    assert showing.told(value) == text


def test_measured_has_its_error() -> None:
    """A measurement shows its standard error where it has one."""
    assert showing.measured(MEASURED) == "0.1235"
    undefined = Measurement(metric="auc", window=MEASURED.window, value=None, n=6)
    assert showing.measured(undefined) == "undefined"


def test_say_folds_under_the_indent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that is too long goes on further to the right than it began."""
    monkeypatch.setenv("COLUMNS", "20")
    showing.say("  one two three four five")
    assert capsys.readouterr().out == "  one two three four\n    five\n"


def test_say_takes_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets and colons in a person's words are no markup."""
    showing.say("[red]x[/red] :smile: Degraded(by=0.1)")
    assert capsys.readouterr().out == "[red]x[/red] :smile: Degraded(by=0.1)\n"


def test_a_table_folds_and_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table is as wide as the terminal at most, and every word of it is there."""
    monkeypatch.setenv("COLUMNS", "30")
    words = "a sentence that is rather longer than the terminal is wide"
    columns = (showing.Column(name="Id", whole=True), showing.Column(name="Words"))
    showing.print_table(columns, [("run-abcdefghij", words)], empty="none")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 30
    assert " ".join(" ".join(lines[2:]).split()).replace("run-abcdefghij ", "") == words


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Without rows there is a sentence instead of a header."""
    showing.print_table((showing.Column(name="Id"),), [], empty="Nothing yet.")
    assert capsys.readouterr().out == "Nothing yet.\n"
