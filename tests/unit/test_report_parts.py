"""The parts of a report: words, limits, the table, the kinds of marks."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratoon.core import Firing, Hold, Verdict, events
from ratoon.core.errors import SettingInvalid
from ratoon.report import Comparison, Line
from ratoon.report.chart import thinned
from ratoon.report.decisions import judged, passages
from ratoon.report.headline import headline, table
from ratoon.report.index import indexed
from ratoon.report.kinds import KINDS, kind_of
from ratoon.report.phrasing import band, clipped, evidence, number, signed
from tests.unit.test_report_loop import START, real_story

MINUS = "\N{MINUS SIGN}"
OKABE_ITO = {
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
}  # fmt: skip
GREY = "#bdbdbd"  # the only other colour


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (12.0, "12"),
        (0.123456, "0.1235"),
        (99.999, "100"),
        (1234.5, "1,234"),
        (-0.5, f"{MINUS}0.5"),
        (3.21e-15, f"3.2e{MINUS}15"),
        (math.nan, "undefined"),
        (math.inf, "undefined"),
        (None, "undefined"),
    ],
)
def test_numbers_are_written_for_people(value: float | None, text: str) -> None:
    """Numbers have four significant digits and a true minus; only tiny ones have an exponent."""
    assert number(value) == text


@given(st.floats(min_value=-1e6, max_value=1e6))
def test_a_number_says_what_it_is(value: float) -> None:
    """A written number reads back within its digits: four, or two where it is tiny."""
    read = float(number(value).replace(MINUS, "-").replace(",", ""))
    assert read == pytest.approx(value, rel=6e-4 if abs(value) >= 1e-5 else 6e-2)


def test_differences_have_a_sign() -> None:
    """A difference above 0 has a plus, one below a minus, and 0 neither."""
    assert [signed(v) for v in (0.2512, -3.0, 0.0)] == ["+0.251", f"{MINUS}3", "0"]


def test_bands_are_short() -> None:
    """Half a band has two significant digits; without a standard error there is none."""
    assert [band(0.0352), band(None), band(0.0)] == [" ± 0.069", "", " ± 0"]


def test_evidence_is_told_in_words() -> None:
    """Evidence becomes names and values: measurements, ranges, moments, lists, nothing for None."""
    measurement = {"kind": "Measurement", "metric": "mae", "value": 2.0, "n": 50, "stderr": 0.1}
    found = evidence(
        {
            "measurement": measurement,
            "rows": {"kind": "RowRange", "start": 0, "stop": 1500},
            "due": "2026-01-05T04:00:00+00:00",
            "features": [{"feature": "age", "distance": 0.5}] * 7,
            "at_all": True,
            "nothing": None,
        }
    )
    told = {fact.name: fact.value for fact in found}
    assert told["measurement"] == "mae 2 ± 0.2 on 50 rows"
    assert told["rows"] == "0 to 1,500"
    assert told["due"] == "2026-01-05 04:00"
    assert told["features"].endswith("and 2 more")
    assert told["at all"] == "yes"
    assert "nothing" not in told


def test_evidence_is_limited() -> None:
    """Much evidence, long texts and deep nesting are cut, and say so."""
    deep: object = "bottom"
    for _ in range(50):
        deep = [deep]
    found = evidence({"deep": deep, "long": "x" * 5000} | {f"n{k}": k for k in range(40)})
    assert len(found) == 13
    assert found[-1].value == "30 more"
    assert found[0].value == "…"
    assert len(found[1].value) == 300


def test_clipping_shows_itself() -> None:
    """A text that was cut ends with an ellipsis, and one that fits is left alone."""
    assert clipped("abcdef", 4) == "abc…"
    assert clipped("abcd", 4) == "abcd"


@given(
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=60),
    st.integers(2, 30),
)
def test_thinning_keeps_the_extremes(values: list[float | None], most: int) -> None:
    """What is left is within the limit, in order, real, and holds the highest and the lowest."""
    points = list(enumerate(values))
    kept = thinned(points, most, lambda point: point[1])
    assert len(kept) <= most or kept == points
    assert len(kept) <= max(most, 2)
    assert kept == sorted(kept, key=lambda point: point[0])
    assert set(kept) <= set(points)
    known = [value for value in values if value is not None]
    if known:
        left = [value for _, value in kept if value is not None]
        assert min(left) == min(known)
        assert max(left) == max(known)


def test_kinds_differ_without_colour() -> None:
    """No two kinds share a letter, and each cause has a shape of its own, as has each outcome."""
    assert len({kind.letter for kind in KINDS}) == len(KINDS)
    for group in ("cause", "outcome"):
        shapes = [kind.shape for kind in KINDS if kind.group == group]
        assert len(set(shapes)) == len(shapes)


def test_colours_are_those_of_okabe_and_ito() -> None:
    """Every colour is of the palette that stays distinct when colours are hard to tell apart."""
    assert {kind.color for kind in KINDS} <= OKABE_ITO | {GREY}


def test_letters_can_be_read_on_their_colour() -> None:
    """Each letter has a contrast of at least 4.5 to 1 with its colour (WCAG 2.2, 1.4.3)."""
    for kind in KINDS:
        light, dark = sorted((_luminance(kind.color), _luminance(kind.ink)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, kind.id


def _luminance(color: str) -> float:
    """Return the relative luminance of a colour by the formula of WCAG 2.2."""
    digits = color[1:] if len(color) == 7 else "".join(2 * c for c in color[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_each_type_of_event_has_a_kind() -> None:
    """Every type that Ratoon makes has a kind of its own; only others are business events."""
    assert {t for t in events.EVENT_TYPES if kind_of(t).id == "business"} == set()
    assert kind_of("pricing.changed").id == "business"


def test_the_best_is_marked_by_direction() -> None:
    """The best value of the primary metric and the lowest cost are marked, ties alike."""
    rows = (
        Comparison(name="never", losses={"accuracy": 0.9, "loss": 1.0}, retrainings=0, cost=5.0),
        Comparison(name="Ratoon", losses={"accuracy": 0.8, "loss": 0.5}, retrainings=1, cost=5.0),
        Comparison(name="other", losses={}, retrainings=1),
    )
    made = table(replace(real_story(), comparisons=rows))
    best = [[cell.name for cell in row.cells if cell.best] for row in made]
    assert best == [["accuracy", "cost"], ["cost"], []]
    assert [row.ours for row in made] == [False, True, False]
    assert [len(row.cells) for row in made] == [6, 6, 6]


def test_a_single_policy_is_not_called_the_best() -> None:
    """Where there is nothing to compare with, nothing is marked."""
    rows = (Comparison(name="ratoon", losses={"accuracy": 0.9}, retrainings=0, cost=5.0),)
    (row,) = table(replace(real_story(), comparisons=rows))
    assert not any(cell.best for cell in row.cells)


def test_the_headline_compares_with_the_best_of_the_others() -> None:
    """The cost at the top is set against the cheapest other policy, not the dearest."""
    numbers = {number.name: number for number in headline(real_story(), indexed(real_story()))}
    assert numbers["Cost"].value == f"{MINUS}29 %"
    assert "period" in (numbers["Cost"].note or "")
    assert numbers["Champion"].link == f"version-{real_story().champion}"


def test_quiet_stretches_are_folded() -> None:
    """Four or more decisions in a row that did nothing stand behind one line."""
    cause = Firing(trigger="t", event_type="x", reason="r", at=START)
    holds = tuple(
        Hold(id=f"d{k}", loop="credit", at=START + timedelta(hours=k), causes=(cause,), reason="r")
        for k in range(5)
    )
    story = replace(real_story(), decisions=holds)
    (passage,) = passages(indexed(story))
    assert passage.folded == "5 holds, nothing done"
    few = passages(indexed(replace(story, decisions=holds[:3])))
    assert [passage.folded for passage in few] == [None]


def test_intervals_are_drawn_on_the_right_side() -> None:
    """The middle is no difference: a better challenger's interval lies to the right of it."""
    verdict = Verdict(
        gate="Better()", outcome="pass", reason="", metric="mae", n=9, effect=2.0, low=1.0, high=4.0
    )
    drawn = judged(verdict)
    assert (drawn.low, drawn.effect, drawn.high) == (61.2, 72.5, 95.0)
    level = judged(replace(verdict, effect=0.0, low=0.0, high=0.0))
    assert (level.low, level.high) == (50.0, 50.0)


def test_a_line_has_a_value_a_time() -> None:
    """A line with more times than values is refused, and the message counts both."""
    with pytest.raises(SettingInvalid, match=r"one a time \(1\), got '0 values'"):
        Line(name="never", times=(START,), values=())


def test_measurements_of_another_metric_are_refused() -> None:
    """A story holds the primary metric of the champion alone: neither another, nor a slice's."""
    first = real_story().measurements[0]
    for other in (replace(first, metric="mae"), replace(first, subject="country=FR")):
        with pytest.raises(SettingInvalid, match="measurements must be of 'accuracy'"):
            replace(real_story(), measurements=(other,))
