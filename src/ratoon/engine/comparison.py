"""What a replay answers: each policy's figures, the frontier, and which one to take."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ratoon.core.wire import Json
from ratoon.engine.frontier import Point, Stretch, cheapest_by_price, undominated
from ratoon.engine.outcomes import Outcome
from ratoon.engine.recommending import Recommendation, Spent, recommend

if TYPE_CHECKING:
    from ratoon.report import Replayed

_WIDE = 100  # characters of a line


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplayReport:
    """What each policy would have done, and which of them to take.

    Cost is the summed row losses of the first metric that has them, and `retrain_cost` for each
    fit after the first model. Regret is the cost above that of the cheapest of the policies that
    were replayed: a better one that was not tried is not known.
    """

    history: str
    retrain_cost: float
    rows: tuple[Outcome, ...]
    training_takes: timedelta = timedelta(0)  # virtual time from a run's begin to its challenger
    recommendation: Recommendation | None = None  # None where costs do not compare

    def __getitem__(self, name: str) -> Outcome:
        """Return the outcome of one policy."""
        return next(row for row in self.rows if row.name == name)

    @property
    def comparable(self) -> bool:
        """Whether all policies were judged by the losses of one metric, on the same rows."""
        return _comparable(self.rows)

    @property
    def regret(self) -> Mapping[str, float]:
        """What each policy cost more than the cheapest of those replayed."""
        least = min(row.cost for row in self.rows)
        return {row.name: row.cost - least for row in self.rows}

    @property
    def frontier(self) -> tuple[str, ...]:
        """The policies that no other beats in loss or fits without losing in the other."""
        return undominated(self._points()) if self.comparable else ()

    @property
    def cheapest(self) -> tuple[Stretch, ...]:
        """Which policy costs least at which price of a fit, whatever `retrain_cost` was."""
        return cheapest_by_price(self._points()) if self.comparable else ()

    def record(self) -> Mapping[str, Json]:
        """Return all figures as JSON values; `ratoon replay --json` adds the decisions."""
        found, regret, frontier = self.recommendation, self.regret, self.frontier
        policies: dict[str, Json] = {}
        for row in self.rows:
            policies[row.name] = {
                **{name: _plain(value) for name, value in row.record().items()},
                "retrain_when": row.told,
                "loss_metric": row.loss_metric,
                "regret": regret[row.name],
                "undominated": row.name in frontier,
            }
        return {
            "history": self.history,
            "rows": len(self.rows[0].losses),
            "retrain_cost": self.retrain_cost,
            "training_takes_s": self.training_takes.total_seconds(),
            "policies": policies,
            "frontier": list(frontier),
            "cheapest": [
                {"policy": one.name, "from": one.low, "to": one.high} for one in self.cheapest
            ],
            "recommendation": None if found is None else dict(found.record()),
        }

    def to_html(self) -> str:
        """Return a page that loads nothing: the table, the frontier, each policy over time."""
        from ratoon.report import replay_page  # noqa: PLC0415 - slow to import

        return replay_page(self._told())

    def save(self, path: str | PathLike[str]) -> None:
        """Write the page to a file."""
        Path(path).write_text(self.to_html(), encoding="utf-8", errors="replace", newline="\n")

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, for notebooks."""
        page = self.to_html().replace("&", "&amp;").replace('"', "&quot;")
        return f'<iframe srcdoc="{page}" width="100%" height="720" frameborder="0"></iframe>'

    def __str__(self) -> str:
        """Return a table, and the recommendation in words."""
        metrics = list(dict.fromkeys(name for row in self.rows for name in row.loss))
        head = ["policy", *metrics, "retrained", "refused", "rolled back", "fits", "cost", "regret"]
        regret = self.regret
        body = [
            [
                row.name,
                *(f"{row.loss[m]:.4g}" if m in row.loss else "" for m in metrics),
                *(str(n) for n in (row.retrainings, row.refused, row.rollbacks, row.fits)),
                f"{row.cost:.5g}",
                f"{regret[row.name]:.4g}",
            ]
            for row in self.rows
        ]
        widths = [max(len(line[i]) for line in (head, *body)) for i in range(len(head))]
        lines = ["  ".join(_padded(line, widths)) for line in (head, *body)]
        found = [lines[0], "-" * len(lines[0]), *lines[1:]]
        said = [] if len(self.rows) == 1 else ["", *textwrap.wrap(self.advice(), _WIDE)]
        return "\n".join([*found, *said])

    def advice(self) -> str:
        """Say in words which policy to take, and how sure that is."""
        found = self.recommendation
        if found is None:
            return "The policies are judged by different losses, or by none: costs do not compare."
        return str(found)

    def _points(self) -> list[Point]:
        return [Point(name=row.name, loss=row.total_loss, fits=row.fits) for row in self.rows]

    def _told(self) -> Replayed:
        from ratoon.engine.replay_telling import replayed  # noqa: PLC0415 - slow to import

        return replayed(self)


def compared(
    history: str, rows: tuple[Outcome, ...], retrain_cost: float, training_takes: timedelta
) -> ReplayReport:
    """Put outcomes together, and say which policy to take.

    Args:
        history: its name.
        rows: what came of each policy, on the same history.
        retrain_cost: what a fit costs, in the unit of the summed row losses.
        training_takes: virtual time from a run's begin to its challenger.
    """
    spent = [
        Spent(name=row.name, losses=row.losses, paid=row.paid, price=retrain_cost) for row in rows
    ]
    return ReplayReport(
        history=history,
        retrain_cost=retrain_cost,
        rows=rows,
        training_takes=training_takes,
        recommendation=recommend(spent) if _comparable(rows) else None,
    )


def _comparable(rows: tuple[Outcome, ...]) -> bool:
    same = all(len(row.losses) == len(rows[0].losses) for row in rows)
    named = {row.loss_metric for row in rows}
    return same and len(named) == 1 and None not in named


def _plain(value: object) -> Json:
    return dict(value) if isinstance(value, Mapping) else value  # type: ignore[return-value]


def _padded(line: list[str], widths: list[int]) -> list[str]:
    first, *rest = zip(line, widths, strict=True)
    return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]
