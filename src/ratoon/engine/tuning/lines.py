"""The line of Python that makes a value again: what a person pastes into the loop's definition."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from ratoon.core.times import duration
from ratoon.triggers import AnyOf, AtLeast, Cron, Every

_ROOMS = ("detectors", "gates", "metrics", "rollouts", "triggers", "windows")
_DAY = timedelta(days=1)


def settings_line(changes: Mapping[str, Any]) -> str:
    """Return settings of a loop as they are written in its definition.

    >>> from ratoon.triggers import Degraded, Every
    >>> settings_line({"retrain_when": Degraded(by=0.1) | Every(days=30)})
    'retrain_when=rt.triggers.Degraded(by=0.1) | rt.triggers.Every(days=30)'
    """
    return ", ".join(f"{name}={python(value)}" for name, value in changes.items())


def python(value: Any) -> str:
    """Return the Python that makes a value, where `rt` is `ratoon`.

    What is public in a room of `ratoon` is written so: triggers, detectors, gates and their like,
    with the settings that are not those by default. All else is written as its `repr`.

    >>> from ratoon.detectors import Cusum
    >>> from ratoon.triggers import Drift
    >>> python(Drift(detector=Cusum(threshold=5.0)))
    'rt.triggers.Drift(detector=rt.detectors.Cusum(threshold=5.0))'
    """
    match value:
        case AnyOf():
            return " | ".join(python(part) for part in value.parts)
        case AtLeast():
            inner = [str(value.n), *(python(part) for part in value.parts)]
            if value.within != duration("within", "30d"):
                inner.append(f"within={_length(value.within)!r}")
            return f"{_called(AtLeast)}({', '.join(inner)})"
        case Every():
            return f"{_called(Every)}({_interval(value.interval)})"
        case timedelta():
            return repr(_length(value))
        case tuple():
            items = [python(item) for item in value]  # pyright: ignore[reportUnknownVariableType] - of any types
            return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
        case _:
            return _made(value)


def _made(value: Any) -> str:
    known = dataclasses.is_dataclass(value) and not isinstance(value, type)
    kind = cast("type", type(value))
    name = _called(kind) if known else None
    if name is None:
        return repr(value)
    given: list[str] = []
    for one in dataclasses.fields(value):
        if not one.init:
            continue
        found = getattr(value, one.name)
        if not _usual(one, found):
            given.append(f"{one.name}={python(found)}")
    if isinstance(value, Cron):  # how everyone writes it
        given[0] = given[0].removeprefix("expression=")
    return f"{name}({', '.join(given)})"


def _called(kind: type) -> str | None:
    """Return how a public class of Ratoon is written; None where it is none."""
    for room in _ROOMS:
        module = importlib.import_module(f"ratoon.{room}")
        if getattr(module, kind.__name__, None) is kind and kind.__name__ in module.__all__:
            return f"rt.{room}.{kind.__name__}"
    return None


def _usual(one: dataclasses.Field[Any], value: Any) -> bool:
    if one.default is not dataclasses.MISSING:
        return _same(one.default, value)
    if one.default_factory is not dataclasses.MISSING:
        return _same(one.default_factory(), value)
    return False


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _interval(length: timedelta) -> str:
    days = length / _DAY
    exact = timedelta(days=days) == length
    return f"days={days:g}" if exact and float(f"{days:g}") == days else repr(_length(length))


def _length(length: timedelta) -> str:
    """Return a length of time as `ratoon.core.times.duration` reads it."""
    seconds = length.total_seconds()
    days, rest = divmod(seconds, _DAY.total_seconds())
    return f"{days:.0f}d" if days and not rest else f"{seconds!r}s".replace(".0s", "s")
