"""What a search answers: the policies that were tried, and how the best fares on unseen history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ratoon.core.wire import Json
from ratoon.engine.comparison import ReplayReport
from ratoon.engine.outcomes import Outcome
from ratoon.engine.recommending import Spent, recommend
from ratoon.engine.tuning.space import Value

_PER = 1000  # labelled rows that costs are told of
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a policy cost on a part of the history."""

    rows: int  # labelled
    total_loss: float
    fits: int
    retrainings: int
    refused: int
    rollbacks: int
    cost: float  # total loss + retrain_cost for each fit

    @property
    def per_1000(self) -> float:
        """The cost of a thousand labelled rows."""
        return self.cost / self.rows * _PER if self.rows else 0.0

    def record(self) -> Mapping[str, Json]:
        """Return them as JSON values."""
        return {
            "rows": self.rows,
            "total_loss": self.total_loss,
            "fits": self.fits,
            "retrainings": self.retrainings,
            "refused": self.refused,
            "rollbacks": self.rollbacks,
            "cost": self.cost,
            "cost_per_1000_rows": self.per_1000,
        }


def figures_of(found: Outcome) -> Figures:
    """Return what an outcome cost."""
    return Figures(
        rows=len(found.losses),
        total_loss=found.total_loss,
        fits=found.fits,
        retrainings=found.retrainings,
        refused=found.refused,
        rollbacks=found.rollbacks,
        cost=found.cost,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A policy that was tried on the first part of the history."""

    number: int  # of the trial; below 0 for those that nobody has tuned
    policy: str  # the family
    settings: Mapping[str, Value]
    line: str  # what makes it, in the loop's definition
    figures: Figures | None  # None where it could not be tried
    error: str | None = None  # why not

    @property
    def cost(self) -> float:
        """What it cost; infinite where it could not be tried."""
        return float("inf") if self.figures is None else self.figures.cost

    def record(self) -> Mapping[str, Json]:
        """Return it as JSON values."""
        return {
            "number": self.number,
            "policy": self.policy,
            "settings": dict(self.settings),
            "line": self.line,
            "figures": None if self.figures is None else dict(self.figures.record()),
            "error": self.error,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The winner beside another policy, on the held-out part."""

    name: str
    line: str
    search: Figures
    held_out: Figures
    difference: float  # the winner's cost less this one's; below 0 the winner is cheaper
    low: float | None  # its 95 % interval, for this pair; None where nothing is known of it
    high: float | None

    @property
    def winner_is_better(self) -> bool:
        """Whether the winner surely costs less."""
        return self.high is not None and self.high < 0

    def record(self) -> Mapping[str, Json]:
        """Return it as JSON values."""
        return {
            "line": self.line,
            "search": dict(self.search.record()),
            "held_out": dict(self.held_out.record()),
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "winner_is_better": self.winner_is_better,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TuningReport:
    """The cheapest policy that was found, and whether it is worth taking.

    Args:
        history: its name.
        loop: the name of the loop.
        retrain_cost: what a fit costs, in the unit of the summed row losses.
        tried: all trials, in their order.
        winner: the cheapest on the first part, of these and of those that nobody has tuned.
        held_out: what the winner cost on the second part, which the search never saw.
        beside: the winner beside policies that nobody has tuned, the default one first.
        at: where the second part begins.
        replayed: the replays of the second part, with all decisions.
        seed: of the search.
        sampler: how it drew.
        fits: models that were trained, and how often one was known already; None where that is
            not counted.
        deterministic: whether the trainer gave the same model twice; None where it was not asked.
        stopped: why the search ended before all trials were done; None where it did not.
    """

    history: str
    loop: str
    retrain_cost: float
    tried: tuple[Tried, ...]
    winner: Tried
    held_out: Figures
    beside: tuple[Beside, ...]
    at: datetime
    replayed: ReplayReport
    seed: int
    sampler: str
    fits: tuple[int, int] | None = None
    deterministic: bool | None = None
    stopped: str | None = None

    @property
    def line(self) -> str:
        """The winner, as it is written in the loop's definition."""
        return self.winner.line

    @property
    def default(self) -> Beside:
        """The winner beside the default that nobody has tuned."""
        return self.beside[0]

    @property
    def winner_is_better(self) -> bool:
        """Whether the winner surely costs less than the untuned default, on the held-out part."""
        return self.default.winner_is_better

    @property
    def take(self) -> str:
        """The line to take: the winner's where it is surely better than the default, else that."""
        return self.line if self.winner_is_better else self.default.line

    @property
    def optimism(self) -> float:
        """By how much the search promised too much, for a thousand labelled rows.

        What the winner saved against the untuned default on the first part, less what it saved on
        the second. The cheapest of many trials is cheap by luck too, and its luck ends there.
        """
        saved, kept = self.saved
        return saved - kept

    @property
    def saved(self) -> tuple[float, float]:
        """What the winner saved against the untuned default, in a thousand rows of each part."""
        first, won = self.default, self.winner.figures
        assert won is not None  # a winner was tried
        searched = first.search.per_1000 - won.per_1000
        return searched, first.held_out.per_1000 - self.held_out.per_1000

    def record(self) -> Mapping[str, Json]:
        """Return all figures as JSON values."""
        won = self.winner
        return {
            "history": self.history,
            "loop": self.loop,
            "retrain_cost": self.retrain_cost,
            "held_out_from": self.at.isoformat(),
            "line": self.line,
            "take": self.take,
            "winner_is_better": self.winner_is_better,
            "optimism_per_1000_rows": self.optimism,
            "winner": {**won.record(), "held_out": dict(self.held_out.record())},
            "beside": {one.name: dict(one.record()) for one in self.beside},
            "tried": [dict(one.record()) for one in self.tried],
            "sampler": self.sampler,
            "seed": self.seed,
            "fits": None if self.fits is None else self.fits[0],
            "fits_reused": None if self.fits is None else self.fits[1],
            "deterministic": self.deterministic,
            "stopped": self.stopped,
        }

    def table(self) -> tuple[tuple[str, ...], ...]:
        """Return the figures of the winner and of those beside it, a head and a row each."""
        head = (
            "policy",
            "cost /1000 rows, searched",
            "held out",
            "fits",
            "winner - it",
            "interval",
        )
        won = self.winner
        assert won.figures is not None  # a winner was tried
        rows = [_row(f"winner: {won.policy}", won.figures, self.held_out, None)]
        rows += [_row(one.name, one.search, one.held_out, one) for one in self.beside]
        return (head, *rows)

    def advice(self) -> str:
        """Say in words what was found, and what to take."""
        return " ".join(_sentences(self))

    def __str__(self) -> str:
        """Return a table, what it means, and the line to paste."""
        table = self.table()
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        lines = [
            "  ".join([line[0].ljust(widths[0]), *(t.rjust(w) for t, w in _rest(line, widths))])
            for line in table
        ]
        told = [lines[0], "-" * len(lines[0]), *lines[1:], "", self.advice(), ""]
        return "\n".join([*told, f"    {self.take}"])


def beside(
    names: Sequence[tuple[str, str]],
    search: Mapping[str, Figures],
    replayed: ReplayReport,
    winner: str,
) -> tuple[Beside, ...]:
    """Put the winner beside each other policy.

    The intervals are those of `ratoon.engine.recommending.recommend` for a pair: moving blocks of
    rows drawn anew, the same for both, with what was paid where it was paid.

    Args:
        names: of the others, each with its line.
        search: what each cost on the first part.
        replayed: the replays of the second part, by the same names.
        winner: the name of the winner there.
    """
    won = replayed[winner]
    found: list[Beside] = []
    for name, line in names:
        other = replayed[name]
        low, high = _interval(won, other, replayed.retrain_cost)
        found.append(
            Beside(
                name=name,
                line=line,
                search=search[name],
                held_out=figures_of(other),
                difference=won.cost - other.cost,
                low=low,
                high=high,
            )
        )
    return tuple(found)


def _interval(won: Outcome, other: Outcome, price: float) -> tuple[float | None, float | None]:
    """Return where the winner's cost less the other's lies."""
    pair = [
        Spent(name=name, losses=one.losses, paid=one.paid, price=price)
        for name, one in (("winner", won), ("other", other))
    ]
    found = recommend(pair) if len(won.losses) == len(other.losses) else None
    if found is None or not found.rivals:
        return None, None
    one = found.rivals[0]
    if one.low is None or one.high is None:
        return None, None
    return (-one.high, -one.low) if found.best == "winner" else (one.low, one.high)


def _row(name: str, search: Figures, held_out: Figures, one: Beside | None) -> tuple[str, ...]:
    costs = (_plain(search.per_1000), _plain(held_out.per_1000))
    return (name, *costs, str(held_out.fits), *_apart(one))


def _apart(one: Beside | None) -> tuple[str, str]:
    """Write by how much the winner differs, and where that lies."""
    if one is None:
        return "", ""
    if one.low == one.high == one.difference == 0:
        return "the same", ""
    known = one.low is not None and one.high is not None
    between = f"{_plain(one.low or 0)} to {_plain(one.high or 0)}" if known else "unknown"
    return f"{'+' if one.difference > 0 else ''}{_plain(one.difference)}", between


def _rest(line: Sequence[str], widths: Sequence[int]) -> Any:
    return zip(line[1:], widths[1:], strict=True)


def _sentences(report: TuningReport) -> list[str]:
    won, first = report.winner, report.default
    known = [one for one in report.tried if one.figures is not None]
    until = f"{report.at:%Y-%m-%d %H:%M}"
    said = [f"Of {len(known)} policies drawn and {len(report.beside)} untuned ones, '{won.policy}'"]
    said.append(f"cost least on the history up to {until}: {won.line}.")
    if report.stopped is not None:
        said.append(f"The search ended early: {report.stopped}.")
    if won.line == first.line:
        said.append("That is the untuned default: the search found nothing cheaper. Take it.")
        return [*said, *_told_others(report)]
    said.append(f"On the {report.held_out.rows:,} labelled rows behind it, which no search saw,")
    between = (
        "too few rows to say how sure that is"
        if first.low is None or first.high is None
        else f"95 % interval of the difference {_plain(first.low)} to {_plain(first.high)}"
    )
    much = f"{_plain(abs(first.difference))} {'less' if first.difference < 0 else 'more'}"
    if report.winner_is_better:
        said.append(f"it costs {much} than the untuned default {first.line} ({between}). Take it.")
    else:
        said.append(
            f"it is not shown to be better than the untuned default {first.line}: it costs {much} "
            f"({between}). Take the default, or search on a longer history."
        )
    said.append(_told_optimism(report))
    said += _told_others(report)
    return said


def _told_optimism(report: TuningReport) -> str:
    saved, kept = report.saved
    more = (
        f": the search promised {_plain(report.optimism)} too much" if report.optimism > 0 else ""
    )
    return (
        f"In 1,000 rows it saved {_plain(saved)} against the default where it was searched, and "
        f"{_plain(kept)} where it was not{more}."
    )


def _told_others(report: TuningReport) -> list[str]:
    """Name those that were cheaper on the held-out part, which is no reason to take them."""
    cheaper = [one for one in report.beside[1:] if one.difference > 0][:_MOST_SHOWN]
    if not cheaper:
        return []
    parts = ", ".join(f"'{one.name}' ({_plain(one.difference)} less)" for one in cheaper)
    return [f"Cheaper than the winner on the held-out part: {parts}."]


def _plain(value: float) -> str:
    """Write a cost so that it reads: 4,777 and not 4.777e+03."""
    return f"{value:,.0f}" if abs(value) >= _PER else f"{value:.4g}"
