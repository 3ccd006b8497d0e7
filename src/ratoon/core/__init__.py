"""The nouns, the errors and the protocols that every floor speaks. Standard library only."""

from ratoon.core.deciding import (
    Alternative,
    Autonomy,
    Decision,
    Firing,
    Hold,
    Retrain,
    Rollback,
    RowChoice,
    SnapshotPlan,
    Wait,
)
from ratoon.core.events import EVENT_TYPES, Event
from ratoon.core.measuring import Detection, Measurement, RowRange, Window
from ratoon.core.quarantine import Quarantined
from ratoon.core.running import STEPS, Run, Step
from ratoon.core.schema import Column, Schema, Task
from ratoon.core.times import Clock
from ratoon.core.versions import Artifact, ModelVersion, Verdict
from ratoon.core.wire import Json

__all__ = [
    "EVENT_TYPES",
    "STEPS",
    "Alternative",
    "Artifact",
    "Autonomy",
    "Clock",
    "Column",
    "Decision",
    "Detection",
    "Event",
    "Firing",
    "Hold",
    "Json",
    "Measurement",
    "ModelVersion",
    "Quarantined",
    "Retrain",
    "Rollback",
    "RowChoice",
    "RowRange",
    "Run",
    "Schema",
    "SnapshotPlan",
    "Step",
    "Task",
    "Verdict",
    "Wait",
    "Window",
]
