"""Events: CloudEvents 1.0, each with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ratoon.core.errors import SettingInvalid
from ratoon.core.times import utc
from ratoon.core.wire import Json, to_json

# What may cause a retraining.
CONCEPT_DRIFT = "ratoon.drift.concept"
DATA_DRIFT = "ratoon.drift.data"
PREDICTION_DRIFT = "ratoon.drift.predictions"
DEGRADED = "ratoon.performance.degraded"
WORTH_IT = "ratoon.retraining.worthwhile"
NEW_LABELS = "ratoon.labels.arrived"
FEEDBACK = "ratoon.feedback.negative"
SCHEDULE = "ratoon.schedule.due"
REQUESTED = "ratoon.retraining.requested"
# What happened then.
ROLLBACK_REQUESTED = "ratoon.rollback.requested"
RUN_FAILED = "ratoon.run.failed"
REFUSED = "ratoon.challenger.refused"
PROMOTED = "ratoon.version.promoted"
GUARD_BREACHED = "ratoon.guard.breached"
ROLLED_BACK = "ratoon.version.rolled_back"
SETTLED = "ratoon.version.settled"
DATA_QUARANTINED = "ratoon.data.quarantined"
DATA_FORGOTTEN = "ratoon.data.forgotten"

EVENT_TYPES: Mapping[str, str] = {
    CONCEPT_DRIFT: "a detector found a change in a metric of the champion",
    DATA_DRIFT: "features are distributed otherwise than in the champion's training data",
    PREDICTION_DRIFT: "the champion answers otherwise than it answered to its held-out rows",
    DEGRADED: "a metric of the champion crossed its threshold, absolute or relative",
    WORTH_IT: "the loss that a retraining would have avoided has reached its cost",
    NEW_LABELS: "so many labelled rows have come since the champion was trained",
    FEEDBACK: "users rated or corrected a larger share of predictions than is allowed",
    SCHEDULE: "an interval has passed or a cron time has come",
    REQUESTED: "a person asked for a retraining",
    ROLLBACK_REQUESTED: "a person asked for a rollback",
    RUN_FAILED: "a run ended without a model; the champion is untouched",
    REFUSED: "a challenger did not pass its gate",
    PROMOTED: "a version became champion",
    GUARD_BREACHED: "labels speak against the version that was promoted",
    ROLLED_BACK: "an earlier version became champion again",
    DATA_QUARANTINED: "rows failed a data check before a training and were set aside",
    DATA_FORGOTTEN: "rows were erased at a person's wish; what was trained on them is named",
    SETTLED: "the watch over a promotion ended well; the gain that it brought was measured",
}
"""Every type of event that Ratoon makes itself, and what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact with a time and its evidence, as a CloudEvent (CloudEvents 1.0, section 3.1)."""

    id: str  # unique within the source
    source: str  # who says so: "/ratoon/<loop>", or the sender's URI
    type: str  # what happened, in reverse-DNS or dotted form
    time: datetime  # when it happened, aware
    subject: str | None = None  # what it is about: a loop, a metric, a feature, a version
    data: Mapping[str, Json] = field(default_factory=dict[str, Json])

    def __post_init__(self) -> None:
        """Check the attributes that CloudEvents requires."""
        for name in ("id", "source", "type"):
            if not getattr(self, name):
                setting = f"event {name}"
                raise SettingInvalid(setting, "a text that is not empty", getattr(self, name))
        if self.subject == "":
            raise SettingInvalid("event subject", "None or a text that is not empty", self.subject)
        object.__setattr__(self, "time", utc("event time", self.time))

    def to_cloudevent(self) -> dict[str, Json]:
        """Return the event in the JSON format of CloudEvents 1.0."""
        body: dict[str, Json] = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": self.time.isoformat(),
            "datacontenttype": "application/json",
            "data": to_json(self.data),
        }
        if self.subject is not None:
            body["subject"] = self.subject
        return body
