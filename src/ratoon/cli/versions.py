"""`ratoon versions`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName
from ratoon.cli.opening import recorded
from ratoon.cli.showing import Column

if TYPE_CHECKING:
    from ratoon.core.deciding import Firing
    from ratoon.core.running import Run
    from ratoon.core.versions import ModelVersion, Verdict
    from ratoon.engine import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A version, and what other records tell of it."""

    version: ModelVersion
    role: str | None
    causes: tuple[Firing, ...]
    verdict: Verdict | None  # the last one: a gate may have waited for more labels


def versions(loop: LoopName, *, common: Common) -> None:
    """List the versions of a model, and what each was judged by.

    The gate tells how much lower the loss of the version was than that of the champion before it,
    on the same rows, with its interval.

    Example:
        ratoon versions fraud
        ratoon versions fraud --json | jq '.[] | select(.role == "champion")'
    """
    with recorded(common.folder, loop) as records:
        found = _all(records)
    if common.json:
        showing.print_json([_record(shown) for shown in found])
        return
    columns = (
        Column(name="Version, made (UTC)", whole=True),
        Column(name="Because"),
        Column(name="Gate"),
        Column(name="Data, model", whole=True),
    )
    lines = [_line(shown) for shown in found]
    showing.print_table(columns, lines, empty=f"{loop!r} has no version yet.")


def _all(records: Records) -> list[_Shown]:
    roles = {records.champion(): "champion", records.challenger(): "challenger"}
    runs = {run.id: run for run in records.runs()}
    causes = {decision.id: decision.causes for decision in records.decisions()}
    found: list[_Shown] = []
    for version in records.versions():
        run = runs.get(version.run_id or "")
        found.append(
            _Shown(
                version=version,
                role=roles.get(version.number),
                causes=() if run is None else causes.get(run.decision_id, ()),
                verdict=version.verdict if run is None else _verdict(run) or version.verdict,
            )
        )
    return found


def _verdict(run: Run) -> Verdict | None:
    """Return what the gate said last."""
    from ratoon.core import wire  # noqa: PLC0415 - only here
    from ratoon.core.versions import Verdict  # noqa: PLC0415

    said = [step.wrote.get("verdict") for step in run.steps if step.name == "gate"]
    return wire.from_json(Verdict, said[-1]) if said else None


def _record(shown: _Shown) -> dict[str, Any]:
    version = showing.plain(shown.version)
    told = {"role": shown.role, "causes": shown.causes, "verdict": shown.verdict}
    return {**version, **showing.plain(told)}


def _line(shown: _Shown) -> tuple[str, ...]:
    version = shown.version
    role = "" if shown.role is None else f" {shown.role}"
    causes = [f"{cause.trigger}: {cause.reason}" for cause in shown.causes]
    data = "none" if version.snapshot is None else showing.short(version.snapshot)
    return (
        f"@{version.number}{role}\n{showing.when(version.created_at)}",
        "\n".join(causes) or "it was adopted",
        "" if shown.verdict is None else _judged(shown.verdict),
        f"data  {data}\n{version.artifact.format} {showing.short(version.artifact.sha256)}",
    )


def _judged(verdict: Verdict) -> str:
    if verdict.effect is None:
        return f"{verdict.outcome}: {verdict.reason}"
    low, high = showing.number(verdict.low), showing.number(verdict.high)
    effect = f"{verdict.metric} {showing.number(verdict.effect)} [{low}, {high}]"
    return f"{verdict.outcome}: {effect} on {verdict.n} rows"
