"""The settings of a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from ratoon.core.deciding import Autonomy
from ratoon.core.errors import SettingInvalid
from ratoon.core.schema import Frame, Task
from ratoon.core.settings import one_of, whole
from ratoon.core.times import Clock
from ratoon.engine.clocks import SystemClock
from ratoon.engine.notifying import Notifier
from ratoon.executors import Executor, Inline
from ratoon.gates import Better
from ratoon.gates.protocol import Gate
from ratoon.metrics import default_metrics
from ratoon.metrics.protocol import Metric
from ratoon.policies import Limits, Policy
from ratoon.rollouts import Direct
from ratoon.stores.protocol import Store
from ratoon.stores.rulebook import FileRuleBook, MemoryRuleBook, RuleBook
from ratoon.stores.vault import Vault
from ratoon.triggers import AnyOf, Degraded, Drift, Requested
from ratoon.triggers.protocol import Trigger
from ratoon.windows.choices import Chosen, TrainOn
from ratoon.windows.judged import Target
from ratoon.windows.snapshot import DatasetSnapshot

_LONGEST_NAME = 200  # bytes


def _usual_trigger() -> Trigger[Any]:
    return Drift() | Degraded(by=0.1)


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """What a loop is made of; `Loop` says what each setting means."""

    name: str
    trainer: Callable[[DatasetSnapshot], Any] = field(kw_only=True)
    metrics: Sequence[Metric] | None = field(default=None, kw_only=True)
    retrain_when: Trigger[Any] = field(default_factory=_usual_trigger, kw_only=True)
    accept_if: Gate[Any] = field(default_factory=Better, kw_only=True)
    rollout: Direct = field(default_factory=Direct, kw_only=True)
    train_on: TrainOn = field(default_factory=Chosen, kw_only=True)
    limits: Limits = field(default_factory=Limits, kw_only=True)
    autonomy: Autonomy = field(default="automatic", kw_only=True)
    window: int = field(default=200, kw_only=True)
    input_window: int = field(default=500, kw_only=True)
    task: Task | None = field(default=None, kw_only=True)
    frame: Frame | None = field(default=None, kw_only=True)
    home: str | Path = field(default=".ratoon", kw_only=True)
    checks: bool = field(default=True, kw_only=True)
    tables: str | None = field(default=None, kw_only=True)
    store: Store | None = field(default=None, kw_only=True, repr=False)
    vault: Vault | None = field(default=None, kw_only=True, repr=False)
    executor: Executor = field(default_factory=Inline, kw_only=True, repr=False)
    clock: Clock = field(default_factory=SystemClock, kw_only=True, repr=False)
    notifier: Notifier | None = field(default=None, kw_only=True, repr=False)

    @property
    def rules_file(self) -> Path:
        """The file with the rules of the data checks."""
        return Path(self.home) / f"{self.name}.rules.toml"

    def rulebook(self) -> RuleBook | None:
        """Return where the rules of the data checks are kept; None where nothing is checked."""
        if not self.checks:
            return None
        return FileRuleBook(self.rules_file) if self.store is None else MemoryRuleBook()

    def __post_init__(self) -> None:
        """Check the settings that can be checked before there is data."""
        if not self.name or not all(c.isalnum() or c in "-_." for c in self.name):
            rule = "letters, digits, '-', '_' and '.'"
            raise SettingInvalid("name", rule, self.name)
        if len(self.name.encode()) > _LONGEST_NAME:
            rule = f"at most {_LONGEST_NAME} bytes long: files are called by it"
            raise SettingInvalid("name", rule, self.name)
        for setting, kind in (("task", Task), ("frame", Frame)):
            value = getattr(self, setting)
            if value is not None:
                one_of(setting, value, get_args(kind))
        if not callable(self.trainer):
            rule = "a function that takes a DatasetSnapshot and returns a fitted model"
            raise SettingInvalid("trainer", rule, self.trainer)
        _check_metrics(self.metrics)
        one_of("autonomy", self.autonomy, ("observe", "automatic"))
        whole("window", self.window, least=2)
        whole("input_window", self.input_window, least=2)
        if self.tables is not None and (not self.tables or self.tables.endswith("/")):
            rule = "a folder or a URI such as s3://bucket/ratoon, without a slash at its end"
            raise SettingInvalid("tables", rule, self.tables)
        if (self.store is None) != (self.vault is None):
            raise SettingInvalid("store and vault", "given together", (self.store, self.vault))

    def policy(self, target: Target) -> Policy:
        """Return the policy for a task: what decides, live and in replay."""
        return Policy(
            loop=self.name,
            metrics=tuple(self.metrics) if self.metrics else default_metrics(target.task),
            retrain_when=AnyOf(parts=(self.retrain_when, Requested())),
            accept_if=self.accept_if,
            rollout=self.rollout,
            train_on=self.train_on,
            limits=self.limits,
            autonomy=self.autonomy,
            window=self.window,
            input_window=self.input_window,
        )


def _check_metrics(metrics: Sequence[Metric] | None) -> None:
    """Refuse what is no metric, such as its name."""
    rule = "a list of metrics, such as [rt.metrics.LogLoss(), rt.metrics.Accuracy()]"
    if isinstance(metrics, str) or not isinstance(metrics, Sequence | None):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
        raise SettingInvalid("metrics", rule, metrics)
    for metric in metrics or ():
        if not callable(getattr(metric, "measure", None)) or isinstance(metric, type):
            raise SettingInvalid("metrics", rule, metric)
