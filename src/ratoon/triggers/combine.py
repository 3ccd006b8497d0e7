"""Triggers combined: any of them, all of them, at least n of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ratoon.core import wire
from ratoon.core.deciding import Firing
from ratoon.core.errors import SettingInvalid
from ratoon.core.settings import whole
from ratoon.core.times import duration
from ratoon.triggers.protocol import QUIET, Fired, Promoted, Trigger, View


class Combines:
    """Gives a trigger `|` and `&`, and a way to read its state back."""

    __slots__ = ()

    def __or__(self: Trigger[Any], other: Trigger[Any]) -> AnyOf:
        """Fire when one of the two does."""
        return AnyOf(parts=(*_parts(AnyOf, self), *_parts(AnyOf, other)))

    def __and__(self: Trigger[Any], other: Trigger[Any]) -> AtLeast:
        """Fire when both have fired within the last 30 days; see `AtLeast` for another time."""
        return AtLeast(2, self, other)

    def load(self: Trigger[Any], value: Any, /) -> Any:
        """Read the state from JSON."""
        return wire.from_json(type(self.init()), value)

    def metric_names(self) -> frozenset[str]:
        """Return the metric that the trigger asks for, where it names one."""
        metric: str | None = getattr(self, "metric", None)
        return frozenset() if metric is None else frozenset({metric})


def _parts(kind: type[AnyOf], trigger: Trigger[Any]) -> tuple[Trigger[Any], ...]:
    return trigger.parts if isinstance(trigger, kind) else (trigger,)


@dataclass(frozen=True, slots=True)
class Never(Combines):
    """Fires never; a person may still ask."""

    def init(self) -> None:
        """Return nothing: there is nothing to remember."""

    def load(self, value: Any, /) -> None:
        """Return nothing."""

    def fires(self, state: None, view: View, /) -> tuple[None, Fired]:  # noqa: ARG002 - the protocol's
        """Answer no."""
        return None, QUIET

    def __str__(self) -> str:
        """Write it as a person would."""
        return "Never()"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf(Combines):
    """Fires when one of its parts fires. Written `a | b`."""

    parts: tuple[Trigger[Any], ...]

    def init(self) -> tuple[Any, ...]:
        """Return the states of the parts."""
        return tuple(part.init() for part in self.parts)

    def load(self, value: Any, /) -> tuple[Any, ...]:
        """Read the states of the parts."""
        return tuple(part.load(item) for part, item in zip(self.parts, value, strict=True))

    def fires(self, state: tuple[Any, ...], view: View, /) -> tuple[tuple[Any, ...], Fired]:
        """Ask each part."""
        states, answers = _ask(self.parts, state, view)
        return states, Fired(
            sparks=tuple(spark for answer in answers for spark in answer.sparks),
            causes=tuple(cause for answer in answers for cause in answer.causes),
        )

    def metric_names(self) -> frozenset[str]:
        """Return the metrics that the parts ask for."""
        return frozenset[str]().union(*(part.metric_names() for part in self.parts))

    def __str__(self) -> str:
        """Write it as a person would."""
        return " | ".join(map(str, self.parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Latched:
    """The state of `AtLeast`: its parts' states, and the latest causes of each."""

    parts: tuple[Any, ...]
    causes: tuple[tuple[Firing, ...], ...]


@dataclass(frozen=True, slots=True, init=False)
class AtLeast(Combines):
    """Fires when `n` of its parts have fired `within` a time. `a & b` is `AtLeast(2, a, b)`.

    A part that has fired counts until it is too old, a version is promoted, or the whole fires.
    """

    n: int
    parts: tuple[Trigger[Any], ...]
    within: timedelta

    def __init__(self, n: int, *parts: Trigger[Any], within: timedelta | str = "30d") -> None:
        """Check the settings."""
        whole("n", n, least=1)
        if len(parts) < n:
            rule = f"followed by at least {n} triggers"
            raise SettingInvalid("AtLeast", rule, len(parts))
        object.__setattr__(self, "n", n)
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "within", duration("within", within))

    def init(self) -> Latched:
        """Return the states of the parts, nothing latched."""
        return Latched(
            parts=tuple(part.init() for part in self.parts), causes=((),) * len(self.parts)
        )

    def load(self, value: Any, /) -> Latched:
        """Read the states of the parts and what is latched."""
        parts = zip(self.parts, value["parts"], strict=True)
        return Latched(
            parts=tuple(part.load(item) for part, item in parts),
            causes=wire.from_json(tuple[tuple[Firing, ...], ...], value["causes"]),
        )

    def fires(self, state: Latched, view: View, /) -> tuple[Latched, Fired]:
        """Ask each part, and count those that have fired lately."""
        states, answers = _ask(self.parts, state.parts, view)
        oldest = view.at - self.within
        renewed = isinstance(view.happened, Promoted)
        kept = [() if renewed or (c and c[0].at < oldest) else c for c in state.causes]
        causes = tuple(a.causes or c for a, c in zip(answers, kept, strict=True))
        sparks = tuple(spark for answer in answers for spark in answer.sparks)
        whole_fires = any(a.causes for a in answers) and sum(map(bool, causes)) >= self.n
        if not whole_fires:
            return Latched(parts=states, causes=causes), Fired(sparks=sparks)
        fired = Fired(sparks=sparks, causes=tuple(cause for part in causes for cause in part))
        return Latched(parts=states, causes=((),) * len(causes)), fired

    def metric_names(self) -> frozenset[str]:
        """Return the metrics that the parts ask for."""
        return frozenset[str]().union(*(part.metric_names() for part in self.parts))

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"AtLeast({self.n}, {', '.join(map(str, self.parts))})"


def _ask(
    parts: tuple[Trigger[Any], ...], states: tuple[Any, ...], view: View
) -> tuple[tuple[Any, ...], tuple[Fired, ...]]:
    answers = [part.fires(state, view) for part, state in zip(parts, states, strict=True)]
    return tuple(state for state, _ in answers), tuple(fired for _, fired in answers)
