"""What a replay or a search runs on: a loop and its history, or a log alone."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from ratoon.cli.common import Common
from ratoon.cli.opening import loop_at, opened
from ratoon.cli.progress import bars_of

if TYPE_CHECKING:
    from ratoon.engine import History, Loop
    from ratoon.engine.replay import Progress

LogPath: TypeAlias = Annotated[
    Path | None,
    typer.Argument(
        metavar="LOG",
        help="A .parquet, .csv or .arrow file, or a folder with data.parquet and meta.json.  "
        "[default: what the loop itself has recorded]",
    ),
]
"""The log that a command reads."""

MODELS = ("trees", "linear")
"""Models for a log that comes without a loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """How a log is read."""

    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of labels.")] = (
        None
    )
    time: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="The column of event times.  [default: the only column of times]",
        ),
    ] = None
    label_delay: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How much later labels come: 6h, 7d.  [default: 1d]"),
    ] = None
    first: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="The rows to begin with.  [default: 0.1]"),
    ] = None
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Leave a column of LOG out. May be repeated."),
    ] = None
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="Where no loop is named: trees (boosted) or linear, scikit-learn's.",
        ),
    ] = MODELS[0]

    def settings(self) -> dict[str, Any]:
        """Return what was given of how it is read."""
        every = {
            "target": self.target,
            "time": self.time,
            "label_delay": self.label_delay,
            "first": self.first,
            "ignore": tuple(self.ignore) if self.ignore else None,
        }
        return {name: value for name, value in every.items() if value is not None}


def subject(subject: str, log: Path | None, reading: Log, common: Common) -> tuple[Loop, History]:
    """Return the loop and the history that a command is about.

    Args:
        subject: MODULE:LOOP, or where `log` is None also a log.
        log: the log; None for what the loop has recorded.
        reading: how the log is read.
        common: where the loops live.
    """
    if log is None and (Path(subject).exists() or ":" not in subject):
        loop = _loop(Path(subject).stem, reading.model)
        return loop, _read(Path(subject), reading, "LOG")
    loop = loop_at(subject)
    return loop, _recorded(loop, common) if log is None else _read(log, reading, "LOG")


@contextmanager
def progress_of(policies: Sequence[str]) -> Generator[Progress | None]:
    """Show on stderr how far each policy is and the time left, where there is a terminal."""
    with bars_of() as bars:
        if bars is None:
            yield None
            return
        tasks = {name: bars.add_task(name, total=None, start=False) for name in policies}

        def show(name: str, done: int, of: int) -> None:
            if done == 1:
                bars.start_task(tasks[name])
            bars.update(tasks[name], completed=done, total=of)

        yield show


def _recorded(loop: Loop, common: Common) -> History:
    from ratoon.engine import History  # noqa: PLC0415 - slow to import

    with opened(common.home or Path(loop.home), loop.name) as store:
        return History.of_store(store, loop.name)


def _read(log: Path, reading: Log, hint: str) -> History:
    from ratoon.engine import History  # noqa: PLC0415 - slow to import

    if not log.exists():
        raise typer.BadParameter(f"there is no {str(log)!r}", param_hint=hint)
    if reading.target is None and not log.is_dir():
        raise typer.BadParameter("it names the column of labels in LOG", param_hint="--target")
    return History.read(log, **reading.settings())


def _loop(name: str, model: str) -> Loop:
    """Return a loop with Ratoon's usual settings and a model of scikit-learn."""
    from ratoon.demo.models import Boosting, Linear  # noqa: PLC0415 - slow to import
    from ratoon.engine import Loop  # noqa: PLC0415

    if model not in MODELS:
        rule = f"{model!r} is none of {', '.join(MODELS)}"
        raise typer.BadParameter(rule, param_hint="--model")
    called = "".join(c if c.isalnum() or c in "-_." else "-" for c in name) or "log"
    return Loop(called, trainer=Linear() if model == "linear" else Boosting(seed=0))
