"""What a search tries: families of policies, and what each of their settings may be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from ratoon.core.errors import SettingInvalid
from ratoon.core.settings import finite, whole
from ratoon.triggers.protocol import Trigger

Value: TypeAlias = bool | int | float | str | None
"""A value that a search may choose."""

Made: TypeAlias = Trigger[Any] | Mapping[str, Any]
"""A trigger, or several settings of a loop by their names."""

_DIGITS = 3  # of a number that is drawn: more of them promise what no history can tell


class Suggests(Protocol):
    """What draws values; an Optuna trial is one."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Draw a number."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Draw a whole number."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[Value]) -> Value:
        """Draw one of several values."""
        ...


@dataclass(frozen=True, slots=True)
class Number:
    """A number between two others; what is drawn is rounded to three digits.

    Args:
        low: the least.
        high: the greatest.
        log: whether it is drawn evenly on a logarithmic scale; both ends are above 0 then.

    Example:
        >>> Number(0.01, 0.5, log=True).rounded(0.123456)
        0.123
    """

    low: float
    high: float
    log: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Check the ends."""
        finite("low", self.low)
        finite("high", self.high)
        _ordered(self.low, self.high, log=self.log)

    def drawn(self, draws: Suggests, name: str) -> float:
        """Draw a value."""
        return self.rounded(draws.suggest_float(name, self.low, self.high, log=self.log))

    def rounded(self, value: float) -> float:
        """Return the value with three digits, within the ends."""
        return min(self.high, max(self.low, float(f"{value:.{_DIGITS}g}")))

    def holds(self, value: Value) -> bool:
        """Tell whether a value lies within the ends."""
        return _is_number(value) and self.low <= value <= self.high  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two others, both included."""

    low: int
    high: int
    log: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Check the ends."""
        least = 1 if self.log else -(2**53)
        whole("low", self.low, least=least)
        whole("high", self.high, least=least)
        _ordered(self.low, self.high, log=self.log)

    def drawn(self, draws: Suggests, name: str) -> int:
        """Draw a value."""
        return draws.suggest_int(name, self.low, self.high, log=self.log)

    def holds(self, value: Value) -> bool:
        """Tell whether a value is a whole number within the ends."""
        return isinstance(value, int) and _is_number(value) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several values: texts, numbers, truths or None."""

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        """Check that there is something to choose from."""
        object.__setattr__(self, "values", tuple(self.values))
        plain = all(isinstance(v, Value) for v in self.values)  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
        if not self.values or not plain:
            rule = "texts, numbers, truths or None, one or more of them"
            raise SettingInvalid("values", rule, self.values)

    def drawn(self, draws: Suggests, name: str) -> Value:
        """Draw a value."""
        return draws.suggest_categorical(name, self.values)

    def holds(self, value: Value) -> bool:
        """Tell whether a value is one of them."""
        return value in self.values


Range: TypeAlias = Number | Whole | OneOf
"""What a setting may be."""


@dataclass(frozen=True, slots=True)
class Family:
    """Policies that differ in their settings alone.

    Args:
        name: what it is called.
        make: makes a trigger of the values of all settings, given by their names; or a mapping of
            several settings of the loop, such as ``{"retrain_when": …, "accept_if": …}``. It must
            make equal policies of equal values.
        settings: what each of its arguments may be; none where there is nothing to choose.
        start: the values that are tried first: the untuned ones. Without them a search begins
            with what it draws.

    Raises:
        SettingInvalid: the start lacks a setting, or lies outside of its range.

    Example:
        >>> from ratoon.triggers import Degraded
        >>> family = Family(
        ...     "degraded",
        ...     lambda by: Degraded(by=by),
        ...     settings={"by": Number(0.02, 0.5, log=True)},
        ...     start={"by": 0.1},
        ... )
        >>> print(family.made(family.start)["retrain_when"])
        Degraded(by=0.1)
    """

    name: str
    make: Callable[..., Made] = field(repr=False)
    settings: Mapping[str, Range] = field(default_factory=dict[str, Range], kw_only=True)
    start: Mapping[str, Value] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check name, settings and start."""
        if not self.name:
            raise SettingInvalid("name", "a text that is not empty", self.name)
        if not callable(self.make):
            raise SettingInvalid("make", "a function of the settings", self.make)
        for name, one in self.settings.items():
            if not isinstance(one, Range):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
                rule = "a mapping of names to Number, Whole or OneOf"
                raise SettingInvalid("settings", rule, {name: one})
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))
        if self.start is None and not self.settings:
            object.__setattr__(self, "start", {})
        if self.start is not None:
            self._check(self.start)
            object.__setattr__(self, "start", MappingProxyType(dict(self.start)))

    def _check(self, start: Mapping[str, Value]) -> None:
        if set(start) != set(self.settings):
            rule = f"given for each of the settings {sorted(self.settings)} of {self.name!r}"
            raise SettingInvalid("start", rule, dict(start))
        for name, value in start.items():
            if not self.settings[name].holds(value):
                rule = f"within {self.settings[name]} for {name!r} of {self.name!r}"
                raise SettingInvalid("start", rule, value)

    def drawn(self, draws: Suggests) -> Mapping[str, Value]:
        """Draw a value for each setting."""
        return {
            name: one.drawn(draws, f"{self.name}.{name}") for name, one in self.settings.items()
        }

    def made(self, values: Mapping[str, Value] | None) -> Mapping[str, Any]:
        """Return the settings of a loop that these values make."""
        found = self.make(**(values or {}))
        if isinstance(found, Mapping):
            return found
        if not callable(getattr(found, "fires", None)):
            rule = f"a function that returns a trigger or settings of a loop, in {self.name!r}"
            raise SettingInvalid("make", rule, found)
        return {"retrain_when": found}


def checked_space(space: Sequence[Family]) -> tuple[Family, ...]:
    """Return families, all of which have names of their own; there is at least one."""
    found = tuple(space)
    families = all(isinstance(one, Family) for one in found)  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
    if not found or not families:
        raise SettingInvalid("space", "one Family or more", space)
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        raise SettingInvalid("space", "families with names of their own", names)
    return found


def _ordered(low: float, high: float, *, log: bool) -> None:
    if low > high:
        raise SettingInvalid("low", f"at most high, which is {high}", low)
    if log and low <= 0:
        raise SettingInvalid("low", "above 0 where log is true", low)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
