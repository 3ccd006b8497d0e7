"""The tree of errors: what is drawn at its top, and what some of them say."""

from __future__ import annotations

import inspect
import re

from typer.main import get_command

from ratoon.cli import app
from ratoon.core import errors


def drawn() -> dict[str, str]:
    """Return the parent of each class, as the tree at the top of the module draws it."""
    found: dict[str, str] = {}
    above: list[str] = []
    for line in (inspect.getdoc(errors) or "").splitlines():
        place = re.match(r"^    ((?:│   |    )*(?:├── |└── )?)([A-Z]\w+)", line)
        if place is None:
            continue
        depth = len(place[1]) // 4
        above = [*above[:depth], place[2]]
        if depth:
            found[place[2]] = above[depth - 1]
    return found


def test_the_tree_is_as_it_is_drawn() -> None:
    """The tree at the top of the module has every error, below the one that it derives from."""
    classes = [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, errors.RatoonError)
    ]
    assert drawn() == {
        kind.__name__: kind.__bases__[0].__name__
        for kind in classes
        if kind is not errors.RatoonError
    }


def test_a_busy_loop_names_commands_that_are_there() -> None:
    """Who meets a running loop is told of commands that work beside it, and they exist."""
    hint = errors.LoopBusy("fraud", ".ratoon").hint
    named = set(re.findall(r"`(?:ratoon )?(\w+)`", hint))
    group = get_command(app())
    assert {"record", "label", "feedback", "emit", "retrain", "rollback"} == named
    assert named <= set(getattr(group, "commands"))  # noqa: B009 - its type says nothing of them


def test_unknown_predictions_are_listed() -> None:
    """All unknown ids are in the error; its text names the first, and counts the others."""
    one, three = errors.PredictionsUnknown(("a",)), errors.PredictionsUnknown(("a", "b", "c"))
    assert one.fact == "feedback on prediction 'a', which is unknown"
    assert three.fact == f"{one.fact} (2 more of the batch too)"
    assert three.row_ids == ("a", "b", "c")
    assert three.transient
