"""What happens in the demo, told as it happens; then the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ratoon.core import events
from ratoon.core.deciding import Decision, Hold, Retrain, Rollback, Wait
from ratoon.core.events import Event
from ratoon.demo.running import NEVER, PERIOD, Result

_SHOWN = ("mae", "rmse", "log_loss", "roc_auc")  # metrics in the table; report and --json have all
_WHAT = 13  # characters
_LATER = "; a later try"  # how a wait after a refusal speaks; the refusal itself is told

NAMES: Mapping[str, str] = {
    NEVER: "never retrained",
    PERIOD: "every 30 days",
    "ratoon": "Ratoon",
}
_FACTS: Mapping[str, tuple[str, str]] = {
    events.PROMOTED: ("▲ promoted", "green"),
    events.REFUSED: ("✕ refused", "yellow"),
    events.RUN_FAILED: ("✕ failed", "red"),
    events.ROLLED_BACK: ("▼ rolled back", "red"),
    events.SETTLED: ("= settled", "green"),
}


@dataclass(frozen=True, slots=True)
class Teller:
    """Prints what a loop records, line by line."""

    console: Console

    def notify(self, happened: Event | Decision, /) -> None:
        """Print an event or a decision, where it says something to a reader."""
        line = _event(happened) if isinstance(happened, Event) else _decision(happened)
        if line is None:
            return
        (what, style), text, moment = line
        row = Table.grid(padding=(0, 2))
        row.add_column(no_wrap=True, style="dim")
        row.add_column(no_wrap=True, min_width=_WHAT, style=style)
        row.add_column()
        row.add_row(f"{moment:%Y-%m-%d}", what, escape(text))
        self.console.print(row)


def _event(event: Event) -> tuple[tuple[str, str], str, Any] | None:
    data = event.data
    if event.type in _FACTS:
        text = f"{event.subject}: {data.get('reason') or data.get('error') or ''}"
        if event.type == events.REFUSED:
            text = str(data["reason"])
        if event.type == events.SETTLED:
            text = f"{event.subject} {_gained(data)}"
        return _FACTS[event.type], text, event.time
    if event.type == events.REQUESTED or "reason" not in data:
        return None
    since = data.get("since")
    text = str(data["reason"]) + (f", since {str(since)[:10]}" if since else "")
    return ("● " + event.type.rpartition(".")[2], "cyan"), text, event.time


def _gained(data: Mapping[str, Any]) -> str:
    more = "less" if data["gain"] >= 0 else "more"
    return f"lost {abs(data['gain']):.4g} {more} a row than version {data['replaced']} would have"


def _decision(decision: Decision) -> tuple[tuple[str, str], str, Any] | None:
    match decision:
        case Retrain():
            plan = decision.plan
            text = f"on {plan.rule}; {len(plan.holdout)} newest rows judge it"
            return ("→ retrain", "bold"), text, decision.at
        case Wait() if _LATER not in decision.reason:
            return ("… wait", "dim"), decision.reason, decision.at
        case Wait() | Rollback() | Hold():
            return None


def table(result: Result) -> Table:
    """Return the three policies side by side; the cheapest is marked."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    known = result.policies[NEVER].loss
    metrics = [name for name in _SHOWN if name in known] or list(known)[:2]
    shown.add_column("", no_wrap=True)
    for name in (*metrics, "retrained", "refused", "total cost"):
        shown.add_column(name, justify="right", no_wrap=True)
    best = min(found.cost for found in result.policies.values())
    for name, found in result.policies.items():
        style = "bold green" if found.cost == best else ""
        losses = (f"{found.loss[m]:.4g}" if m in found.loss else "-" for m in metrics)
        counts = (str(found.retrainings), str(found.refused))
        shown.add_row(NAMES[name], *losses, *counts, f"{found.cost:,.0f}", style=style)
    return shown


def price(result: Result) -> str:
    """Return what the total cost is made of."""
    unit = result.stream.unit or "log loss"
    fits = result.policies["ratoon"].fits
    return (
        f"Total cost: the summed loss of all predictions, and {result.retrain_cost:,.0f} ({unit}) "
        f"for each of the models trained ({fits} by Ratoon), which is what the first model loses "
        f"on 1 % of the rows"
    )
