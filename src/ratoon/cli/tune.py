"""`ratoon tune`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common
from ratoon.cli.histories import Log, LogPath, subject
from ratoon.cli.opening import aside
from ratoon.cli.progress import moving
from ratoon.cli.showing import Column
from ratoon.core.errors import SettingInvalid

if TYPE_CHECKING:
    from ratoon.engine import History, Loop
    from ratoon.engine.tuning import Family, TuningReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Searching:
    """What is searched, and for how long."""

    trials: Annotated[int, typer.Option(metavar="N", min=1, help="Policies to draw in all.")] = 40
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Search these alone, such as 'worth' or 'drift cusum'; may be repeated.  "
            "[default: all built-in triggers]",
        ),
    ] = None
    space: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help="A list of Family that this module defines."),
    ] = None
    sampler: Annotated[str, typer.Option(metavar="NAME", help="tpe or random.")] = "tpe"
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the draws.")] = 0
    held_out: Annotated[
        float,
        typer.Option(
            metavar="SHARE", help="The newest arrivals, which judge and are not searched."
        ),
    ] = 0.3
    time_budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin no trial after it: 10m, 2h.")
    ] = None
    processes: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many policies are tried at once.")
    ] = 1
    training_takes: Annotated[
        str,
        typer.Option(metavar="TIME", help="How long a run trains before its challenger exists."),
    ] = "0s"
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, not where an earlier search has ended.")
    ] = False

    def settings(self) -> dict[str, Any]:
        """Return what `ratoon.tune` is told."""
        names = ("trials", "sampler", "seed", "held_out", "time_budget", "processes")
        return {name: getattr(self, name) for name in (*names, "training_takes", "fresh")}


def tune(
    app: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:LOOP", help="The loop's definition; or LOG alone, for a usual model."
        ),
    ],
    log: LogPath = None,
    *,
    retrain_cost: Annotated[
        float, typer.Option(metavar="COST", help="What a fit costs, in summed losses.")
    ],
    searching: Searching,
    reading: Log,
    common: Common,
) -> None:
    """Search the policy that would have cost least on a past log.

    Policies are tried on the first part of the log. The cheapest of them is judged on the rest,
    which no search has seen, beside policies that nobody has tuned: how much of its gain is left
    there tells what the tuning is worth. The answer is a line for the loop's definition. Trials
    are kept in the folder of the loops: a search that was interrupted goes on where it was, and
    so does one that is called again with more trials. It needs `pip install 'ratoon[tune]'`.

    Example:
        ratoon tune fraud_app:loop --retrain-cost 200
        ratoon tune fraud_app:loop log.parquet --target fraud --time at --retrain-cost 200
        ratoon tune log.csv --target fraud --retrain-cost 50 --trials 100 --time-budget 30m
        ratoon tune fraud_app:loop --retrain-cost 200 --policy worth --policy every
    """
    from ratoon.engine import tuning  # noqa: PLC0415 - slow to import

    with aside(), moving("trying policies") as moved:
        loop, history = subject(app, log, reading, common)
        folder = (common.home or Path(loop.home)) / "tuning"
        report = tuning.tune(
            loop,
            history,
            retrain_cost=retrain_cost,
            space=_space(searching, loop, history, retrain_cost),
            folder=folder,
            progress=lambda _, done, of: moved(done, of),
            **searching.settings(),
        )
    if common.json:
        showing.print_json(report.record())
    else:
        _show(report, folder)


def _space(
    searching: Searching, loop: Loop, history: History, retrain_cost: float
) -> Sequence[Family] | None:
    """Return what is searched; None for what is searched by default."""
    from ratoon.engine.tuning import usual_space  # noqa: PLC0415 - slow to import

    if searching.space is not None:
        found = _defined(searching.space)
    elif searching.policy is None:
        return None
    else:
        found = usual_space(loop, history, retrain_cost=retrain_cost)
    if searching.policy is None:
        return found
    known = {one.name: one for one in found}
    missing = [name for name in searching.policy if name not in known]
    if missing:
        rule = f"{missing[0]!r} is none of {', '.join(known)}"
        raise typer.BadParameter(rule, param_hint="--policy")
    return [known[name] for name in dict.fromkeys(searching.policy)]


def _defined(text: str) -> Sequence[Family]:
    """Return the families that a module of the current folder defines."""
    from ratoon.engine.tuning.space import checked_space  # noqa: PLC0415 - slow to import

    module, _, name = text.partition(":")
    try:
        found: Any = vars(importlib.import_module(module))[name]
        return checked_space(cast("Sequence[Family]", found))
    except (ImportError, KeyError, ValueError, TypeError) as error:
        rule = f"{text!r} is no module:name of a list of Family ({type(error).__name__}: {error})"
        if isinstance(error, SettingInvalid):
            rule = error.fact
        raise typer.BadParameter(rule, param_hint="--space") from error


def _show(report: TuningReport, folder: Path) -> None:
    """Print the figures, what they mean, and the line to take."""
    head, *rows = report.table()
    columns = [Column(name=head[0]), *(Column(name=name, numeric=True) for name in head[1:])]
    showing.print_table(columns, rows, empty="")
    showing.say("")
    showing.say(report.advice())
    showing.say(f"\n    {report.take}")
    showing.say("")
    failed = [one for one in report.tried if one.error is not None]
    if failed:
        many = showing.counted(len(failed), "policy", "policies")
        showing.say(f"{many} could not be tried; the first: {failed[0].error}")
    showing.say(f"The trials are kept in {folder}: called again with more, it goes on.")
