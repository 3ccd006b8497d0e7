"""Checks of when things happened, and on which side of the split they stand."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from ratoon.windows.judged import Floats
from ratoon.windows.rows import Array
from ratoon.windows.rules.chance import log_excess
from ratoon.windows.rules.data import Mask
from ratoon.windows.rules.found import Breach, Case, Finding, Judgement, Told, kept, percent, told
from ratoon.windows.rules.gaps import rowwise
from ratoon.windows.rules.repeats import coded

_YEAR_US = 31_557_600_000_000.0
_SECOND_US = 1_000_000.0
_REVERSED = 0.75  # share of the held-out rows that are older than the middle training row
_SHUFFLED = 0.25


def microseconds(times: Array) -> Floats:
    """Return moments as microseconds since 1970; NaN for a missing one."""
    found = times.astype("M8[us]")
    return np.where(np.isnat(found), np.nan, found.astype(np.int64).astype(np.float64))


def moment(at: float) -> str:
    """Return a moment as people read it."""
    return str(np.datetime64(int(at), "us").astype("M8[s]")).replace("T", " ")


def time_travel(case: Case, now: datetime | None) -> list[Breach]:
    """Find rows that happened after they came, after their label, in the future, or long ago."""
    data = case.data
    if data.times is None:
        return []
    times = microseconds(data.times)
    skew = case.rules.tolerances.skew_s * _SECOND_US
    found: list[Breach] = []
    if now is not None:
        at = _now_us(now)
        words = Told(
            message="the event is in the future", expected=f"until {moment(at)}", found="later"
        )
        found += rowwise(case, case.groups, "time", None, times > at + skew, words)
    if data.arrived is not None:
        words = Told(
            message="the event is later than the row came", expected="event first", found="later"
        )
        late = times > microseconds(data.arrived) + skew
        found += rowwise(case, case.groups, "time", None, late, words)
    if data.labelled is not None:
        words = Told(
            message="the label is older than the event", expected="event first", found="earlier"
        )
        early = microseconds(data.labelled) < times - skew
        found += rowwise(case, case.label_groups, "time", None, early, words)
    return found + _long_ago(case, times)


def _long_ago(case: Case, times: Floats) -> list[Breach]:
    """Tell of groups whose events are years older than the reference.

    Nearly all events of a batch at one such moment are no events: a clock that was not set.
    """
    starts = case.rules.starts
    if starts is None:
        return []
    old = times < starts - case.rules.tolerances.back_years * _YEAR_US
    if not old.any():
        return []
    count = case.groups.count(old)
    share = count / case.groups.sizes
    before_1990 = times < 20 * _YEAR_US
    unset = case.groups.count(old & before_1990) / case.groups.sizes
    after_1990 = starts > 20 * _YEAR_US
    at = Judgement(
        fails=(unset >= case.rules.tolerances.far_fail) & after_1990,
        warns=count > 0,
        significant=log_excess(count, case.groups.sizes, 0, case.rules.rows)
        <= case.log_alpha(case.groups),
        size=share,
        rows=old,
    )

    def tell(group: int) -> Told:
        return Told(
            message=f"{percent(share[group])} of the events are years older than the reference",
            expected=f"from about {moment(starts)}",
            found=f"from {moment(float(np.nanmin(times)))}",
        )

    return told(case, case.groups, "time", None, at=at, tell=tell)


def split(case: Case) -> list[Breach]:
    """Tell of held-out rows that are older than those to train on: the future predicts the past."""
    data = case.data
    if data.times is None or data.held_out is None:
        return []
    times = microseconds(data.times)
    trained, judging = times[~data.held_out], times[data.held_out]
    trained, judging = trained[~np.isnan(trained)], judging[~np.isnan(judging)]
    if not len(trained) or not len(judging) or trained.min() == trained.max():
        return []
    middle = float(np.median(trained))
    older = data.held_out & (times < middle)
    share = float((judging < middle).mean())
    level = case.level("split", None)
    if level == "off" or share < _SHUFFLED:
        return []
    severity = "fail" if share >= _REVERSED and level == "fail" else "warn"
    finding = Finding(
        rule="split",
        severity=severity,
        column=None,
        message=f"{percent(share)} of the held-out rows are older than the middle training row",
        expected=f"less than {percent(_SHUFFLED)} before {moment(middle)}",
        found=f"{percent(share)} before",
        rows=kept(older),
        count=int(older.sum()),
    )
    return [Breach(finding=finding, blocks=severity == "fail")]


def entities(case: Case, named: Array | None) -> list[Breach]:
    """Leave out training rows about an entity that held-out rows are about too.

    The held-out rows stay: they judge all candidates alike. The others are good rows, which
    another split may train on.
    """
    held = case.data.held_out
    if named is None or held is None:
        return []
    codes = coded(named)
    judged = np.zeros(int(codes.max(initial=-1)) + 2, dtype=bool)
    judged[codes[held]] = True
    judged[-1] = False  # those of whom it is not known
    both = judged[codes] & ~held
    level = case.level("entity", None)
    if level == "off" or not both.any():
        return []
    count = int(both.sum())
    finding = Finding(
        rule="entity",
        severity=level,
        column=case.rules.entity,
        message=f"{count:,} training rows are about entities that held-out rows are about too",
        expected="each entity on one side of the split",
        found=f"{percent(count / max(int((~held).sum()), 1))} of the training rows on both",
        rows=kept(both),
        count=count,
    )
    return [Breach(finding=finding, aside=both if level == "fail" else None, lasts=False)]


def too_few(case: Case, left: Mask) -> list[Breach]:
    """Tell whether the rows that are left to train on are too few, in all or of a class."""
    data, tolerances = case.data, case.rules.tolerances
    train = left if data.held_out is None else left & ~data.held_out
    rows = int(train.sum())
    if rows < tolerances.rows_least:
        words = Told(
            message=f"{rows:,} rows are left to train on",
            expected=f"at least {tolerances.rows_least:,} rows",
            found=f"{rows:,} rows",
        )
        return _blocking(case, words)
    if data.labels is None or data.target is None or data.target.task == "regression":
        return []
    codes = data.labels[train]
    counts = np.bincount(codes[~np.isnan(codes)].astype(np.intp), minlength=1)
    if not counts.any():  # rows that have no labels yet
        return []
    usable = int((counts >= tolerances.class_rows_least).sum())
    if usable < 2:  # noqa: PLR2004 - one class is no choice
        words = Told(
            message=f"{usable} classes have {tolerances.class_rows_least} rows to train on",
            expected=f"at least 2 classes of {tolerances.class_rows_least} rows",
            found=f"{usable} such classes",
        )
        return _blocking(case, words)
    return _rare_classes(case, counts)


def _rare_classes(case: Case, counts: np.ndarray) -> list[Breach]:
    assert case.data.target is not None
    least = case.rules.tolerances.class_rows_least
    rare = [
        f"{value!r} ({count})"
        for value, count in zip(case.data.target.classes, counts.tolist(), strict=False)
        if 0 < count < least
    ]
    if not rare or case.level("rows", None) == "off":
        return []
    finding = Finding(
        rule="rows",
        severity="warn",
        column=None,
        message=f"classes with fewer than {least} rows to train on: {', '.join(rare[:10])}",
        expected=f"at least {least} rows of a class",
        found=f"{len(rare)} classes with fewer",
    )
    return [Breach(finding=finding)]


def _blocking(case: Case, words: Told) -> list[Breach]:
    level = case.level("rows", None)
    if level == "off":
        return []
    finding = Finding(
        rule="rows",
        severity=level,
        column=None,
        message=words.message,
        expected=words.expected,
        found=words.found,
    )
    return [Breach(finding=finding, blocks=level == "fail")]


def _now_us(now: datetime) -> float:
    plain = now.astimezone(UTC).replace(tzinfo=None)
    return float(np.datetime64(plain, "us").astype(np.int64))
