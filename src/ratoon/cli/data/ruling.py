"""Rules of the data checks, for commands: where they come from, and rows that are held to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ratoon.cli import showing
from ratoon.cli.data import looking
from ratoon.core.errors import DataUnfit, LoopNotStarted, RatoonError

if TYPE_CHECKING:
    from ratoon.core.schema import Kind
    from ratoon.stores.local import LocalStore
    from ratoon.windows.judged import Target
    from ratoon.windows.rules import DataRules, Dataset, Findings

NEWEST = 100_000  # labelled rows that a loop is asked for
_IDS, _TIMES, _LABELS = ("id", "prediction_id"), ("time",), ("label",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Rows that were held to rules, and what came of it."""

    what: str
    findings: Findings
    ids: Sequence[str]

    def record(self) -> dict[str, Any]:
        """Return it as JSON; each finding names its first rows by their ids."""
        found = dict(self.findings.record())
        named = [[self.ids[row] for row in one.rows] for one in self.findings.found]
        told = zip(showing.plain(self.findings.found), named, strict=True)
        shown = [{**finding, "ids": ids} for finding, ids in told]
        return {"what": self.what, **found, "found": shown, "failed": self.findings.failed}


def read_rules(file: Path) -> DataRules:
    """Read rules from a file."""
    from ratoon.windows import rules  # noqa: PLC0415 - slow to import

    if not file.is_file():
        hint = f"ratoon data check LOOP --rules {file} --infer"
        raise RatoonError(f"there is no file of rules {str(file)!r}", hint=hint)
    return rules.from_text(file.read_text("utf-8"), str(file))


def rules_of(store: LocalStore, loop: str, home: Path) -> DataRules:
    """Return the rules of a loop: those in its file, else what its champion's data says."""
    known = home / f"{loop}.rules.toml"
    return read_rules(known) if known.exists() else inferred(store, loop)


def inferred(store: LocalStore, loop: str, known: DataRules | None = None) -> DataRules:
    """Infer rules from what the champion was trained on; what a person said in `known` stays."""
    from ratoon.engine.vetting import reference_of  # noqa: PLC0415 - slow to import
    from ratoon.windows import rules  # noqa: PLC0415

    champion = store.alias("champion")
    kept = None if champion is None else store.version(champion)
    if kept is None:
        raise LoopNotStarted(loop)
    if kept.version.snapshot is None:
        raise DataUnfit(f"version {champion} was adopted: nobody knows what it was trained on")
    with showing.working("inferring rules from what the champion was trained on"):
        data = reference_of(store, kept.version.snapshot)
        return (rules.infer(data) if known is None else rules.renewed(known, data)).rules


def of_loop(store: LocalStore, loop: str, held_to: DataRules) -> Held:
    """Hold the newest labelled rows of a loop to rules."""
    from ratoon.core import wire  # noqa: PLC0415 - slow to import
    from ratoon.core.measuring import RowRange  # noqa: PLC0415
    from ratoon.core.schema import Schema  # noqa: PLC0415
    from ratoon.engine import SystemClock  # noqa: PLC0415
    from ratoon.engine.vetting import dataset_of  # noqa: PLC0415
    from ratoon.windows import rules  # noqa: PLC0415

    target, schema = looking.target_of(store), store.saved().schema
    if target is None or schema is None:
        raise LoopNotStarted(loop)
    stop = store.counts().labelled
    rows = RowRange(start=max(0, stop - NEWEST), stop=stop)
    found = store.labelled(rows)
    data = dataset_of(store, found, wire.loads(Schema, schema), target)
    return Held(
        what=f"the newest {showing.counted(len(data), 'labelled row')} of {loop}",
        findings=rules.check(held_to, data, now=SystemClock().now()),
        ids=found.ids,
    )


def of_file(source: str, held_to: DataRules, ignore: Sequence[str]) -> Held:
    """Hold the rows of a file to rules.

    Columns that are called as ids, times and labels usually are, and are no features by the
    rules, are taken as those.
    """
    from ratoon.engine import SystemClock  # noqa: PLC0415 - slow to import
    from ratoon.windows import rules  # noqa: PLC0415

    whole = _read(source, held_to).drop_columns([*ignore])
    others = [name for name in whole.column_names if name not in held_to.named]
    special = {
        role: next((name for name in names if name in others), None)
        for role, names in (("id", _IDS), ("time", _TIMES), ("label", _LABELS))
    }
    gone = [name for name in special.values() if name is not None]
    given = {role: whole.column(name) for role, name in special.items() if name is not None}
    ids = [str(one) for one in given["id"].to_pylist()] if "id" in given else None
    data = _dataset(whole.drop_columns(gone), given, held_to)
    return Held(
        what=f"{showing.counted(len(data), 'row')} of {source}",
        findings=rules.check(held_to, data, now=SystemClock().now()),
        ids=ids or [f"row {row}" for row in range(len(data))],
    )


def _read(source: str, held_to: DataRules) -> Any:
    """Read a file whole; what its columns hold is what the rules say of them."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    from ratoon.sources import read  # noqa: PLC0415

    kinds: Mapping[str, Kind] = {column.name: column.kind for column in held_to.columns}
    parts: list[Any] = list(read(source, types=kinds))
    if not parts:
        raise typer.BadParameter(f"{source} holds no rows", param_hint="--rows")
    return pa.concat_tables(parts, promote_options="permissive")


def _dataset(rows: Any, given: Mapping[str, Any], held_to: DataRules) -> Dataset:
    import numpy as np  # noqa: PLC0415 - slow to import

    from ratoon.windows.arrow import from_arrow  # noqa: PLC0415
    from ratoon.windows.intake import read_rows  # noqa: PLC0415
    from ratoon.windows.labels import encode, extended, read_labels  # noqa: PLC0415
    from ratoon.windows.rules import Dataset  # noqa: PLC0415

    target = _target(held_to)
    labels = None
    if target is not None and "label" in given:
        values = read_labels(given["label"].to_pylist(), target.task)
        target = extended(target, values)
        labels = encode(target, values)
    return Dataset(
        rows=read_rows(rows),
        target=target,
        labels=labels,
        ids=np.array([str(one) for one in given["id"].to_pylist()]) if "id" in given else None,
        times=from_arrow(given["time"]) if "time" in given else None,
    )


def _target(held_to: DataRules) -> Target | None:
    """Return what is predicted, as far as the rules say it."""
    from ratoon.windows.judged import Target  # noqa: PLC0415 - slow to import

    rule = held_to.label
    if rule is None:
        return None
    return Target(task=rule.task, classes=tuple(one.value for one in rule.classes))
