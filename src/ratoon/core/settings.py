"""Checks of settings, made where a setting is made."""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real

from ratoon.core.errors import SettingInvalid


def positive(name: str, value: float) -> None:
    """Refuse `value` unless it is finite and above 0."""
    if not (_is_number(value) and 0 < value < math.inf):
        raise SettingInvalid(name, "a finite number above 0", value)


def not_negative(name: str, value: float) -> None:
    """Refuse `value` unless it is finite and at least 0."""
    if not (_is_number(value) and 0 <= value < math.inf):
        raise SettingInvalid(name, "a finite number of at least 0", value)


def share(name: str, value: float) -> None:
    """Refuse `value` unless it lies strictly between 0 and 1."""
    if not (_is_number(value) and 0 < value < 1):
        raise SettingInvalid(name, "strictly between 0 and 1", value)


def whole(name: str, value: int, *, least: int) -> None:
    """Refuse `value` unless it is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        rule = f"a whole number (an int) of at least {least}"
        raise SettingInvalid(name, rule, value)


def one_of(name: str, value: str, choices: Collection[str]) -> None:
    """Refuse `value` unless it is one of `choices`."""
    if value not in choices:
        rule = "one of " + ", ".join(sorted(choices))
        raise SettingInvalid(name, rule, value)


def finite(name: str, value: float) -> None:
    """Refuse `value` unless it is a finite number."""
    if not (_is_number(value) and -math.inf < value < math.inf):
        raise SettingInvalid(name, "a finite number", value)


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real)
