"""How a search is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from ratoon.core.errors import SettingInvalid
from ratoon.core.settings import one_of, share, whole
from ratoon.core.times import duration
from ratoon.engine.replay import Labelled
from ratoon.engine.tuning.search import Sampler

_MOST_PROCESSES = 256


class Settings(Labelled, total=False):
    """How a search is done, and how a labelled table is read; see `tune` and `History.of_table`."""

    trials: int
    sampler: Sampler
    seed: int
    held_out: float
    time_budget: timedelta | str | None
    processes: int
    folder: str | Path | None
    fresh: bool
    reuse_fits: bool
    training_takes: timedelta | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How a search is done; `tune` says what each setting means."""

    trials: int = 40
    sampler: Sampler = "tpe"
    seed: int = 0
    held_out: float = 0.3
    time_budget: timedelta | str | None = None
    processes: int = 1
    folder: str | Path | None = None
    fresh: bool = False
    reuse_fits: bool = True
    training_takes: timedelta | str = timedelta(0)
    _budget: timedelta | None = field(init=False, repr=False)
    _takes: timedelta = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the settings."""
        whole("trials", self.trials, least=1)
        one_of("sampler", self.sampler, ("tpe", "random"))
        whole("seed", self.seed, least=0)
        share("held_out", self.held_out)
        whole("processes", self.processes, least=1)
        if self.processes > _MOST_PROCESSES:
            raise SettingInvalid("processes", f"at most {_MOST_PROCESSES}", self.processes)
        given = self.time_budget
        budget = None if given is None else duration("time_budget", given)
        object.__setattr__(self, "_budget", budget)
        object.__setattr__(self, "_takes", duration("training_takes", self.training_takes))

    @property
    def budget(self) -> timedelta | None:
        """How long the search may last."""
        return self._budget

    @property
    def takes(self) -> timedelta:
        """How long a run trains, in virtual time."""
        return self._takes
