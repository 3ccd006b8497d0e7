"""Search for the cheapest policy on one part of a history, and judge it on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Unpack, cast

from ratoon.core.errors import RatoonError, SettingInvalid
from ratoon.core.settings import not_negative
from ratoon.engine.comparison import ReplayReport
from ratoon.engine.history import History
from ratoon.engine.loop import Loop
from ratoon.engine.replay import Labelled, replay
from ratoon.engine.tuning.benching import Bench, Here, Moved, Workers, trying
from ratoon.engine.tuning.identity import study_name
from ratoon.engine.tuning.lines import settings_line
from ratoon.engine.tuning.parts import Parts, parted
from ratoon.engine.tuning.results import Figures, Tried, TuningReport, beside, figures_of
from ratoon.engine.tuning.reusing import Reusing
from ratoon.engine.tuning.search import Asked, Study
from ratoon.engine.tuning.settings import Search, Settings
from ratoon.engine.tuning.space import Family, checked_space
from ratoon.engine.tuning.telling import Progress, Told
from ratoon.engine.tuning.usual import scale_of, untuned, usual_space

_WINNER = "winner"


def tune(
    loop: Loop,
    history: object,
    *,
    retrain_cost: float,
    space: Sequence[Family] | None = None,
    progress: Progress | None = None,
    **settings: Unpack[Settings],
) -> TuningReport:
    """Search the policy that would have cost least, and judge it on history that no search saw.

    Policies are replayed on the first part of the history, where each costs its summed row losses
    and `retrain_cost` for each fit. The cheapest is then replayed on the rest, beside policies that
    nobody has tuned: `WorthIt` at that cost, drift or degradation, the calendar, the loop as it
    is, and never. The rest begins with a model of that time, fitted on all that was labelled by
    then. The cheapest of many is cheap by luck too: how much of its gain is left on the rest is
    the answer, with an interval by a paired block bootstrap.

    The untuned settings of all families are tried first; then Optuna draws. All else is as in the
    loop: its trainer, metrics, gate, limits. It decides by itself here, whatever its autonomy is,
    and tells no notifier.

    Args:
        loop: whose policy is searched; it is neither opened nor changed.
        history: as for `ratoon.replay`: a loop that has run, a `History`, a labelled table or file.
        retrain_cost: what a fit costs, in the unit of the summed row losses of the first metric
            that has them: errors, log loss, or money.
        space: what to try; by default the built-in triggers, see `usual_space`.
        progress: told how far it is.
        settings: `trials` to do in all (40); `sampler`, "tpe" or "random"; `seed` (0): of equal
            seeds, processes and histories the trials are the same; `held_out` (0.3), the share of
            the arrivals that judges; `time_budget`, such as "10m" by the clock of the loop: no
            trial begins after it; `processes` (1) that try policies at once; `folder`, where trials
            and models are kept, so that a search that was killed goes on where it was, and a
            greater number of trials continues it; `fresh`, to begin anew there; `reuse_fits`
            (True): see `Reusing`; `training_takes`: how long a run trains, in virtual time; and
            how a labelled table is read, see `History.of_table`.

    Raises:
        RatoonError: Optuna is not installed, or another search is at work in that folder.
        SettingInvalid: a setting is not what it must be, or no metric has row losses.
        TrainingFailed: there is no first model.

    Example:
        >>> import numpy as np
        >>> from sklearn.linear_model import LogisticRegression
        >>> x = np.random.default_rng(0).normal(size=3000)
        >>> turned = (x > 0) != (np.arange(3000) // 700 % 2 == 1)  # the concept turns around
        >>> loop = Loop("demo", trainer=lambda data: LogisticRegression().fit(data.X, data.y))
        >>> found = tune(loop, {"x": x, "y": turned}, target="y", retrain_cost=5, trials=3)
        >>> found.winner.cost <= min(one.cost for one in found.tried)
        True
    """
    not_negative("retrain_cost", retrain_cost)
    given = {one.name for one in fields(Search) if one.init}
    search = Search(**{k: v for k, v in settings.items() if k in given})  # pyright: ignore[reportArgumentType] - checked by the TypedDict
    table = cast("Labelled", {k: v for k, v in settings.items() if k not in given})
    parts = parted(_told(history, table), search.held_out)
    families = checked_space(
        usual_space(loop, parts.search, retrain_cost=retrain_cost) if space is None else space
    )
    return _Tuning(loop, parts, families, search, retrain_cost).done(progress)


def _told(history: object, table: Labelled) -> History:
    if isinstance(history, Loop | History) and table:
        rule = "left out where the history is no table"
        raise SettingInvalid(next(iter(table)), rule, next(iter(table.values())))
    if isinstance(history, Loop):
        return history.history()
    if isinstance(history, History):
        return history
    if "target" not in table and not (isinstance(history, str | Path) and Path(history).is_dir()):
        raise SettingInvalid("target", "the column of labels", None)
    read: Any = History.read if isinstance(history, str | Path) else History.of_table
    return read(history, **table)


class _Tuning:
    """One search, from its beginning to its report."""

    def __init__(
        self, loop: Loop, parts: Parts, families: tuple[Family, ...], search: Search, cost: float
    ) -> None:
        self._parts = parts
        self._families = families
        self._search = search
        self._own = loop
        self._folder = None if search.folder is None else Path(search.folder)
        self._reusing = Reusing(loop.trainer, self._folder) if search.reuse_fits else None
        told = {"trainer": self._reusing or loop.trainer, "notifier": None}
        plain = loop.settings(**told, autonomy="automatic", store=None, vault=None)
        self._bench = Bench(
            loop=plain, history=parts.search, retrain_cost=cost, training_takes=search.takes
        )
        self._untuned = untuned(loop, scale_of(loop, parts.search, cost))
        self._stopped: str | None = None

    def done(self, progress: Progress | None) -> TuningReport:
        """Search, judge, and tell."""
        told = Told(
            progress=progress,
            searched=len(self._parts.search.arrivals),
            replays=len(self._untuned) + self._search.trials,
            judged=len(self._parts.held_out.arrivals),
            judgements=len(self._untuned) + 1,
        )
        with (
            self._study() as study,
            trying(self._bench, self._search.processes, self._folder) as tries,
        ):
            self._try_untuned(study, tries, told)
            self._try_drawn(study, tries, told)
            tried, known = study.ended(), study.untuned()
        return self._report(tried, known, told)

    def _study(self) -> Study:
        search, loop = self._search, self._own
        return Study(
            self._families,
            name=study_name(loop, self._bench, self._families, search.seed),
            sampler=search.sampler,
            seed=search.seed,
            file=None if self._folder is None else self._folder / f"{loop.name}.db",
            fresh=search.fresh,
        )

    def _try_untuned(self, study: Study, tries: Here | Workers, told: Told) -> None:
        known = study.untuned()
        told.skip(len(known))
        missing = [one for one in self._untuned if one.name not in known]
        for start in range(0, len(missing), tries.at_once):
            batch = missing[start : start + tries.at_once]
            moved = told.moving("untuned policies", len(batch))
            found = tries.figures([one.made(one.start) for one in batch], moved)
            for one, figures in zip(batch, found, strict=True):
                if isinstance(figures, str):
                    raise RatoonError(f"the policy {one.name!r} cannot be tried: {figures}")
                study.remember(one.name, settings_line(one.made(one.start)), figures)
            told.skip(len(batch))

    def _try_drawn(self, study: Study, tries: Here | Workers, told: Told) -> None:
        now, search = self._own.clock.now, self._search
        end = None if search.budget is None else now() + search.budget
        ended = len(study.ended())
        told.skip(min(ended, search.trials))
        while ended < search.trials:
            if end is not None and now() >= end:
                left = search.trials - ended
                self._stopped = (
                    f"its time was up, {left} of {search.trials} policies before its end"
                )
                return
            asked = study.ask(min(tries.at_once, search.trials - ended))
            what = f"policy {ended + 1} of {search.trials}"
            _try(study, tries, asked, told.moving(what, len(asked)))
            told.skip(len(asked))
            ended += len(asked)

    def _report(
        self, tried: tuple[Tried, ...], known: Mapping[str, Figures], told: Told
    ) -> TuningReport:
        """Replay the winner on the held-out part, beside those that nobody has tuned."""
        fixed = [_fixed(n, one, known[one.name]) for n, one in enumerate(self._untuned, start=1)]
        winner = min((*fixed, *tried), key=lambda one: one.cost)
        replayed = self._judged(winner, told)
        names = [(one.policy, one.line) for one in fixed]
        reused, search = self._reusing, self._search
        return TuningReport(
            history=self._parts.search.name,
            loop=self._own.name,
            retrain_cost=self._bench.retrain_cost,
            tried=tried,
            winner=winner,
            held_out=figures_of(replayed[_WINNER]),
            beside=beside(names, known, replayed, _WINNER),
            at=self._parts.at,
            replayed=replayed,
            seed=search.seed,
            sampler=search.sampler,
            fits=None if reused is None or search.processes > 1 else (reused.fitted, reused.reused),
            deterministic=None if reused is None else reused.deterministic,
            stopped=self._stopped,
        )

    def _judged(self, winner: Tried, told: Told) -> ReplayReport:
        among = self._untuned if winner.number < 0 else self._families
        family = next(one for one in among if one.name == winner.policy)
        made = {one.name: one.made(one.start) for one in self._untuned}
        made[_WINNER] = family.made(winner.settings)
        return replay(
            {name: self._bench.loop.settings(**changes) for name, changes in made.items()},
            self._parts.held_out,
            retrain_cost=self._bench.retrain_cost,
            training_takes=self._search.takes,
            progress=told.judging(tuple(made)),
        )


def _try(study: Study, tries: Here | Workers, asked: Sequence[Asked], moved: Moved) -> None:
    """Try what was drawn; what was tried before is known, and what cannot be made is told so."""
    ready: list[tuple[Asked, Mapping[str, Any]]] = []
    for one in asked:
        try:
            made, known = one.family.made(one.values), study.known(one)
        except (RatoonError, ValueError, TypeError) as error:  # a person's own function
            study.tell(one, f"{type(error).__name__}: {error}")
            continue
        if known is None:
            ready.append((one, made))
        else:
            study.tell(one, known)
    found = tries.figures([changes for _, changes in ready], moved)
    for (one, _), figures in zip(ready, found, strict=True):
        study.tell(one, figures)


def _fixed(number: int, one: Family, figures: Figures) -> Tried:
    """Return a policy that nobody has tuned, as one that was tried."""
    line = settings_line(one.made(one.start))
    return Tried(number=-number, policy=one.name, settings={}, line=line, figures=figures)
