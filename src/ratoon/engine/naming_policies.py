"""Policies by name: what a person writes on a command line, and what a search tries.

A name is a word with its argument, such as `every:30d`, or the expression of a trigger as Python
writes it, such as `Degraded(by=0.1) | Every(days=30)`. An expression is read, never run: it holds
the names of triggers, plain values, `|` and `&`, and nothing else.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from ratoon import triggers
from ratoon.core.errors import RatoonError, SettingInvalid
from ratoon.engine.loop import Loop
from ratoon.gates import Untested
from ratoon.triggers import (
    Cron,
    DataDrift,
    Degraded,
    Drift,
    Every,
    Never,
    NewLabels,
    WorthIt,
)
from ratoon.triggers.protocol import Trigger

_LONGEST = 2000  # characters of an expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A short name for a policy."""

    name: str
    example: str  # as a person writes it
    told: str  # what it does, after its example
    make: Callable[[str | None], Trigger[Any] | None]  # of its argument; None: the loop's own
    untested: bool = False  # whether its challengers are promoted without a test


def short_names() -> Mapping[str, Named]:
    """Return the short names of policies, in the order in which they are told.

    >>> [one.example for one in short_names().values()][:4]
    ['never', 'loop', 'every:30d', 'worth:200']
    """
    return MappingProxyType({one.name: one for one in _names()})


def policy_named(text: str, loop: Loop) -> Loop:
    """Return a loop with the policy that a text tells; all else is as in `loop`.

    Short names are `never`, `loop` (as it is), `every:30d` (by the calendar, promoted without a
    test), `worth:200`, `degraded:0.1`, `drift`, `data-drift`, `labels:1000`, `cron:0 3 * * MON`.
    Any other text is the expression of a trigger, as `trigger_named` reads it; it keeps the loop's
    gate.

    Args:
        text: a short name, with its argument after a colon; or an expression.
        loop: what it is the policy of; it is neither opened nor changed.

    Raises:
        SettingInvalid: the text tells no policy, or a setting of its trigger is not allowed.

    Example:
        >>> loop = Loop("fraud", trainer=lambda data: None)
        >>> str(policy_named("worth:200", loop).retrain_when)
        'WorthIt(200)'
        >>> str(policy_named("Every(days=7) | Degraded(by=0.1)", loop).retrain_when)
        'Every(7 days, 0:00:00) | Degraded(by=0.1)'
    """
    word, colon, argument = text.strip().partition(":")
    named = short_names().get(word.strip())
    if named is None:
        return loop.settings(retrain_when=trigger_named(text))
    trigger = named.make(argument.strip() if colon else None)
    if trigger is None:
        return loop
    gate: dict[str, Any] = {"accept_if": Untested()} if named.untested else {}
    return loop.settings(retrain_when=trigger, **gate)


def trigger_named(text: str) -> Trigger[Any]:
    """Read a trigger from the expression that would make it in Python; nothing of it is run.

    Raises:
        SettingInvalid: it is no such expression, or a setting is not what it must be.

    Example:
        >>> trigger_named("WorthIt(200) | Every('30d')").parts[0].retrain_cost
        200
    """
    if len(text) > _LONGEST:
        rule = f"a policy of at most {_LONGEST} characters"
        raise SettingInvalid("policy", rule, text[:40] + "…")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return _trigger(tree.body, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, RatoonError):
            raise
        raise _unknown(text) from error


def _names() -> tuple[Named, ...]:
    return (
        Named(name="never", example="never", told="keeps its first model", make=_plain(Never)),
        Named(name="loop", example="loop", told="is the loop as it is defined", make=_own),
        Named(
            name="every",
            example="every:30d",
            told="retrains by the calendar and promotes without a test",
            make=_with(Every, str),
            untested=True,
        ),
        Named(
            name="worth",
            example="worth:200",
            told="retrains where that saves what it costs",
            make=_with(WorthIt, float),
        ),
        Named(
            name="degraded",
            example="degraded:0.1",
            told="retrains where the metric is a tenth worse",
            make=_with(lambda by: Degraded(by=by), float),
        ),
        Named(
            name="drift",
            example="drift",
            told="retrains on a drift of the metric",
            make=_plain(Drift),
        ),
        Named(
            name="data-drift",
            example="data-drift",
            told="retrains on a drift of the inputs",
            make=_plain(DataDrift),
        ),
        Named(
            name="labels",
            example="labels:1000",
            told="retrains on so many new labels",
            make=_with(NewLabels, int),
        ),
        Named(
            name="cron",
            example="cron:0 3 * * MON",
            told="retrains by a cron expression and promotes without a test",
            make=_with(Cron, str),
            untested=True,
        ),
    )


def _own(argument: str | None) -> None:
    if argument is not None:
        raise SettingInvalid("policy", "'loop' alone: it takes no argument", f"loop:{argument}")


def _plain(kind: Callable[[], Trigger[Any]]) -> Callable[[str | None], Trigger[Any]]:
    """Return what makes a trigger that takes no argument here."""

    def made(argument: str | None) -> Trigger[Any]:
        if argument is not None:
            rule = "without an argument; the expression of a trigger may have settings"
            raise SettingInvalid("policy", rule, argument)
        return kind()

    return made


def _with(kind: Callable[[Any], Trigger[Any]], read: type) -> Callable[[str | None], Trigger[Any]]:
    """Return what makes a trigger of the argument that it needs."""

    def made(argument: str | None) -> Trigger[Any]:
        if not argument:
            rule = "with its argument after a colon, such as 'every:30d' or 'worth:200'"
            raise SettingInvalid("policy", rule, argument)
        try:
            value = read(argument.replace("_", "") if read in (int, float) else argument)
        except ValueError as error:
            what = "a whole number" if read is int else "a number"
            raise SettingInvalid("policy", f"{what} after the colon", argument) from error
        return kind(value)

    return made


def _trigger(node: ast.expr, text: str) -> Trigger[Any]:
    """Return the trigger that a node of the expression stands for."""
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return cast("Any", _trigger(left, text)) | _trigger(right, text)
        case ast.BinOp(left=left, op=ast.BitAnd(), right=right):
            return cast("Any", _trigger(left, text)) & _trigger(right, text)
        case ast.Call(func=function, args=args, keywords=keywords):
            return _made(_kind(function, text), args, keywords, text)
        case ast.Name() | ast.Attribute():
            return _made(_kind(node, text), [], [], text)
        case _:
            raise _unknown(text)


def _made(
    kind: type[Any], args: list[ast.expr], keywords: list[ast.keyword], text: str
) -> Trigger[Any]:
    if any(keyword.arg is None for keyword in keywords):
        raise _unknown(text)
    given = [_value(arg, text) for arg in args]
    named = {str(keyword.arg): _value(keyword.value, text) for keyword in keywords}
    try:
        inspect.signature(kind).bind(*given, **named)
    except TypeError as error:
        raise SettingInvalid(
            "policy", f"{kind.__name__} with its settings ({error})", text
        ) from error
    return kind(*given, **named)


def _value(node: ast.expr, text: str) -> Any:
    """Return a plain value, or a trigger within a trigger."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        if isinstance(node, (ast.Call, ast.BinOp)):
            return _trigger(node, text)
        raise


def _kind(node: ast.expr, text: str) -> type[Any]:
    """Return the trigger of that name; `triggers.` and `rt.triggers.` before it are allowed."""
    name = ast.unparse(node)
    for door in ("ratoon.triggers.", "rt.triggers.", "triggers."):
        name = name.removeprefix(door)
    found = getattr(triggers, name, None) if name in triggers.__all__ else None
    if not inspect.isclass(found) or not callable(getattr(found, "fires", None)):
        raise _unknown(text)
    if getattr(found, "_is_protocol", False):
        raise _unknown(text)
    return found


def _unknown(text: str) -> SettingInvalid:
    names = ", ".join(repr(one.example) for one in _names())
    rule = f"one of {names}, or a trigger such as 'Degraded(by=0.1) | Every(days=30)'"
    return SettingInvalid("policy", rule, text)
