"""How far a long piece of work is, on stderr, with the time that is left."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


def _unseen(done: int, of: int | None = None) -> None:
    """Show nothing."""


@contextmanager
def moving(
    text: str, unit: str = "", total: Callable[[], int | None] | None = None
) -> Generator[Callable[..., None]]:
    """Show on stderr how far something is, where there is a terminal.

    Args:
        text: what is done.
        unit: what is counted.
        total: tells how much there is to do, or None where nobody knows; it is asked only where
            that is shown.

    Returns:
        A function to be told how much is done, and if that is known by then, of how much.
    """
    with bars_of() as bars:
        if bars is None:
            yield _unseen
            return
        task = bars.add_task(text, total=None if total is None else total())

        def moved(done: int, of: int | None = None) -> None:
            shown = f"{text}: {done:,} {unit}" if unit else text
            bars.update(task, completed=done, description=shown)
            if of is not None:
                bars.update(task, total=of)

        yield moved


@contextmanager
def bars_of() -> Generator[Progress | None]:
    """Show bars on stderr, each with the time that is left; None where there is no terminal."""
    from rich import progress  # noqa: PLC0415 - slow to import
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=20),
        progress.TaskProgressColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as bars:
        yield bars
