"""The settings of a policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ratoon.core.deciding import Autonomy
from ratoon.core.errors import SettingInvalid
from ratoon.core.settings import one_of, whole
from ratoon.gates.protocol import Gate
from ratoon.metrics.protocol import Metric
from ratoon.policies.limits import Limits
from ratoon.rollouts import Direct
from ratoon.triggers.protocol import Trigger
from ratoon.windows.choices import TrainOn


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to measure, when to retrain, what to accept, how to watch."""

    loop: str
    metrics: tuple[Metric, ...]  # the first is the primary one
    retrain_when: Trigger[Any]
    accept_if: Gate[Any]
    rollout: Direct
    train_on: TrainOn
    limits: Limits = field(default_factory=Limits)
    autonomy: Autonomy = "automatic"
    window: int = 200  # labelled rows a measurement
    input_window: int = 500  # predictions a measurement of the inputs

    def __post_init__(self) -> None:
        """Check the settings."""
        one_of("autonomy", self.autonomy, ("observe", "automatic"))
        whole("window", self.window, least=2)
        whole("input_window", self.input_window, least=2)
        known = {metric.name for metric in self.metrics}
        unknown = sorted(self.retrain_when.metric_names() - known)
        if unknown:
            rule = f"one of the loop's metrics, {sorted(known)}"
            raise SettingInvalid("the metric of a trigger", rule, unknown[0])
