"""The search itself: Optuna draws policies, and remembers what each of them cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np

from ratoon.core.errors import RatoonError
from ratoon.engine.tuning.lines import settings_line
from ratoon.engine.tuning.results import Figures, Tried
from ratoon.engine.tuning.space import Family, Value
from ratoon.log import disk
from ratoon.stores.locking import try_lock

Sampler: TypeAlias = Literal["tpe", "random"]
"""How values are drawn: by a tree of Parzen estimators, or at random."""

_POLICY = "policy"
_START = "start"
_FIGURES = "figures"
_ERROR = "error"
_SETTINGS = "settings"
_LINE = "line"
_UNTUNED = "untuned"
_WAIT_S = 1  # that SQLite waits for somebody who reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A policy that is to be tried."""

    number: int
    family: Family
    values: Mapping[str, Value]


class Study:
    """Trials that are drawn one after another, and remembered.

    The draws for a trial follow from the seed, from how many trials have ended, and from what
    these cost; so a search that was killed goes on as if it had not been. In a file each trial is
    durable when `tell` returns.

    Args:
        space: what is drawn from.
        name: of the study: of everything that its costs depend on.
        sampler: how values are drawn.
        seed: of the draws.
        file: the SQLite file that holds the trials; None keeps them in memory.

    Raises:
        RatoonError: Optuna is not installed, or another search has that file open.

    Source: Watanabe (2023), "Tree-structured Parzen estimator", arXiv 2304.11127, as Optuna has it.
    """

    def __init__(
        self,
        space: Sequence[Family],
        *,
        name: str,
        sampler: Sampler,
        seed: int,
        file: Path | None = None,
        fresh: bool = False,
    ) -> None:
        """Open the study, or begin it."""
        self._optuna = optuna()
        self._families = {family.name: family for family in space}
        self._sampler: Sampler = sampler
        self._seed = seed
        self._file = file
        self._lock: Any = None
        self._storage: Any = None
        self._verbosity: int = self._optuna.logging.get_verbosity()
        try:
            self._study = self._opened(name, fresh=fresh)
            self._untuned = self._opened(f"{name}-{_UNTUNED}", fresh=fresh)
            self._begin()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the study itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._storage is not None:
            self._storage.remove_session()
            self._storage.engine.dispose()
            self._storage = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _opened(self, name: str, *, fresh: bool) -> Any:
        logging = self._optuna.logging
        logging.set_verbosity(logging.WARNING)  # it tells each trial otherwise
        try:
            storage = self._stored()
            names = () if storage is None else self._optuna.get_all_study_names(storage=storage)
            if fresh and name in names:
                self._optuna.delete_study(study_name=name, storage=storage)
            return self._optuna.create_study(
                storage=storage, study_name=name, direction="minimize", load_if_exists=True
            )
        finally:
            logging.set_verbosity(self._verbosity)

    def _stored(self) -> Any:
        """Return Optuna's storage in the file, which this process alone writes; None for memory."""
        if self._file is None or self._storage is not None:
            return self._storage
        from sqlalchemy.engine import URL  # noqa: PLC0415 - slow to import

        with disk.writing(self._file):
            disk.make_folder(self._file.parent)
        self._lock = try_lock(self._file.with_suffix(".lock"))
        if self._lock is None:
            hint = "wait until it has ended, or search in another folder"
            raise RatoonError(f"another search has {self._file} open", hint=hint)
        url = URL.create("sqlite", database=str(self._file)).render_as_string()
        self._storage = self._optuna.storages.RDBStorage(
            url, engine_kwargs={"connect_args": {"timeout": _WAIT_S}}
        )
        return self._storage

    def _begin(self) -> None:
        """End what a process that died has left, and put the untuned settings first."""
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(states=(states.RUNNING,)):
            self._study.tell(trial.number, state=states.FAIL)
        known = self._study.get_trials(states=(states.COMPLETE, states.WAITING))
        begun = {trial.user_attrs.get(_START) for trial in known}
        for family in self._families.values():
            if family.start is None or family.name in begun:
                continue
            params: dict[str, Any] = {_POLICY: family.name}
            params |= {f"{family.name}.{name}": value for name, value in family.start.items()}
            self._study.enqueue_trial(params, user_attrs={_START: family.name})

    def ask(self, count: int) -> list[Asked]:
        """Draw policies to try."""
        self._study.sampler = self._drawing()
        return [self._asked() for _ in range(count)]

    def _asked(self) -> Asked:
        trial = self._study.ask()
        names = list(self._families)
        family = self._families[trial.suggest_categorical(_POLICY, names)]
        values = family.drawn(trial)
        trial.set_user_attr(_SETTINGS, dict(values))
        return Asked(number=trial.number, family=family, values=values)

    def _drawing(self) -> Any:
        """Return what draws now: its seed follows from how many trials have ended."""
        state = np.random.SeedSequence([self._seed, len(self.ended())]).generate_state(1)
        samplers = self._optuna.samplers
        kind = samplers.TPESampler if self._sampler == "tpe" else samplers.RandomSampler
        return kind(seed=int(state[0]))

    def tell(self, asked: Asked, found: Figures | str) -> None:
        """Remember what a policy cost, or why it could not be tried."""
        storage, study = self._study._storage, self._study  # noqa: SLF001 - Optuna sets attributes of a trial there
        trial = storage.get_trial_id_from_study_id_trial_number(study._study_id, asked.number)  # noqa: SLF001
        if isinstance(found, str):
            storage.set_trial_user_attr(trial, _ERROR, found)
            study.tell(asked.number, state=self._optuna.trial.TrialState.FAIL)
            return
        storage.set_trial_user_attr(trial, _FIGURES, asdict(found))
        study.tell(asked.number, found.cost)

    def ended(self) -> tuple[Tried, ...]:
        """Return all trials that have ended, in their order."""
        states = self._optuna.trial.TrialState
        found = self._study.get_trials(deepcopy=False, states=(states.COMPLETE, states.FAIL))
        told = [t for t in found if _FIGURES in t.user_attrs or _ERROR in t.user_attrs]
        return tuple(self._tried(trial) for trial in told)

    def _tried(self, trial: Any) -> Tried:
        family = self._families[trial.params[_POLICY]]
        values: Mapping[str, Value] = trial.user_attrs[_SETTINGS]
        error: str | None = trial.user_attrs.get(_ERROR)
        figures = None if error is not None else Figures(**trial.user_attrs[_FIGURES])
        return Tried(
            number=trial.number,
            policy=family.name,
            settings=values,
            line="" if figures is None else settings_line(family.made(values)),
            figures=figures,
            error=error,
        )

    def known(self, asked: Asked) -> Figures | None:
        """Return what the same policy cost, if it was tried before."""
        mine = _same(
            asked.family.name, asked.values, settings_line(asked.family.made(asked.values))
        )
        for trial in self._untuned.get_trials(deepcopy=False):
            if trial.user_attrs[_LINE] in mine:
                return Figures(**trial.user_attrs[_FIGURES])
        for one in self.ended():
            if one.figures is not None and mine & _same(one.policy, one.settings, one.line):
                return one.figures
        return None

    def untuned(self) -> dict[str, Figures]:
        """Return what policies cost that nobody has tuned, by their names."""
        found = self._untuned.get_trials(deepcopy=False)
        return {t.user_attrs[_POLICY]: Figures(**t.user_attrs[_FIGURES]) for t in found}

    def remember(self, name: str, line: str, found: Figures) -> None:
        """Remember what a policy cost that nobody has tuned."""
        told = {_POLICY: name, _LINE: line, _FIGURES: asdict(found)}
        self._untuned.add_trial(self._optuna.trial.create_trial(value=found.cost, user_attrs=told))


def _same(policy: str, values: Mapping[str, Value], line: str) -> frozenset[object]:
    """Return what makes a policy the same as another one: its values, or how it is written."""
    key = (policy, tuple(sorted(values.items())))
    return frozenset([key] if " at 0x" in line else [key, line])


def optuna() -> Any:
    """Return Optuna, which the extra `tune` brings.

    Raises:
        RatoonError: it is not installed.
    """
    try:
        import optuna as found  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        fact = "optuna is not installed, which searches policies"
        raise RatoonError(fact, hint="pip install 'ratoon[tune]'") from error
    return found
