"""Triggers on what comes from outside: business events, users, a person, new labels."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ratoon.core.deciding import Firing
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import FEEDBACK, NEW_LABELS, REQUESTED
from ratoon.core.settings import positive, share, whole
from ratoon.triggers.combine import Combines
from ratoon.triggers.protocol import (
    QUIET,
    Fired,
    Heard,
    LabelsClosed,
    Promoted,
    Rated,
    Refused,
    View,
)

_Z_95 = 1.6448536269514722  # one-sided 95 % point of the normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Stateless:
    """The state of a trigger that remembers nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """The state of a trigger that fires once and is silent until it is armed again."""

    armed: bool = True


@dataclass(frozen=True, slots=True)
class On(Combines):
    """A business event: fires on each event whose type matches, e.g. ``On("pricing.*")``."""

    type: str
    subject: str | None = None

    def __post_init__(self) -> None:
        """Check that there is a type."""
        if not self.type:
            raise SettingInvalid(
                "type", "an event type or a pattern such as 'pricing.*'", self.type
            )

    def init(self) -> Stateless:
        """Return the empty state."""
        return Stateless()

    def fires(self, state: Stateless, view: View, /) -> tuple[Stateless, Fired]:
        """Look at the event, if there is one."""
        if not isinstance(view.happened, Heard):
            return state, QUIET
        event = view.happened.event
        if not fnmatchcase(event.type, self.type):
            return state, QUIET
        if self.subject is not None and event.subject != self.subject:
            return state, QUIET
        firing = Firing(
            trigger=str(self),
            event_type=event.type,
            reason=f"{event.type} came from {event.source}",
            at=view.at,
            since=event.time,
            subject=event.subject,
            evidence=dict(event.data),
            event_id=event.id,
        )
        return state, Fired(sparks=(firing,), causes=(firing,))

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"On({self.type})"


@dataclass(frozen=True, slots=True)
class Requested(Combines):
    """A person asks, by `loop.retrain()` or `ratoon retrain`. Every loop has it by itself."""

    def init(self) -> Stateless:
        """Return the empty state."""
        return Stateless()

    def fires(self, state: Stateless, view: View, /) -> tuple[Stateless, Fired]:
        """Look at the event, if there is one."""
        answer = On(REQUESTED).fires(state, view)[1]
        firings = tuple(_asked(firing) for firing in answer.sparks)
        return state, Fired(sparks=firings, causes=firings)

    def __str__(self) -> str:
        """Write it as a person would."""
        return "Requested()"


def _asked(firing: Firing) -> Firing:
    who = firing.evidence.get("by") or "a person"
    why = firing.evidence.get("reason")
    return Firing(
        trigger="Requested()",
        event_type=REQUESTED,
        reason=f"{who} asked for it" + (f": {why}" if why else ""),
        at=firing.at,
        subject=firing.subject,
        evidence=firing.evidence,
        event_id=firing.event_id,
    )


@dataclass(frozen=True, slots=True)
class Feedback(Combines):
    """Users' feedback: too large a share of the champion's predictions was rated down or corrected.

    It fires once a champion, when the lower bound of the share (Wilson 1927, one-sided 95 %) is
    above `rate` and at least `least` predictions were complained about.
    """

    rate: float
    least: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        share("rate", self.rate)
        whole("least", self.least, least=1)

    def init(self) -> Armed:
        """Return the armed state."""
        return Armed()

    def fires(self, state: Armed, view: View, /) -> tuple[Armed, Fired]:
        """Compare the share of complaints with the rate."""
        if isinstance(view.happened, Promoted):
            return Armed(), QUIET
        if not isinstance(view.happened, Rated) or not state.armed:
            return state, QUIET
        negative, predictions = view.happened.negative, view.happened.predictions
        lower = wilson_lower(negative, predictions)
        if negative < self.least or lower <= self.rate:
            return state, QUIET
        firing = Firing(
            trigger=str(self),
            event_type=FEEDBACK,
            reason=f"users complained about {negative} of {predictions} predictions",
            at=view.at,
            since=view.champion_since,
            evidence={
                "negative": negative,
                "predictions": predictions,
                "lower_bound": lower,
                "rate": self.rate,
            },
        )
        return Armed(armed=False), Fired(sparks=(firing,), causes=(firing,))

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"Feedback(rate={self.rate})"


@dataclass(frozen=True, slots=True)
class NewLabels(Combines):
    """New labelled data: so many rows since the champion's snapshot, or such a share more."""

    rows: int | None = None
    share: float | None = field(default=None, kw_only=True)  # of the champion's snapshot

    def __post_init__(self) -> None:
        """Check that there is one threshold."""
        if (self.rows is None) == (self.share is None):
            got = (self.rows, self.share)
            raise SettingInvalid("the threshold of NewLabels", "given by rows or by share=", got)
        if self.rows is not None:
            whole("rows", self.rows, least=1)
        if self.share is not None:
            positive("share", self.share)

    def init(self) -> Armed:
        """Return the armed state."""
        return Armed()

    def fires(self, state: Armed, view: View, /) -> tuple[Armed, Fired]:
        """Count the rows since the champion's snapshot, whenever a window is full."""
        if isinstance(view.happened, Promoted | Refused):
            return Armed(), QUIET
        new = view.labelled - view.trained_rows
        needed = self.rows or max(1, _ceil((self.share or 0.0) * view.trained_rows))
        if not isinstance(view.happened, LabelsClosed) or not state.armed or new < needed:
            return state, QUIET
        firing = Firing(
            trigger=str(self),
            event_type=NEW_LABELS,
            reason=f"{new} labelled rows have come since the champion was trained",
            at=view.at,
            since=view.champion_since,
            evidence={"new": new, "threshold": needed, "trained_on": view.trained_rows},
        )
        return Armed(armed=False), Fired(sparks=(firing,), causes=(firing,))

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"NewLabels({self.rows if self.share is None else f'share={self.share}'})"


def _ceil(value: float) -> int:
    """Round up; what is above a whole number by rounding alone stays that number."""
    return math.ceil(round(value, 6))


def wilson_lower(hits: int, n: int) -> float:
    """Return the one-sided 95 % lower bound of a share (Wilson 1927).

    More hits than `n` count as `n`.

    >>> round(wilson_lower(30, 1000), 4)
    0.0223
    """
    if not n:
        return 0.0
    p, z2 = min(1.0, hits / n), _Z_95**2
    middle = p + z2 / (2 * n)
    spread = _Z_95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, (middle - spread) / (1 + z2 / n))
