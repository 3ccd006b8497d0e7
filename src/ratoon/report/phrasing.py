"""Numbers, moments and evidence in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from ratoon.core import Measurement
from ratoon.core.wire import Json
from ratoon.report.story import Fact

MINUS = "\N{MINUS SIGN}"
ABSENT = "\N{EN DASH}"  # in the place of a number that there is not
Z_95 = 1.959963984540054  # two-sided 95 % point of the normal distribution
TEXT_MOST = 300  # characters of one text; a report is no place for a stack trace
_FACTS_MOST = 12  # pieces of evidence of one cause
_ITEMS_MOST = 5  # values shown of a longer list
_DEPTH_MOST = 4  # evidence within evidence
_THOUSAND = 1000
_TINY = 1e-5


def number(value: float | None) -> str:
    """Write a number with four significant digits and a true minus; tiny ones with an exponent.

    >>> [number(v) for v in (0.84211, 0.00085, 12345.6, 3, None)]
    ['0.8421', '0.00085', '12,346', '3', 'undefined']
    """
    if value is None or not math.isfinite(value):
        return "undefined"
    size = abs(value)
    if size >= _THOUSAND or value == int(value):
        text = f"{size:,.0f}"
    elif size < _TINY:
        text = f"{size:.2g}".replace("-", MINUS)
    else:
        places = max(0, 3 - math.floor(math.log10(size)))
        text = f"{size:.{places}f}".rstrip("0").rstrip(".")
    return f"{MINUS}{text}" if value < 0 and text != "0" else text


def signed(value: float | None) -> str:
    """Write a difference with its sign, to three significant digits.

    >>> signed(0.25)
    '+0.25'
    """
    if value is None or not math.isfinite(value):
        return "undefined"
    return f"+{brief(value)}" if value > 0 else brief(value)


def brief(value: float) -> str:
    """Write a number with three significant digits.

    >>> brief(21.324)
    '21.3'
    """
    return number(float(f"{value:.3g}") if math.isfinite(value) else None)


def count(n: int, noun: str) -> str:
    """Count something, with its plural.

    >>> count(1, "run"), count(1200, "row")
    ('1 run', '1,200 rows')
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def moment(at: datetime) -> str:
    """Write a moment to the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def day(at: datetime) -> str:
    """Write a day, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def clipped(text: str, most: int = TEXT_MOST) -> str:
    """Cut a text that is too long for a page, and show that it was cut."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def measured(m: Measurement) -> str:
    """Write a measurement with its 95 % band."""
    return f"{number(m.value)}{band(m.stderr)}"


def band(stderr: float | None) -> str:
    """Write half the width of a 95 % band, to two significant digits.

    >>> band(0.0352)
    ' ± 0.069'
    """
    if stderr is None or not math.isfinite(stderr):
        return ""
    return f" ± {number(float(f'{Z_95 * stderr:.2g}'))}"


def evidence(found: Mapping[str, Json]) -> tuple[Fact, ...]:
    """Turn evidence into named values, one level deep; what is deeper becomes one text."""
    facts = [
        Fact(name=name.replace("_", " "), value=clipped(_told(value)))
        for name, value in found.items()
        if value is not None
    ]
    if len(facts) <= _FACTS_MOST:
        return tuple(facts)
    more = Fact(name="and", value=f"{len(facts) - _FACTS_MOST} more")
    return (*facts[:_FACTS_MOST], more)


def _told(value: Json, depth: int = 0) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return number(value)
        case Mapping() if depth < _DEPTH_MOST:
            return _told_mapping(cast("Mapping[str, Json]", value), depth)
        case list() | tuple() if depth < _DEPTH_MOST:
            return _told_list(cast("Sequence[Json]", value), depth)
        case str():
            return _told_text(value)
        case _:
            return "…"


def _told_text(text: str) -> str:
    """Shorten a moment to the minute; leave any other text alone."""
    try:
        return moment(datetime.fromisoformat(text)) if text[10:11] == "T" else text
    except ValueError:
        return text


def _told_mapping(found: Mapping[str, Json], depth: int) -> str:
    match found:
        case {"kind": "Measurement", "metric": str(metric), "value": value, "n": int(n)}:
            spread = found.get("stderr")
            around = band(spread) if isinstance(spread, float) else ""
            told = "undefined" if value is None else _told(value)
            return f"{metric} {told}{around} on {n:,} rows"
        case {"kind": "Detection", "statistic": statistic, "threshold": threshold}:
            return f"statistic {_told(statistic)} against a threshold of {_told(threshold)}"
        case {"kind": "RowRange", "start": int(start), "stop": int(stop)}:
            return f"{start:,} to {stop:,}"
        case _:
            parts = [
                f"{name.replace('_', ' ')} {_told(value, depth + 1)}"
                for name, value in found.items()
                if value is not None and name != "kind"
            ]
            return ", ".join(parts)


def _told_list(values: Sequence[Json], depth: int) -> str:
    parts = [_told(value, depth + 1) for value in values[:_ITEMS_MOST]]
    separator = "; " if any(isinstance(v, Mapping) for v in values) else ", "
    rest = f" and {len(values) - _ITEMS_MOST} more" if len(values) > _ITEMS_MOST else ""
    return separator.join(parts) + rest
