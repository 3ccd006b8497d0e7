"""What a check found, and how a breach is told of the batches that cause it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ratoon.core.wire import Json, to_json
from ratoon.windows.judged import Floats
from ratoon.windows.rules.data import Dataset, Groups, Mask
from ratoon.windows.rules.values import RULES, DataRules, Level, Severity

ROWS_KEPT = 100
"""How many rows a finding names."""

NAMES_KEPT = 20
"""How many batches a finding names."""

_TESTS = 80  # of a column in a group: a few rules, and each value that could be a sentinel


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule that data breaks."""

    rule: str  # one of RULES
    severity: Severity
    column: str | None  # None: the rule is about no single column
    message: str
    expected: str
    found: str
    batches: tuple[str, ...] = ()  # those that cause it, at most NAMES_KEPT; none: all together
    rows: tuple[int, ...] = ()  # places of the rows that break it, at most ROWS_KEPT
    count: int = 0  # how many rows break it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """All that a check found, and what follows from it."""

    found: tuple[Finding, ...]  # what fails first
    quarantine: Mask  # (n,): rows to set aside
    blocked: bool  # whether even the other rows must not be trained on
    version: int  # of the rules
    digest: str
    left_out: Mask  # (n,): good rows that this split of training and held-out rows cannot use

    @property
    def failed(self) -> bool:
        """Whether anything is more than a warning."""
        return any(finding.severity == "fail" for finding in self.found)

    @property
    def passed(self) -> Mask:
        """The rows that may be trained on; none where the check is blocked."""
        gone = self.quarantine | self.left_out
        return np.zeros_like(gone) if self.blocked else ~gone

    def text(self) -> str:
        """Return a table for people, and a line on what follows."""
        head = ("", "rule", "column", "where", "expected", "found")
        table = [head, *(_cells(finding) for finding in self.found)]
        widths = [max(len(row[i]) for row in table) for i in range(len(head))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
        return "\n".join([*(lines if self.found else []), self.summary()])

    def summary(self) -> str:
        """Return what follows, in a line."""
        rows, aside = len(self.quarantine), int(self.quarantine.sum())
        if self.blocked:
            return f"Nothing may be trained on these {rows:,} rows."
        told = [f"{aside:,} of {rows:,} rows are set aside."] if aside else []
        if self.left_out.any():
            told.append(f"{int(self.left_out.sum()):,} are left out of this training alone.")
        if told:
            return " ".join(told)
        return f"All {rows:,} rows may be trained on."

    def record(self) -> Mapping[str, Json]:
        """Return what a run keeps of it: all but the mask."""
        return {
            "rules": {"version": self.version, "digest": self.digest},
            "blocked": self.blocked,
            "set_aside": int(self.quarantine.sum()),
            "left_out": int(self.left_out.sum()),
            "found": to_json(self.found),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A breach in words."""

    message: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Breach:
    """A finding and the rows to set aside for it."""

    finding: Finding
    aside: Mask | None = None
    lasts: bool = True  # whether they are set aside for good, or left out of this training alone
    groups: Mask | None = None  # (G + 1,): where, of a rule that compares groups
    blocks: bool = False  # nothing may be trained, whatever is set aside


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """Rules and the data that is held to them."""

    rules: DataRules
    data: Dataset
    groups: Groups
    label_groups: Groups

    def log_alpha(self, groups: Groups) -> float:
        """Return the logarithm of the level of one test, among all tests of a training."""
        columns = len(self.rules.columns) + 1
        tests = _TESTS * columns * len(groups.sizes)
        return math.log(self.rules.tolerances.alpha / tests)

    def level(self, rule: str, column: str | None) -> Level:
        """Return how bad a breach may be."""
        found = None if column is None else self.rules.named.get(column)
        if found is not None and rule in found.skip:
            return "off"
        return self.rules.severity.get(rule, "fail")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """What a rule says of every group, and of all rows together; each of shape (G + 1,)."""

    fails: Mask  # beyond the margin that fails
    warns: Mask  # beyond the margin that is told
    significant: Mask  # beyond chance
    size: Floats  # how bad, to find the worst group
    rows: Mask | None = None  # (n,): the rows that break the rule


def told(
    case: Case, groups: Groups, rule: str, column: str | None, *, at: Judgement, tell: Telling
) -> list[Breach]:
    """Return the breaches of a rule: one that fails, and one that warns, or fewer.

    A group that fails by itself is set aside. Where only all rows together show it, those groups
    are that are beyond the margin.
    """
    level = case.level(rule, column)
    if level == "off":
        return []
    fails, warns = at.fails & at.significant, (at.warns | at.fails) & at.significant
    blamed = fails.copy()
    if fails[-1] and not fails[:-1].any():
        blamed[:-1] = at.fails[:-1]
    found: list[Breach] = []
    if fails.any() and level == "fail":
        found.append(_breach(groups, rule, column, "fail", blamed, at, tell))
        warns &= ~blamed
        warns[-1] = False  # what all rows together show is what the blamed ones do
    if warns.any():
        found.append(_breach(groups, rule, column, "warn", warns, at, tell))
    return found


Telling = Callable[[int], Told]
"""Puts the breach of a group, or of all rows (the last), into words."""


def _breach(
    groups: Groups,
    rule: str,
    column: str | None,
    severity: Severity,
    which: Mask,
    at: Judgement,
    tell: Telling,
) -> Breach:
    some = which[:-1].any()
    worst = int(np.argmax(np.where(which[:-1], at.size[:-1], -np.inf))) if some else -1
    where = groups.rows_of(which) if some else np.ones(len(groups.of_row), dtype=bool)
    rows = where if at.rows is None else where & at.rows
    words = tell(worst)
    names = [groups.name(int(group)) for group in np.flatnonzero(which[:-1])[:NAMES_KEPT]]
    finding = Finding(
        rule=rule,
        severity=severity,
        column=column,
        message=f"{words.message}{_where(groups, which, worst)}",
        expected=words.expected,
        found=words.found,
        batches=tuple(names),
        rows=kept(rows),
        count=int(rows.sum()),
    )
    return Breach(finding=finding, aside=where if severity == "fail" else None, groups=which)


def failing(groups: Groups, breaches: Iterable[Breach]) -> Mask:
    """Return the groups that fail already, (G + 1,); with one of them all rows together do."""
    found = np.zeros(len(groups.sizes), dtype=bool)
    for breach in breaches:
        if breach.groups is not None and breach.finding.severity == "fail":
            found |= breach.groups
    found[-1] |= found.any()
    return found


def kept(rows: Mask) -> tuple[int, ...]:
    """Return the first places of a mask."""
    return tuple(int(row) for row in np.flatnonzero(rows)[:ROWS_KEPT])


def ordered(breaches: Iterable[Breach]) -> tuple[Finding, ...]:
    """Return the findings: what fails first, and then by rule."""
    names = list(RULES)
    found = [breach.finding for breach in breaches]
    return tuple(sorted(found, key=lambda f: (f.severity != "fail", names.index(f.rule))))


def percent(share: Any) -> str:
    """Return a share as people read it.

    >>> percent(0.5), percent(0.0012), percent(0.99999)
    ('50 %', '0.12 %', '100 %')
    """
    found = 100 * float(share)
    return f"{found:.0f} %" if found >= 10 else f"{found:.2g} %"  # noqa: PLR2004 - two digits


def number(value: Any) -> str:
    """Return a number as people read it.

    >>> number(12345.678), number(0.00012345), number(3.0)
    ('12,346', '0.0001234', '3')
    """
    found = float(value)
    if abs(found) >= 1e4 and abs(found) < 1e15:  # noqa: PLR2004 - then digits are clearer
        return f"{found:,.0f}"
    return f"{found:.4g}"


def _where(groups: Groups, which: Mask, worst: int) -> str:
    count, every = int(which[:-1].sum()), len(groups.sizes) - 1
    if worst < 0 or count == every:
        return " in all rows"
    others = f" and {count - 1} more" if count > 1 else ""
    return f" in {groups.name(worst)}{others}"


def _cells(finding: Finding) -> tuple[str, ...]:
    names = finding.batches
    where = names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "") if names else ""
    return (
        finding.severity,
        finding.rule,
        finding.column or "",
        where or "all",
        finding.expected,
        finding.found,
    )
