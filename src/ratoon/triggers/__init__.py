"""When to retrain: conditions that combine with `|`, `&` and `AtLeast`."""

from ratoon.triggers.combine import AnyOf, AtLeast, Combines, Never
from ratoon.triggers.inputs import DataDrift
from ratoon.triggers.outside import Feedback, NewLabels, On, Requested
from ratoon.triggers.performance import Degraded, Drift
from ratoon.triggers.protocol import Fired, Trigger, View
from ratoon.triggers.schedule import Cron, Every
from ratoon.triggers.worth import WorthIt

__all__ = [
    "AnyOf",
    "AtLeast",
    "Combines",
    "Cron",
    "DataDrift",
    "Degraded",
    "Drift",
    "Every",
    "Feedback",
    "Fired",
    "Never",
    "NewLabels",
    "On",
    "Requested",
    "Trigger",
    "View",
    "WorthIt",
]
