"""The kinds of marks on the timeline: each has a shape, a letter and a colour of its own.

Shape and letter tell them apart without colour. The colours are those of Okabe and Ito (2008,
"Color Universal Design"), which stay distinct with any common form of colour blindness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ratoon.core import events
from ratoon.core.wire import Json

Group = Literal["cause", "outcome"]

_ORANGE, _SKY, _GREEN, _YELLOW = "#e69f00", "#56b4e9", "#009e73", "#f0e442"
_BLUE, _VERMILLION, _PURPLE, _GREY = "#0072b2", "#d55e00", "#cc79a7", "#bdbdbd"

# Outlines on a square of 16 by 16.
_CIRCLE = "M8 .8a7.2 7.2 0 1 0 0 14.4A7.2 7.2 0 1 0 8 .8Z"
_DIAMOND = "M8 0l8 8-8 8-8-8Z"
_SQUARE = "M1.5 1.5h13v13h-13Z"
_DOWN = "M.2 1.6h15.6L8 15.8Z"
_UP = "M8 .2l7.8 14.2H.2Z"
_HEXAGON = "M4.2 1h7.6L16 8l-4.2 7H4.2L0 8Z"
_OCTAGON = "M5 .6h6L15.4 5v6L11 15.4H5L.6 11V5Z"
_PENTAGON = "M8 .4l7.8 5.7-3 9.2H3.2l-3-9.2Z"
_TRAPEZOID = "M3.4 1.5h9.2L16 14.5H0Z"
_BUBBLE = "M.8 1h14.4v10.6H9L5 15.6v-4H.8Z"
_ARCH = "M1.2 15V7.4a6.8 6.8 0 0 1 13.6 0V15Z"
_SHIELD = "M8 .4l7 2.2v5c0 4-2.8 6.8-7 8.2-4.2-1.4-7-4.2-7-8.2v-5Z"
_RIGHT = "M.6 1.8h9.6L16 8l-5.8 6.2H.6Z"
_LEFT = "M15.4 1.8H5.8L0 8l5.8 6.2h9.6Z"
_PILL = "M4 2.5h8a4 4 0 0 1 4 4v3a4 4 0 0 1-4 4H4a4 4 0 0 1-4-4v-3a4 4 0 0 1 4-4Z"
_TRAY = "M.8 2.4h14.4L13 13.6H3Z"
_CROSS = "M5 .8h6V5h4.2v6H11v4.2H5V11H.8V5H5Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of mark: why something was done, or what was done."""

    id: str
    label: str
    group: Group
    letter: str
    shape: str  # an SVG path on a square of 16 by 16
    color: str
    ink: str = "#111"  # the letter's colour, on `color`
    sink: float = 0.0  # how far below the middle the letter stands, in the units of `shape`


CONCEPT = Kind(
    id="concept",
    label="Concept drift",
    group="cause",
    letter="C",
    shape=_DIAMOND,
    color=_VERMILLION,
)
DEGRADED = Kind(
    id="degraded",
    label="Performance degraded",
    group="cause",
    letter="P",
    shape=_DOWN,
    color=_ORANGE,
    sink=-1.8,
)
DATA = Kind(id="data", label="Data drift", group="cause", letter="D", shape=_HEXAGON, color=_SKY)
LABELS = Kind(
    id="labels", label="New labels", group="cause", letter="N", shape=_SQUARE, color=_YELLOW
)
FEEDBACK = Kind(
    id="feedback",
    label="Feedback",
    group="cause",
    letter="F",
    shape=_BUBBLE,
    color=_PURPLE,
    sink=-1.6,
)
WORTH = Kind(
    id="worth",
    label="Worth its cost",
    group="cause",
    letter="W",
    shape=_PENTAGON,
    color=_GREEN,
    sink=0.6,
)
SCHEDULE = Kind(
    id="schedule",
    label="Schedule",
    group="cause",
    letter="S",
    shape=_CIRCLE,
    color=_BLUE,
    ink="#fff",
)
BUSINESS = Kind(
    id="business",
    label="Business event",
    group="cause",
    letter="B",
    shape=_TRAPEZOID,
    color=_ORANGE,
    sink=0.4,
)
PERSON = Kind(
    id="person",
    label="A person asked",
    group="cause",
    letter="A",
    shape=_ARCH,
    color=_GREY,
    sink=0.6,
)
GUARD = Kind(
    id="guard",
    label="Guard breached",
    group="cause",
    letter="G",
    shape=_SHIELD,
    color=_VERMILLION,
    sink=-0.4,
)
RETRAINING = Kind(
    id="retraining", label="Retraining", group="outcome", letter="T", shape=_PILL, color=_SKY
)
PROMOTION = Kind(
    id="promotion", label="Promotion", group="outcome", letter="V", shape=_RIGHT, color=_GREEN
)
REFUSAL = Kind(
    id="refusal", label="Refusal", group="outcome", letter="X", shape=_OCTAGON, color=_ORANGE
)
ROLLBACK = Kind(
    id="rollback", label="Rollback", group="outcome", letter="R", shape=_LEFT, color=_VERMILLION
)
FAILURE = Kind(
    id="failure",
    label="Failed run",
    group="outcome",
    letter="!",
    shape=_UP,
    color=_PURPLE,
    sink=1.8,
)
SETTLED = Kind(
    id="settled", label="Settled", group="outcome", letter="✓", shape=_CIRCLE, color=_GREY
)
QUARANTINE = Kind(
    id="quarantine", label="Rows set aside", group="outcome", letter="Q", shape=_TRAY, color=_ORANGE
)
ERASURE = Kind(
    id="erasure", label="Rows erased", group="outcome", letter="E", shape=_CROSS, color=_GREY
)

KINDS = (
    CONCEPT, DEGRADED, DATA, LABELS, FEEDBACK, WORTH, SCHEDULE, BUSINESS, PERSON, GUARD,
    RETRAINING, PROMOTION, REFUSAL, ROLLBACK, FAILURE, SETTLED, QUARANTINE, ERASURE,
)  # fmt: skip
"""All kinds, in the order in which they are shown."""

_BY_TYPE: Mapping[str, Kind] = {
    events.CONCEPT_DRIFT: CONCEPT,
    events.DEGRADED: DEGRADED,
    events.DATA_DRIFT: DATA,
    events.PREDICTION_DRIFT: DATA,
    events.NEW_LABELS: LABELS,
    events.FEEDBACK: FEEDBACK,
    events.WORTH_IT: WORTH,
    events.SCHEDULE: SCHEDULE,
    events.REQUESTED: PERSON,
    events.ROLLBACK_REQUESTED: PERSON,
    events.GUARD_BREACHED: GUARD,
    events.PROMOTED: PROMOTION,
    events.REFUSED: REFUSAL,
    events.ROLLED_BACK: ROLLBACK,
    events.RUN_FAILED: FAILURE,
    events.SETTLED: SETTLED,
    events.DATA_QUARANTINED: QUARANTINE,
    events.DATA_FORGOTTEN: ERASURE,
}


def kind_of(event_type: str) -> Kind:
    """Return the kind of an event by its type; what Ratoon does not make itself is business."""
    return _BY_TYPE.get(event_type, BUSINESS)


def as_json(kind: Kind) -> Json:
    """Return what the page needs to draw a kind."""
    return {
        "id": kind.id,
        "label": kind.label,
        "group": kind.group,
        "letter": kind.letter,
        "shape": kind.shape,
        "color": kind.color,
        "ink": kind.ink,
        "sink": kind.sink,
    }
