"""When to retrain: conditions that combine with `|`, `&` and `AtLeast`."""

from ratoon.triggers.avoidable import AvoidableErrors
from ratoon.triggers.backoff import BackOff
from ratoon.triggers.baselines import Always, Random
from ratoon.triggers.cara import CaraCumulative, CaraPeriod, CaraThreshold
from ratoon.triggers.combine import AnyOf, AtLeast, Combines, Never
from ratoon.triggers.inputs import DataDrift
from ratoon.triggers.outside import Feedback, NewLabels, On, Requested
from ratoon.triggers.performance import Degraded, Drift
from ratoon.triggers.pilot import Pilot, PilotScorer
from ratoon.triggers.protocol import Fired, Trigger, View
from ratoon.triggers.rccda import Rccda
from ratoon.triggers.rolling import QuantileThreshold, RollingThreshold
from ratoon.triggers.schedule import Cron, Every
from ratoon.triggers.ski_rental import SkiRental
from ratoon.triggers.upf import UPF
from ratoon.triggers.worth import WorthIt

__all__ = [
    "UPF",
    "Always",
    "AnyOf",
    "AtLeast",
    "AvoidableErrors",
    "BackOff",
    "CaraCumulative",
    "CaraPeriod",
    "CaraThreshold",
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
    "Pilot",
    "PilotScorer",
    "QuantileThreshold",
    "Random",
    "Rccda",
    "Requested",
    "RollingThreshold",
    "SkiRental",
    "Trigger",
    "View",
    "WorthIt",
]
