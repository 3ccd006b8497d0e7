"""States and records as JSON and back, by their types.

Frozen dataclasses, tuples, mappings, unions of dataclasses, moments and durations; nothing else,
so that what is stored can be read by anyone and no code hides in it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias, Union, cast

Json: TypeAlias = object
"""A value that JSON can hold: None, bool, int, float, str, or sequences and mappings of those."""

_KIND = "kind"
_AS_THEY_ARE = frozenset({type(None), bool, int, str})
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def dumps(value: object) -> str:
    """Return `value` as JSON text, keys in order."""
    return json.dumps(to_json(value), separators=(",", ":"), allow_nan=False)


def loads(kind: Any, text: str) -> Any:
    """Read a value of type `kind` from the JSON `text` that `dumps` made.

    >>> loads(tuple[int, ...], "[1,2]")
    (1, 2)
    """
    return from_json(kind, json.loads(text))


def to_json(value: object) -> Json:
    """Turn dataclasses, tuples, mappings, moments and durations into plain JSON values."""
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is float and math.isfinite(cast("float", value)):
        return value
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"float": str(value)}
        case datetime():
            return value.isoformat()
        case timedelta():
            return value / timedelta(seconds=1)
        case Mapping():
            named = cast("Mapping[str, object]", value)
            return {str(key): to_json(item) for key, item in named.items()}
        case tuple() | list():
            items = cast("Sequence[object]", value)
            plain = _AS_THEY_ARE.issuperset(map(type, items))
            return list(items) if plain else [to_json(item) for item in items]
        case _ if dataclasses.is_dataclass(value):
            body = {name: to_json(getattr(value, name)) for name in _fields(kind)}
            return {_KIND: kind.__name__, **body}
        case _:
            message = f"{type(value).__name__} has no JSON form"
            raise TypeError(message)


@functools.cache
def _fields(kind: type[Any]) -> tuple[str, ...]:
    return tuple([field.name for field in dataclasses.fields(kind)])


def from_json(kind: Any, value: Any) -> Any:
    """Read a value of type `kind` from what `to_json` made."""
    origin = typing.get_origin(kind)
    if kind is Any or kind is object:
        return _plain(value)
    if origin is typing.Literal:
        return value
    if origin in (Union, types.UnionType):
        return _from_union(typing.get_args(kind), value)
    if value is None:
        return None
    if dataclasses.is_dataclass(kind):
        return _from_dataclass(cast("type[Any]", kind), value)
    if origin is not None:
        return _from_container(origin, typing.get_args(kind), value)
    return _from_scalar(kind, value)


def _plain(value: Any) -> Any:
    """Read JSON whose type is not known: only the floats that JSON lacks are restored."""
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    items = cast("dict[str, Any]", value)
    name = items.get("float")
    if len(items) == 1 and isinstance(name, str) and name in _FLOATS:
        return _FLOATS[name]
    return {key: _plain(item) for key, item in items.items()}


def _from_scalar(kind: Any, value: Any) -> Any:
    if kind is float:
        return float(_plain(value))
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is timedelta:
        return timedelta(seconds=value)
    return value


def _from_union(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, dict) and _KIND in value:
        tag = cast("dict[str, Any]", value)[_KIND]
        for kind in kinds:
            if getattr(typing.get_origin(kind) or kind, "__name__", None) == tag:
                return from_json(kind, value)
    rest = [kind for kind in kinds if kind is not types.NoneType]
    return from_json(rest[0], value) if len(rest) == 1 else _plain(value)


def _from_dataclass(kind: type[Any], value: dict[str, Any]) -> Any:
    hints = typing.get_type_hints(kind)
    known = {field.name for field in dataclasses.fields(kind)}
    return kind(**{k: from_json(hints[k], v) for k, v in value.items() if k in known})


def _from_container(origin: Any, kinds: tuple[Any, ...], value: Any) -> Any:
    if dataclasses.is_dataclass(origin):
        return _from_dataclass(cast("type[Any]", origin), value)
    if origin is tuple and kinds[1:] == (Ellipsis,):
        return tuple(from_json(kinds[0], item) for item in value)
    if origin is list:
        return [from_json(kinds[0], item) for item in value]
    if origin is Sequence:
        return tuple(from_json(kinds[0], item) for item in value)
    if origin is tuple:
        return tuple(from_json(k, item) for k, item in zip(kinds, value, strict=True))
    return {key: from_json(kinds[1], item) for key, item in value.items()}
