"""What a type checker tells a person who writes a loop. Checked by `make check`, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, assert_type

import numpy as np

import ratoon as rt
from ratoon.core import Decision, Event, Measurement, ModelVersion, Run
from ratoon.engine import Status
from ratoon.stores import Receipt


class Fitted:
    """A model of a person's own; it needs no base class."""

    def predict(self, rows: Any) -> Any:
        """Answer."""
        return np.zeros(len(rows))


def train(data: rt.DatasetSnapshot) -> Fitted:
    """Fit a model: the annotations are those that a person would write."""
    assert_type(len(data), int)
    assert_type(data.digest, str)
    return Fitted()


def no_trainer(rows: str) -> Fitted:
    """Take something that no loop gives."""
    assert rows
    return Fitted()


def made() -> rt.Loop:
    """Make a loop: it reads as the flow."""
    return rt.Loop(
        "fraud",
        trainer=train,
        metrics=[rt.metrics.LogLoss(), rt.metrics.F1()],
        retrain_when=rt.triggers.Drift()
        | rt.triggers.WorthIt(retrain_cost=200)
        | rt.triggers.On("pricing.changed")
        | rt.triggers.Every(days=30),
        accept_if=rt.gates.NotWorse("log_loss", margin=0.002),
        rollout=rt.rollouts.Direct(watch=2000),
        train_on=rt.windows.Chosen(candidates=(rt.windows.Everything(), rt.windows.SinceChange())),
        limits=rt.Limits(cooldown="6h", per_day=2),
    )


def goes_in(loop: rt.Loop) -> None:
    """Hand rows in, whatever they come in."""
    assert_type(loop.fit({"amount": [1.0, 2.0]}, [True, False]), ModelVersion)
    answers = loop.predict(np.zeros((3, 2)))
    assert_type(answers, rt.Predictions)
    assert_type(answers.ids, tuple[str, ...])
    assert_type(answers.version, int)
    assert_type(loop.record([{"amount": 1.0}], [True], ids=["a"], scores=[[0.1, 0.9]]), Receipt)
    assert_type(loop.label(answers.ids, [1, 0, 1], source="bank"), Receipt)
    assert_type(loop.feedback(["a"], ratings=[-1.0]), Receipt)
    assert_type(loop.emit("pricing.changed", {"by": 0.1}), Receipt)
    assert_type(loop.label(["a"], [1]).parked, int)


def comes_out(loop: rt.Loop) -> None:
    """Look at what is on record."""
    assert_type(loop.status(), Status)
    assert_type(loop.status().champion, ModelVersion | None)
    assert_type(loop.status().latest, Mapping[str, Measurement])
    assert_type(loop.events(), Sequence[Event])
    assert_type(loop.decisions(), Sequence[Decision])
    assert_type(loop.runs(), Sequence[Run])
    assert_type(loop.versions(), Sequence[ModelVersion])
    assert_type(loop.why(), str)
    assert_type(loop.rollback(to=1), int)
    assert_type(loop.settings(window=100), rt.Loop)
    with loop as opened:
        assert_type(opened, rt.Loop)


def tried(loop: rt.Loop) -> None:
    """Ask what a policy would have done."""
    history = rt.History.of_table({"x": [1.0]}, target="x", label_delay=timedelta(days=7))
    assert_type(history, rt.History)
    assert_type(rt.replay({"as it is": loop}, history, retrain_cost=10), rt.ReplayReport)


def wrong(loop: rt.Loop) -> None:
    """Write what a type checker finds before it is run."""
    rt.Loop("fraud", trainer=no_trainer)  # pyright: ignore[reportArgumentType]
    rt.Loop("fraud")  # pyright: ignore[reportCallIssue]
    rt.Loop("fraud", trainer=train, metrics=["f1"])  # pyright: ignore[reportArgumentType]
    rt.Loop("fraud", trainer=train, autonomy="alone")  # pyright: ignore[reportArgumentType]
    loop.label(["a"], [1], sources="bank")  # pyright: ignore[reportCallIssue]
    loop.name = "other"  # pyright: ignore[reportAttributeAccessIssue]
