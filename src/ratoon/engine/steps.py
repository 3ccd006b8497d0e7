"""The steps of a run up to its model: collect, check, prepare, train, evaluate."""

from __future__ import annotations

import hashlib
import inspect
import platform
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from importlib import metadata
from tokenize import TokenError
from typing import Any

from ratoon.core.deciding import SnapshotPlan
from ratoon.core.errors import DataUnfit
from ratoon.core.running import Run, RunStatus, Step
from ratoon.core.schema import Schema
from ratoon.core.wire import Json, to_json
from ratoon.engine.evidence import features
from ratoon.engine.pinning import hashed
from ratoon.executors.protocol import Trainer
from ratoon.policies.champions import window_of
from ratoon.stores.protocol import LabelledRows
from ratoon.windows.judged import Target
from ratoon.windows.labels import distinct, extended
from ratoon.windows.snapshot import DatasetSnapshot
from ratoon.windows.weights import effective, weights_of

_PACKAGES = ("ratoon", "numpy", "scipy", "scikit-learn", "pandas", "polars")


def collect(
    found: LabelledRows, schema: Schema, target: Target, plan: SnapshotPlan
) -> DatasetSnapshot:
    """Pin the rows to train on, with their weights where the plan gives them some."""
    rows = features(found.columns, schema)
    times = found.columns["time"]
    weights = weights_of(plan.choices[0], times) if plan.choices else None
    return DatasetSnapshot(
        digest=hashed(rows, found.values, weights),
        features=rows,
        labels=found.values,
        target=extended(target, found.values),
        window=window_of(times, plan.train),
        plan=plan,
        weights=weights,
    )


def check(snapshot: DatasetSnapshot) -> str:
    """Refuse data that nothing can be learned from; return what was found, in words."""
    if len(snapshot) < 2:  # noqa: PLR2004 - one row teaches nothing
        raise DataUnfit(f"the snapshot has {len(snapshot)} rows to train on")
    kinds = len(distinct(snapshot.labels))
    if snapshot.target.task != "regression" and kinds < 2:  # noqa: PLR2004 - one class is no choice
        raise DataUnfit(
            f"all {len(snapshot)} labels to train on are {snapshot.labels[0]!r}: one class",
            hint="more labels, or another rule in train_on, bring the other classes",
        )
    return f"{len(snapshot)} rows, {len(snapshot.schema.columns)} features, {kinds} distinct labels"


def done(
    run: Run,
    name: str,
    started: datetime,
    ended: datetime,
    *,
    read: Mapping[str, Json] | None = None,
    wrote: Mapping[str, Json] | None = None,
    decided: str | None = None,
) -> Run:
    """Return the run with one more step."""
    step = Step(
        name=name,
        started_at=started,
        ended_at=ended,
        read=read or {},
        wrote=wrote or {},
        decided=decided,
    )
    return replace(run, steps=(*run.steps, step))


def ended(run: Run, status: RunStatus, error: str | None = None) -> Run:
    """Return the run with another status."""
    return replace(run, status=status, error=error or run.error)


def wrote(run: Run, step: str, name: str) -> Any:
    """Return what a step of the run wrote; None where it has not been done."""
    found = next((s for s in reversed(run.steps) if s.name == step), None)
    return None if found is None else found.wrote.get(name)


def environment() -> Mapping[str, Json]:
    """Return the versions of Python and of the libraries that matter for a model."""
    found: dict[str, Json] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def code_digest(trainer: Trainer) -> str | None:
    """Return the SHA-256 of the trainer's source; None where it has none."""
    try:
        source = inspect.getsource(trainer)
    except (OSError, TypeError, SyntaxError, TokenError):  # none, or the file has changed
        return None
    return hashlib.sha256(source.encode()).hexdigest()


def pinned(snapshot: DatasetSnapshot) -> Mapping[str, Json]:
    """Return how a run names its snapshot."""
    plan, weights = snapshot.plan, snapshot.weights
    lean = replace(plan, choices=tuple(replace(c, weights=None) for c in plan.choices))
    found: dict[str, Json] = {
        "snapshot": snapshot.digest,
        "rows": len(snapshot),
        "plan": to_json(lean),
    }
    if weights is not None:
        found["effective_rows"] = effective(len(snapshot), weights)
    return found
