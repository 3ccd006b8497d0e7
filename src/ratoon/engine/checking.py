"""Checks of what comes in, made before anything of it is stored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from ratoon.core.errors import (
    BatchEmpty,
    IdRepeated,
    LengthMismatch,
    MetricNeedsColumn,
    RowsRefused,
    SettingInvalid,
    ValueForbidden,
)
from ratoon.core.events import EVENT_TYPES, REQUESTED, ROLLBACK_REQUESTED, Event
from ratoon.core.measuring import Window
from ratoon.core.schema import Task
from ratoon.core.times import EPOCH
from ratoon.core.wire import to_json
from ratoon.metrics.protocol import columns_read
from ratoon.policies import Policy
from ratoon.windows.judged import Judged, Scalar, Scored, Target
from ratoon.windows.labels import Labels
from ratoon.windows.rows import Rows, narrowed

_LONGEST_SOURCE = 200  # characters
_MADE_UP = 2  # rows that metrics are tried on


def checked_ids(ids: object, rows: int) -> tuple[str, ...]:
    """Return the ids of a batch as texts: as many as it has rows, each once, none missing."""
    if ids is None or isinstance(ids, str | bytes):
        raise RowsRefused(f"ids must be a list of texts, one a row, got {ids!r}")
    listed = list(cast("Iterable[object]", ids))
    if not listed:
        raise BatchEmpty("the batch of ids")
    if len(listed) != rows:
        raise LengthMismatch("the batch", rows, "ids", len(listed))
    names = tuple(_id(value, row) for row, value in enumerate(listed))
    if len(set(names)) < len(names):
        known = set[str]()
        raise IdRepeated(next(name for name in names if name in known or known.add(name)))
    return names


def _id(value: object, row: int) -> str:
    if value is None or isinstance(value, float | bool | bytes) or not str(value):
        raise ValueForbidden("id", "a text or a whole number", value, row)
    name = str(value)
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueForbidden("id", "text that UTF-8 can hold", value, row) from error
    return name


def checked_kinds(values: Labels, target: Target, task: Task | None, what: str = "label") -> None:
    """Refuse labels of another kind than the classes: texts, or numbers and truths.

    Where the task was *said* to be binary, a third class is refused too.
    """
    if target.task == "regression" or not target.classes:
        return
    text = isinstance(target.classes[0], str)
    for row, value in enumerate(values):
        if isinstance(value, str) is not text:
            kind = "a text" if text else "a number or a truth"
            raise ValueForbidden(what, f"{kind}, as the classes {_some(target)}", value, row)
        if task == "binary" and value not in target.classes[:2] and len(target.classes) > 1:
            rule = f"one of {_some(target)} (the task is binary)"
            raise ValueForbidden(what, rule, value, row)


def _some(target: Target) -> list[Scalar]:
    return list(target.classes[:2])


def checked_source(source: object) -> str:
    """Return where labels come from, as a text."""
    if not isinstance(source, str) or not source or len(source) > _LONGEST_SOURCE:
        raise SettingInvalid("source", f"a text of 1 to {_LONGEST_SOURCE} characters", source)
    return source


def checked_ratings(ratings: Sequence[object]) -> list[float]:
    """Return ratings as finite numbers."""
    found: list[float] = []
    for row, value in enumerate(ratings):
        try:
            number = float(cast("Any", value))
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise ValueForbidden("rating", "a finite number", value, row)
        found.append(number)
    return found


def checked_event(event: Event) -> Mapping[str, object]:
    """Return an event from outside as JSON; what Ratoon itself reports nobody else can."""
    for name in ("type", "source", "id", "subject"):
        value = getattr(event, name)
        if not isinstance(value, str) and not (name == "subject" and value is None):
            raise SettingInvalid(f"event {name}", "a text", value)
    if event.type in EVENT_TYPES and event.type not in (REQUESTED, ROLLBACK_REQUESTED):
        raise SettingInvalid("event type", "none of those that Ratoon itself reports", event.type)
    try:
        return cast("Mapping[str, object]", to_json(event))
    except TypeError as error:
        raise SettingInvalid("event data", f"JSON ({error})", event.data) from error


def check_settings(policy: Policy, target: Target, rows: Rows) -> None:
    """Refuse metrics, a gate or a rollout that do not fit the task, before there is a model.

    Args:
        policy: with the settings.
        target: what is predicted.
        rows: of the history, one at least.

    Raises:
        SettingInvalid: which one, and why.
    """
    width = len(target.classes)
    if target.task != "regression" and width <= 1:
        return  # nothing to choose from: the run will say so
    scores = None if target.task == "regression" else np.full((_MADE_UP, width), 1 / width)
    zeros = np.zeros(_MADE_UP)
    said = Scored(outputs=zeros, scores=scores)
    read = narrowed(rows, columns_read(policy.metrics))
    first = None if read is None else read.take(np.zeros(_MADE_UP, dtype=np.intp))
    check_judges(policy, Judged(target=target, labels=zeros, scored=said, features=first))


def check_judges(policy: Policy, judged: Judged) -> None:
    """Refuse answers that a metric, the gate or the rollout of the policy cannot judge.

    A metric of a person's own may fail on a few rows for reasons of its own; that is no refusal.

    Raises:
        MetricNeedsColumn: a metric needs scores or features that the answers do not have.
        SettingInvalid: a metric does not fit the task, or there is none for the gate.
    """
    window = Window(start=EPOCH, end=EPOCH)
    for ask in (_measured, _gated, _watched):
        try:
            ask(policy, judged, window)
        except (MetricNeedsColumn, SettingInvalid):
            raise
        except Exception:  # noqa: BLE001, S112 - a person's own metric, tried on too few rows
            continue


def _measured(policy: Policy, judged: Judged, window: Window) -> None:
    for metric in policy.metrics:
        metric.measure(judged, window)


def _gated(policy: Policy, judged: Judged, window: Window) -> None:
    baseline = {metric.name: metric.measure(judged, window) for metric in policy.metrics}
    gate = policy.accept_if
    gate.step(gate.init(baseline, judged.target), judged, judged)


def _watched(policy: Policy, judged: Judged, window: Window) -> None:
    if not policy.rollout.watch:
        return
    baseline = {metric.name: metric.measure(judged, window) for metric in policy.metrics}
    rollout = policy.rollout
    rollout.step(rollout.init(baseline, judged.target), judged, judged)
