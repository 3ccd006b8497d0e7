"""`ratoon demo`."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer


def demo(
    stream: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="hotel_rates, flights_2013, or a folder with data.parquet and meta.json.  "
            "[default: both of those that come with Ratoon]",
        ),
    ] = None,
    *,
    report: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the report of the first stream goes.")
    ] = Path("report.html"),
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there, too.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The seed of the trainings.")] = 0,
    home: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the loops there, for `ratoon status`, `why`, …"),
    ] = None,
) -> None:
    """Watch a real stream go through a live loop, in virtual time.

    A model is fitted on the first tenth of a stream. The rest happens to it in order: predictions,
    and their labels later. The same stream is run three times: with a model that is never
    retrained, with one that is retrained every 30 days, and with Ratoon. What Ratoon does is
    printed as it happens; a table and report.html show what came of it.

    Examples:
      ratoon demo
      ratoon demo --stream flights_2013 --home .ratoon
      ratoon why flights_2013
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads on small batches only wait
    from rich.console import Console  # noqa: PLC0415 - `ratoon --help` stays fast

    from ratoon.demo.running import BUNDLED  # noqa: PLC0415

    console = Console(highlight=False)
    names = BUNDLED if stream is None else (stream,)
    records: list[dict[str, Any]] = []
    with ExitStack() as stack:
        kept = home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ratoon-")))
        for number, name in enumerate(names):
            path = report if number == 0 else report.with_stem(f"{report.stem}-{name}")
            records.append(_one(console, name, (kept, path, seed)))
    if json_file is not None:
        body = records[0] | ({"also": records[1:]} if records[1:] else {})
        json_file.write_text(json.dumps(body, indent=2) + "\n")
        console.print(f"figures in {json_file}")
    if home is not None:
        console.print(f"the loops are kept: ratoon status --home {home}")


def _one(console: Any, name: str, where: tuple[Path, Path, int]) -> dict[str, Any]:
    """Run one stream, and show what came of it."""
    from rich.progress import (  # noqa: PLC0415 - `ratoon --help` stays fast
        BarColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from ratoon.demo import picture, telling  # noqa: PLC0415
    from ratoon.demo.running import open_stream, run  # noqa: PLC0415

    home, path, seed = where
    found = open_stream(name)
    console.print(f"\n[bold]{found.title}[/]")
    console.print(
        f"{len(found.history):,} rows to predict from {found.history.at:%Y-%m-%d} on, "
        f"labels {found.label_delay} later\n"
    )
    columns = (TextColumn("{task.description:<8}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        tasks = {key: progress.add_task(key) for key in ("never", "period", "ratoon")}

        def moved(key: str, done: int, total: int) -> None:
            progress.update(tasks[key], completed=done, total=total)

        result = run(found, home, seed, moved, telling.Teller(console))
    console.print(telling.table(result))
    console.print(f"[dim]{telling.price(result)}[/]")
    picture.draw(result, path)
    console.print(f"{result.seconds:.0f} s; report in {path}")
    return result.record()
