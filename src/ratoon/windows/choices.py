"""Which labelled rows to train on, and which to judge on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from ratoon.core.deciding import RowChoice, SnapshotPlan
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import RowRange
from ratoon.core.settings import not_negative, whole
from ratoon.windows.choices_each import (
    AgeWeighted,
    Candidate,
    Everything,
    Held,
    Last,
    SinceChange,
    TrainOn,
)
from ratoon.windows.choices_own import By, TrainableRows
from ratoon.windows.judged import Floats

__all__ = [
    "AgeWeighted",
    "By",
    "Candidate",
    "Chosen",
    "Everything",
    "Last",
    "SinceChange",
    "TrainOn",
    "TrainableRows",
    "best",
]


def _usual() -> tuple[Candidate, ...]:
    return Everything(), SinceChange()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen(Held):
    """Whichever of several rules makes the better model: by default all rows, or those since.

    Each candidate is trained on its rows before a block of the newest, and measured on the block.
    The candidate with the lowest mean loss is kept; among those whose loss is not surely higher,
    by `sure` standard errors of the paired difference, the one with the most rows. Another half of
    the held-out rows, and the labels that come later, judge the winner against the champion: so
    the choice does not flatter the challenger.

    Where only one candidate has rows of its own (no change point is known, or too few rows have
    come since), one model is trained, and nothing is chosen.

    With two candidates that is two fits, and one where there is nothing to choose. Each further
    fold costs a fit a candidate, `refit` one.

    Args:
        candidates: what to choose from: `Everything`, `Last`, `SinceChange`, `AgeWeighted` and
            `By`, in any number; their settings for held-out rows do not count here.
        folds: consecutive blocks that the candidates are measured on. Before each of them they are
            trained anew; the losses on all of them decide.
        sure: standard errors by which fewer rows must be better than more; 0 takes the lowest loss.
        refit: train the winner once more, on its rows up to the held-out ones that judge it. It
            knows the rows then that it was chosen on.
        least: rows that there must be, since the change point where one is known.
        holdout: share of the newest rows that is not trained on; one half chooses, one judges.
        holdout_most: rows that are held out at most.

    Raises:
        SettingInvalid: where a setting is outside its range.

    Example:
        >>> rule = Chosen(candidates=(Everything(), Last(rows=1000), AgeWeighted(half_life=500)))
        >>> plan = rule.plan(4000, None, None)
        >>> plan.chosen_on, plan.holdout, len(plan.choices)
        (RowRange(start=3500, stop=3750), RowRange(start=3750, stop=4000), 3)

    References:
        Dawid, A. P. (1984). Statistical theory: the prequential approach. JRSS A 147, 278-292. The
        rule of standard errors: Breiman et al. (1984), Classification and regression trees, 3.4.3.

    """

    candidates: tuple[Candidate, ...] = field(default_factory=_usual)
    folds: int = 1
    sure: float = 2.0
    refit: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        Held.__post_init__(self)
        if not self.candidates or not all(hasattr(one, "choice") for one in self.candidates):
            rule = "Everything, Last, SinceChange, AgeWeighted or By, one or more of them"
            raise SettingInvalid("candidates", rule, self.candidates)
        names = [one.called for one in self.candidates if isinstance(one, By)]
        if len(set(names)) < len(names):
            raise SettingInvalid("candidates", "functions with names of their own", names)
        whole("folds", self.folds, least=1)
        not_negative("sure", self.sure)

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:
        """Plan a model for each candidate that has rows of its own."""
        known = since_row if self._recent(rows, since_row) else None
        held = self.held(rows - (known or 0))
        stop, middle = rows - held, rows - held + held // 2
        blocks = self._blocks(stop, held // 2, known)
        choices = self._choices(middle if self.refit else stop, blocks, known)
        if not blocks or len(choices) < 2:  # noqa: PLR2004 - one is no choice
            return replace(self._one(rows, known), **self._told(known, since_row, since))
        return SnapshotPlan(
            train=choices[0].rows,
            holdout=RowRange(start=middle, stop=rows),
            rule=_joined([choice.rule for choice in choices]),
            choices=choices,
            chosen_on=RowRange(start=blocks[0].start, stop=blocks[-1].stop),
            sure=self.sure,
            refit=self.refit,
            **self._told(known, since_row, since),
        )

    def needed(self, since_row: int | None, /) -> int:
        """Return the ordinal at which there are enough rows, since the change where that counts."""
        return self.least + (since_row or 0 if self._cuts else 0)

    @property
    def _cuts(self) -> bool:
        """Whether rows before a change point may be left out."""
        return any(isinstance(one, SinceChange) for one in self.candidates)

    def _recent(self, rows: int, since_row: int | None) -> bool:
        """Tell whether rows are cut at a change point, and enough of them have come since."""
        return self._cuts and bool(since_row) and rows - (since_row or 0) >= self.least

    def _told(
        self, known: int | None, since_row: int | None, since: datetime | None
    ) -> dict[str, Any]:
        """Return the change point where rows are cut there, or a function may want to know it."""
        asked = any(isinstance(one, By) for one in self.candidates)
        told = asked or known is not None
        return {"since": since, "since_row": since_row} if told else {}

    def _one(self, rows: int, since_row: int | None) -> SnapshotPlan:
        """Plan the one model that there is to train."""
        held = self.held(rows - (since_row or 0))
        found = [one.choice(rows - held, since_row) for one in self.candidates]
        choice = next((one for one in found if one is not None), None)
        if choice is None:
            return self.split(0, rows, "all labelled rows", None)
        plain = choice == RowChoice(rows=choice.rows, rule=choice.rule)
        return SnapshotPlan(
            train=choice.rows,
            holdout=RowRange(start=rows - held, stop=rows),
            rule=choice.rule,
            choices=() if plain else (choice,),
        )

    def _blocks(self, stop: int, length: int, since_row: int | None) -> tuple[RowRange, ...]:
        """Return the blocks to measure on; the newest rows before them must do for a training."""
        if not length:
            return ()
        room = (stop - (since_row or 0) - self.least // 2) // length
        count = max(1, min(self.folds, room + 1))
        starts = range(stop - (count - 1) * length, stop + 1, length)
        return tuple(RowRange(start=start, stop=start + length) for start in starts)

    def _choices(
        self, stop: int, blocks: Sequence[RowRange], since_row: int | None
    ) -> tuple[RowChoice, ...]:
        """Return what each candidate trains on; one that has the rows of another is left out."""
        found: dict[RowChoice, RowChoice] = {}
        for one in self.candidates:
            last = one.choice(stop, since_row)
            folds = [one.choice(block.start, since_row) for block in blocks]
            if last is None:
                continue
            ranges = tuple(fold.rows for fold in folds if fold is not None)
            if len(ranges) == len(folds):
                found.setdefault(replace(last, rule=""), replace(last, folds=ranges))
        return tuple(found.values())


def best(losses: Sequence[Floats], rows: Sequence[float], sure: float) -> int:
    """Return which candidate to keep: of those that are not surely worse, the one of most rows.

    The candidate of the lowest mean loss is compared with each other, row by row. One is not
    surely worse if its mean loss is higher by at most `sure` standard errors of the difference.

    Args:
        losses: of each candidate the loss of each row, all of the same rows.
        rows: of each candidate, how many rows it was trained on, as `effective` counts them.
        sure: standard errors.

    >>> best([np.array([0.5, 0.1]), np.array([0.4, 0.1])], [900, 200], sure=1.0)
    0
    """
    lowest = min(range(len(losses)), key=lambda n: float(losses[n].mean()))
    alike = [n for n, found in enumerate(losses) if _alike(found - losses[lowest], sure)]
    return max(alike, key=lambda n: (rows[n], -float(losses[n].mean())))


def _alike(gaps: Floats, sure: float) -> bool:
    """Tell whether a mean difference is no more than so many of its standard errors."""
    spread = float(gaps.std(ddof=1)) / float(np.sqrt(len(gaps))) if len(gaps) > 1 else 0.0
    return float(gaps.mean()) <= sure * spread


def _joined(rules: Sequence[str]) -> str:
    """Return rules as one: 'all labelled rows, or the last 500 labelled rows'."""
    return f"{', '.join(rules[:-1])}, or {rules[-1]}"
