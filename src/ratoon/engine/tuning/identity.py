"""What the costs of a search depend on, as a name: where it is another one, nothing is reused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import fields
from importlib import metadata
from typing import Any

from ratoon.core import wire
from ratoon.core.times import micros
from ratoon.engine import steps
from ratoon.engine.definition import Definition
from ratoon.engine.history import Arrival, History
from ratoon.engine.loop import Loop
from ratoon.engine.tuning.benching import Bench
from ratoon.engine.tuning.lines import settings_line
from ratoon.engine.tuning.space import Family
from ratoon.windows.snapshot import digest

_OTHERWISE = ("name", "retrain_when", "trainer")  # counted in another way
_NOT_COMPARED = ("home", "tables", "autonomy", "store", "vault", "clock", "executor", "notifier")


def study_name(loop: Loop, bench: Bench, families: Sequence[Family], seed: int) -> str:
    """Return the name of a study: another one where a cost may be another one.

    Code that a trainer calls is not looked at: where that has changed, a search begins anew only
    when it is told to.
    """
    left_out = (*_OTHERWISE, *_NOT_COMPARED)
    kept = [one.name for one in fields(Definition) if one.init and one.name not in left_out]
    parts = {
        "history": _of_history(bench.history),
        "settings": {name: _plain(getattr(loop, name)) for name in kept},
        "loop": settings_line({"retrain_when": loop.retrain_when}),
        "trainer": [steps.code_digest(loop.trainer), _plain(loop.trainer)],
        "space": [[_plain(one), steps.code_digest(one.make)] for one in families],
        "cost": bench.retrain_cost,
        "takes_s": bench.training_takes.total_seconds(),
        "seed": seed,
        "ratoon": metadata.version("ratoon"),
    }
    found = hashlib.sha256(wire.dumps(parts).encode()).hexdigest()
    return f"{loop.name}-{found[:20]}"


def _plain(value: object) -> str:
    """Return a representation without addresses in memory."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def _of_history(history: History) -> str:
    """Return a digest of all that arrives."""
    found = hashlib.sha256(digest(history.rows, history.labels).encode())
    found.update(history.times.tobytes())
    for one in history.arrivals:
        found.update(wire.dumps(_of_arrival(one)).encode())
    return found.hexdigest()


def _of_arrival(one: Arrival) -> list[Any]:
    rows = None if one.rows is None else digest(one.rows, ())
    times = None if one.times is None else hashlib.sha256(one.times.tobytes()).hexdigest()
    event = None if one.event is None else wire.to_json(one.event)
    return [micros(one.at), one.kind, one.ids, rows, times, one.values, one.source, event]
