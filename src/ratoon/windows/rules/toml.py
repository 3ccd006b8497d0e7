"""Data rules as TOML: written with comments for a person, read with the line of every mistake.

The standard library reads TOML; writing it takes only the few kinds of values below.
"""

from __future__ import annotations

import difflib
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from ratoon.core.errors import RulesUnreadable, SettingInvalid
from ratoon.core.times import EPOCH
from ratoon.windows.rules.values import (
    RULES,
    ClassRule,
    ColumnRule,
    DataRules,
    LabelRule,
    Tolerances,
    Usual,
)

FORMAT = 1
"""The form of the text that this Ratoon writes, and the newest that it reads."""

TOLD: Mapping[str, str] = {
    "alpha": "chance that a training on unchanged data is told of at all",
    "batch_rows": "rows that are judged together at least; smaller batches are joined",
    "nulls_warn": "rise of the share of missing values",
    "nulls_fail": "",
    "sentinel_warn": "share of rows with a number that stands for a missing one",
    "sentinel_fail": "",
    "outside_warn": "share of rows beyond the least and the largest of the reference",
    "far_fail": "share of rows beyond `reach`; of rows that break a rule by themselves",
    "reach": "sizes of a column (its middle 80 %, or its median), beyond its middle 80 %",
    "unit_fail": "factor from which a change of unit fails; a smaller one only if it is far off",
    "categories_warn": "rise of the share of texts that the reference does not have",
    "duplicates_warn": "rise of the share of repeated rows",
    "duplicates_fail": "rise of the share of different rows that come again",
    "class_share": "share of a class in the reference from which its absence fails",
    "label_warn": "change of the share of a class",
    "label_shift": "move of the median of a number to predict, in widths of its middle 80 %",
    "leak_warn": "association of one feature with the label, from 0 to 1",
    "leak_fail": "",
    "skew_s": "seconds that two clocks may differ",
    "back_years": "years that an event may be older than the reference",
    "rows_least": "rows to train on",
    "class_rows_least": "rows of a class, for it to count as one",
    "aside_most": "share of rows that may be set aside before nothing is trained",
}
"""What each tolerance says, for the comments."""

_HEAD = """\
# What data must be like before a model is trained on it. Inferred from a reference; edit it freely,
# raise `version` when you do, and look at the result with `ratoon data check`.
#
# A column may also have, as a person's own word:
#   nulls_most = 0.2            at most a fifth may be missing, whatever the reference says
#   at_least = 0, at_most = 99  no value outside, not one
#   new_most = 0.01             share of texts that the reference does not have
#   skip = ["range", "units"]   rules that the column is not held to
"""
_COLUMN_COMMENTS = {
    "nulls": "rows without a value",
    "nulls_effect": "they come in runs: so many rows count as one",
    "quantiles": "at 10, 25, 50, 75 and 90 %",
    "commonest": "rows with the commonest value",
    "usual": "values that could stand for missing ones, and are usual here",
    "distinct": "different texts",
    "singles": "texts that one row alone has",
    "association": "with the label: 0 none, 1 exact",
}
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TIMES = frozenset({"least", "most", "quantiles", "at_least", "at_most", "starts", "ends", "usual"})
_ESCAPES = {
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
}


def to_text(rules: DataRules) -> str:
    """Write rules as TOML, with a comment where a name does not say it.

    >>> rules = DataRules(version=1, rows=50, columns=(ColumnRule(name="age", kind="number"),))
    >>> from_text(to_text(rules)) == rules
    True
    """
    lines = [_HEAD, f"format = {FORMAT}", f"version = {rules.version}"]
    lines.append(f"rows = {rules.rows}  # of the reference")
    for name in ("starts", "ends"):
        value = getattr(rules, name)
        if value is not None:
            lines.append(f"{name} = {_moment(value)}")
    lines.append(
        f"repeated_most = {rules.repeated_most}  # share of repeated rows, in its worst part"
    )
    lines.append(f"copied_most = {rules.copied_most}  # share of different rows that come again")
    if rules.entity is not None:
        lines.append(f"entity = {_string(rules.entity)}")
    lines += ["", *_severity(rules), "", *_tolerances(rules.tolerances)]
    if rules.label is not None:
        lines += ["", *_label(rules.label)]
    for column in rules.columns:
        lines += ["", *_column(f"columns.{_key(column.name)}", column, times=column.kind == "time")]
    return "\n".join(lines) + "\n"


def from_text(text: str, source: str = "") -> DataRules:
    r"""Read rules that `to_text` wrote, and a person may have edited.

    Args:
        text: the rules as TOML.
        source: the file that they stand in, to be named in an error.

    Raises:
        RulesUnreadable: naming the line and the name, where the text is no TOML, a name is unknown
            or missing, or a value breaks its rule.

    >>> from_text("version = 1\nrows = 0")
    Traceback (most recent call last):
    ...
    ratoon.core.errors.RulesUnreadable: line 2: rows must be a whole number (an int) of at least 1,
    got 0
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found[1]) if found else None
        got = text.split("\n")[line - 1] if line else text[-40:]
        what = source or "the text of the rules"
        raise RulesUnreadable(what, f"TOML ({error})", got, line=line) from error
    places = _Places(text, source)
    found = table.pop("format", FORMAT)
    if found != FORMAT:
        raise places.wrong(("format",), f"{FORMAT}, as this Ratoon reads", found)
    columns = _table(table.get("columns", {}), ("columns",), places)
    named = [_named(name, body, places) for name, body in columns.items()]
    return cast("DataRules", _made(DataRules, {**table, "columns": named}, (), places))


def _named(name: str, body: object, places: _Places) -> dict[str, Any]:
    """Return what is told of a column, with its name, its texts as a list."""
    found = {"name": name, **_table(body, ("columns", name), places)}
    if "categories" in found:
        texts = _table(found["categories"], ("columns", name, "categories"), places)
        found["categories"] = [{"value": text, "rows": rows} for text, rows in texts.items()]
    return found


class _Places:
    """Where in a text each name stands."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._lines: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        last: tuple[str, ...] = ()
        item = 0
        for line, found in enumerate(text.split("\n"), start=1):
            content = found.strip()
            if content.startswith("{") and last:
                self._lines[(*last, str(item))] = line
                item += 1
            path = _path(content)
            if path is None:
                continue
            if content.startswith("["):
                table = path
                self._lines.setdefault(table, line)
            else:
                last, item = (*table, *path), 0
                self._lines.setdefault(last, line)

    def wrong(self, path: tuple[str, ...], rule: str, got: object) -> RulesUnreadable:
        """Return the error of a setting, named with its file and its line where those are known."""
        name = ".".join(path) or "the rules"
        known = [self._lines.get(path[:length]) for length in range(len(path), 0, -1)]
        line = next((found for found in known if found is not None), None)
        at = self._source if line is None else f"{self._source}, line {line}".removeprefix(", ")
        return RulesUnreadable(f"{at}: {name}" if at else name, rule, got, line=line)


def _path(line: str) -> tuple[str, ...] | None:
    """Return the name that a line of TOML sets or opens."""
    opens = line.startswith("[") and line.rstrip().endswith("]")
    head = line if opens else line.partition("=")[0] + "= 0"
    try:
        found: Any = tomllib.loads(head)
    except tomllib.TOMLDecodeError:
        return None
    path: list[str] = []
    while isinstance(found, dict) and found:
        name, found = next(iter(cast("dict[str, Any]", found).items()))
        path.append(name)
    return tuple(path) or None


def _table(value: object, path: tuple[str, ...], places: _Places) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise places.wrong(path, "a table", value)
    return cast("dict[str, Any]", value)


def _made(kind: type[Any], table: Mapping[str, Any], path: tuple[str, ...], places: _Places) -> Any:
    """Make a value of `kind` of a table; every mistake names its line."""
    known: dict[str, Field[Any]] = {field.name: field for field in fields(kind)}
    hints = typing.get_type_hints(kind)
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1) or list(known)
            rule = f"a name that rules have, such as {near[0]!r}"
            raise places.wrong((*path, name), rule, name)
    for name, field in known.items():
        needed = field.default is MISSING and field.default_factory is MISSING
        if needed and name not in table:
            raise places.wrong(path, f"told with {name!r}", None)
    values = {
        name: _read(hints[name], value, (*path, name), places) for name, value in table.items()
    }
    try:
        return kind(**values)
    except SettingInvalid as error:
        at = (*path, *error.setting.split("."))
        raise places.wrong(at, error.rule, error.got) from error


def _read(hint: Any, value: Any, path: tuple[str, ...], places: _Places) -> Any:
    """Read a value of a type; None stands in no TOML."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        kinds = [kind for kind in inner if kind is not types.NoneType]
        return _read(kinds[0], value, path, places) if len(kinds) == 1 else _scalar(value)
    if origin is tuple:
        if not isinstance(value, list):
            raise places.wrong(path, "a list", value)
        items = cast("list[Any]", value)
        named = [_name_of(item, i) for i, item in enumerate(items)]
        pairs = zip(named, items, strict=True)
        return tuple(_read(inner[0], item, (*path, name), places) for name, item in pairs)
    if is_dataclass(hint):
        return _made(cast("type[Any]", hint), _table(value, path, places), path, places)
    if origin is not None and origin is not typing.Literal:
        return _table(value, path, places)
    return _plain(hint, value, path, places)


def _name_of(item: Any, place: int) -> str:
    """Return how an item of a list is found in the text: by its heading, its text or its place."""
    if isinstance(item, dict):
        table = cast("dict[str, Any]", item)
        if "name" in table:
            return str(table["name"])
        if isinstance(table.get("value"), str) and "effect" not in table:
            return str(table["value"])
    return str(place)


def _plain(hint: Any, value: Any, path: tuple[str, ...], places: _Places) -> Any:
    if hint is float:
        if isinstance(value, datetime):
            return _scalar(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise places.wrong(path, "a number", value)
        return float(value)
    if hint is int and (isinstance(value, bool) or not isinstance(value, int)):
        raise places.wrong(path, "a whole number", value)
    if hint is str and not isinstance(value, str):
        raise places.wrong(path, "a text", value)
    return value


def _scalar(value: Any) -> Any:
    """Return a moment as microseconds since 1970, and anything else as it is."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return float((aware - EPOCH) // timedelta(microseconds=1))
    return value


def _severity(rules: DataRules) -> Iterator[str]:
    yield '# How bad a breach may be at most: "fail" (so it is for all that are not named), "warn"'
    yield '# or "off". The rules:'
    for rule, says in RULES.items():
        yield f"#   {rule:<11} {says}"
    yield "[severity]"
    for rule, level in rules.severity.items():
        yield f"{rule} = {_string(level)}"


def _tolerances(tolerances: Tolerances) -> Iterator[str]:
    yield "# How far data may be from the reference: beyond `…_warn` it is told, beyond `…_fail`"
    yield "# the batch is set aside."
    yield "[tolerances]"
    for field in fields(tolerances):
        yield _line(field.name, repr(getattr(tolerances, field.name)), TOLD[field.name])


def _label(label: LabelRule) -> Iterator[str]:
    yield "[label]"
    yield f"task = {_string(label.task)}"
    yield f"rows = {label.rows}"
    if label.classes:
        yield "classes = ["
        for one in label.classes:
            yield f"  {_class(one)},  # {100 * one.rows / label.rows:.3g} %"
        yield "]"
    if label.values is not None:
        yield ""
        yield from _column("label.values", label.values, times=False, named=True)


def _class(one: ClassRule) -> str:
    return f"{{ value = {_value(one.value)}, rows = {one.rows}, effect = {one.effect!r} }}"


def _column(heading: str, column: ColumnRule, *, times: bool, named: bool = False) -> Iterator[str]:
    """Write a column: what is as by default is left out."""
    yield f"[{heading}]"
    texts: Sequence[Usual] = ()
    if named:
        yield f"name = {_string(column.name)}"
    yield f"kind = {_string(column.kind)}"
    for field in fields(column):
        value = getattr(column, field.name)
        if field.name in ("name", "kind") or value == field.default:
            continue
        as_time = times and field.name in _TIMES
        comment = _COLUMN_COMMENTS.get(field.name, "")
        if field.name == "categories":
            texts = cast("Sequence[Usual]", value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Usual):
            yield _line(field.name, "[", comment)
            for one in cast("Sequence[Usual]", value):
                told = _moment(float(one.value)) if as_time else _value(one.value)
                yield f"  {{ value = {told}, rows = {one.rows} }},"
            yield "]"
        elif isinstance(value, tuple):
            items = cast("Sequence[Any]", value)
            told = ", ".join(_moment(item) if as_time else _value(item) for item in items)
            yield _line(field.name, f"[{told}]", comment)
        else:
            yield _line(field.name, _moment(value) if as_time else _value(value), comment)
    if texts:
        yield f"[{heading}.categories]  # rows with each text, the commonest first"
        yield from (f"{_string(str(one.value))} = {one.rows}" for one in texts)


def _line(name: str, value: str, comment: str) -> str:
    return f"{name} = {value}" + (f"  # {comment}" if comment else "")


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _string(value)
        case _:
            return repr(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    def escaped(character: str) -> str:
        code = ord(character)
        plain = code >= 0x20 and code != 0x7F  # noqa: PLR2004 - TOML's control characters
        return _ESCAPES.get(character) or (character if plain else f"\\u{code:04X}")

    return '"' + "".join(escaped(character) for character in text) + '"'


def _moment(at: float) -> str:
    found = EPOCH + timedelta(microseconds=int(at))
    return found.isoformat().replace("+00:00", "Z")
