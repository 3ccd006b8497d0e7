"""`ratoon data check`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common
from ratoon.cli.data import looking, ruling
from ratoon.cli.opening import opened
from ratoon.cli.progress import moving
from ratoon.cli.showing import Column
from ratoon.core.errors import StoreDamaged

if TYPE_CHECKING:
    from ratoon.stores.local import LocalStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Which rows are held to which rules."""

    rules: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file of rules; rows are held to them."),
    ] = None
    infer: Annotated[
        bool,
        typer.Option(
            "--infer", help="Write the file: rules that fit what the champion was trained on."
        ),
    ] = False
    rows: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Check the rows of this file, not those of the loop."),
    ] = None
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Leave a column of --rows out. May be repeated."),
    ] = None
    export: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT", help="Print the rules: as rules, or as the code of a pandera schema."
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What one check has looked at, and what is wrong with it."""

    what: str
    looked_at: str  # how much
    wrong: tuple[str, ...]
    note: str = ""  # what could not be compared


def check(
    loop: Annotated[
        str | None, typer.Argument(metavar="LOOP", help="A loop; not needed for --rows.")
    ] = None,
    *,
    by: Ruling,
    common: Common,
) -> None:
    """Compare files with their digests, or rows with rules.

    Each data file has the SHA-256 of its bytes in its name; a snapshot has one of the rows that
    were trained on. With --rules, rows are held to the rules in a file instead: the newest 100,000
    labelled rows of the loop, or those of another file. Such rules are inferred from what the
    champion was trained on (--infer), and edited by a person. The exit code is 1 where something
    is not what was written, or fails a rule, and it is named.

    Example:
        ratoon data check fraud
        ratoon data check fraud --rules fraud.toml --infer
        ratoon data check fraud --rules fraud.toml
        ratoon data check --rules fraud.toml --rows new.parquet --json | jq '.found[].message'
        ratoon data check fraud --export pandera > fraud_schema.py
    """
    if by.export is not None:
        _export(by, loop, common)
    elif by.rules is not None:
        _by_rules(by, by.rules, loop, common)
    elif by.infer or by.rows is not None:
        raise typer.BadParameter("it names the file of the rules", param_hint="--rules")
    else:
        _digests(_named(loop), common)


def _named(loop: str | None) -> str:
    if loop is None:
        raise typer.BadParameter("it says which loop", param_hint="LOOP")
    return loop


def _export(by: Ruling, loop: str | None, common: Common) -> None:
    """Print rules as they are written down, or as the code of a pandera schema."""
    from ratoon.windows import rules  # noqa: PLC0415 - slow to import

    forms = {"pandera": rules.to_pandera_code, "rules": rules.to_text}
    if by.export not in forms:
        rule = f"{by.export!r} is none of {', '.join(forms)}"
        raise typer.BadParameter(rule, param_hint="--export")
    if by.rules is not None:
        found = ruling.read_rules(by.rules)
    else:
        with opened(common.folder, _named(loop)) as store:
            found = ruling.rules_of(store, _named(loop), common.folder)
    text = forms[by.export](found)
    if common.json:
        showing.print_json({"loop": loop, "version": found.version, by.export: text})
    else:
        typer.echo(text, nl=False)


def _by_rules(by: Ruling, file: Path, loop: str | None, common: Common) -> None:
    if by.infer:
        _infer(file, _named(loop), common)
        return
    found = ruling.read_rules(file)
    if by.rows is not None:
        held = ruling.of_file(by.rows, found, by.ignore or ())
    else:
        with opened(common.folder, _named(loop)) as store:
            held = ruling.of_loop(store, _named(loop), found)
    if common.json:
        showing.print_json(held.record())
    else:
        showing.say(f"{held.what}, held to version {found.version} of {file}:")
        _tell_findings(held)
    if held.findings.failed:
        raise typer.Exit(1)


def _infer(file: Path, loop: str, common: Common) -> None:
    """Write rules to a file; what a person said in it before stays."""
    from ratoon.windows import rules  # noqa: PLC0415 - slow to import

    known = ruling.read_rules(file) if file.exists() else None
    with opened(common.folder, loop) as store:
        made = ruling.inferred(store, loop, known)
    file.write_text(rules.to_text(made), encoding="utf-8")
    if common.json:
        told = {"loop": loop, "rules": str(file), "version": made.version, "rows": made.rows}
        showing.print_json({**told, "columns": [column.name for column in made.columns]})
        return
    columns = showing.counted(len(made.columns), "column")
    rows = showing.counted(made.rows, "row")
    showing.say(f"{file}: version {made.version}, of {columns}, inferred from {rows}.")
    showing.say(f"Edit it, then: ratoon data check {loop} --rules {file}")


def _tell_findings(held: ruling.Held) -> None:
    columns = (
        Column(name="", whole=True),
        Column(name="Rule", whole=True),
        Column(name="What was found"),
        Column(name="Expected"),
        Column(name="Rows", numeric=True),
    )
    lines = [
        (one.severity, one.rule, one.message, one.expected, f"{one.count:,}" if one.count else "")
        for one in held.findings.found
    ]
    if lines:
        showing.print_table(columns, lines, empty="")
    for one in held.findings.found:
        if one.severity == "fail" and one.rows:
            ids = looking.told_ids([held.ids[row] for row in one.rows])
            showing.say(f"{one.rule}: {ids}")
    showing.say(f"A training on them: {held.findings.summary()}")


def _digests(loop: str, common: Common) -> None:
    with opened(common.folder, loop) as store:
        found = [run(store, loop) for run in (_files, _snapshots)]
    sound = not any(one.wrong for one in found)
    if common.json:
        showing.print_json({"loop": loop, "sound": sound, "checks": found})
    else:
        for one in found:
            _tell(one)
    if not sound:
        raise typer.Exit(1)


def _files(store: LocalStore, loop: str) -> Checked:  # noqa: ARG001 - every check is called alike
    """Compare every data file with the SHA-256 in its name."""
    from ratoon.stores.asking import damaged  # noqa: PLC0415 - slow to import

    parts = list(store.parts().values())
    files = [file for part in parts for file in part.table.files]
    with moving("reading every data file") as moved:
        wrong = tuple(damage.fact for damage in damaged(parts, moved))
    size = sum(file.size for file in files)
    return Checked(
        what="data files",
        looked_at=f"{showing.counted(len(files), 'file')}, {_size(size)}",
        wrong=wrong,
    )


def _snapshots(store: LocalStore, loop: str) -> Checked:
    """Read the rows of every snapshot again, and compare them with its digest."""
    data = looking.data_of(store, loop)
    pins = data.snapshots()
    wrong: list[str] = []
    total, done, erased = sum(pin.count for pin in pins), 0, 0
    with moving("reading every snapshot", "rows", lambda: total) as moved:
        for pin in pins:
            try:
                data.snapshot(pin.digest, anew=True)
            except StoreDamaged as error:
                wrong.append(f"snapshot {showing.short(pin.digest)}: {error.fact}")
            done, erased = done + pin.count, erased + bool(pin.erased)
            moved(done)
    snapshots = showing.counted(erased, "snapshot")
    return Checked(
        what="snapshots",
        looked_at=f"{showing.counted(len(pins), 'snapshot')}, {showing.counted(total, 'row')}",
        wrong=tuple(wrong),
        note=f"{snapshots} lost rows at a person's wish: not compared" if erased else "",
    )


def _size(count: int) -> str:
    """Write a number of bytes."""
    power = min(4, (len(str(count)) - 1) // 3)
    return f"{count / 1000**power:,.{min(power, 1)}f} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _tell(found: Checked) -> None:
    verdict = f"{len(found.wrong)} wrong" if found.wrong else "sound"
    note = f" ({found.note})" if found.note else ""
    showing.say(f"{found.what}: {found.looked_at}: {verdict}{note}")
    for line in _lines(found):
        typer.secho(line, fg=typer.colors.RED)


def _lines(found: Checked) -> Iterator[str]:
    for wrong in found.wrong:
        yield f"  {wrong}"
