"""The loss that a fresh model would have avoided, added up since the champion was promoted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ratoon.core.events import WORTH_IT
from ratoon.triggers.protocol import Fired, Trigger, View
from ratoon.triggers.seen import Since, WindowLoss, fires


@dataclass(frozen=True, slots=True, kw_only=True)
class Regret:
    """What a fresh model would have avoided, and what a fresh model loses."""

    avoidable: float = 0.0  # summed row losses above those of a fresh model
    fresh: tuple[float, ...] = ()  # mean row loss of the last champions when they were new
    windows: int = 0  # since the champion was promoted
    since: datetime | None = None  # start of the unbroken row of windows above the fresh loss
    since_row: int | None = None


def grown(
    regret: Regret, seen: WindowLoss, memory: int, level: Callable[[Sequence[float]], float]
) -> Regret:
    """Add what a window lost above the `level` of the last `memory` champions when new."""
    fresh = (*regret.fresh, seen.mean)[-memory:] if regret.windows == 0 else regret.fresh
    above = max(0.0, seen.mean - level(fresh)) * seen.rows
    began = replace(regret, since=None, since_row=None)
    if above > 0 and regret.since is None:
        began = replace(regret, since=seen.window.start, since_row=seen.start_row)
    elif above > 0:
        began = regret
    return replace(
        began, fresh=fresh, avoidable=regret.avoidable + above, windows=regret.windows + 1
    )


def renewed(regret: Regret) -> Regret:
    """Begin with another champion; what fresh models lose is remembered."""
    return Regret(fresh=regret.fresh)


def spent(regret: Regret) -> Regret:
    """Begin the sum anew, for the same champion."""
    return replace(regret, avoidable=0.0)


def acted_on(
    trigger: Trigger[Any], view: View, regret: Regret, threshold: float, cost: float
) -> Fired:
    """Return the firing that says what was lost, and at which cost."""
    reason = f"{regret.avoidable:.4g} of loss would have been avoided, at a cost of {threshold:.4g}"
    evidence = {
        "avoidable": regret.avoidable,
        "threshold": threshold,
        "retrain_cost": cost,
        "fresh": list(regret.fresh),
        "windows": regret.windows,
    }
    began = Since(at=regret.since, row=regret.since_row)
    return fires(trigger, view, WORTH_IT, reason, evidence, began)
