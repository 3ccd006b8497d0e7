"""What the code has, the pages document."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
from types import ModuleType

import pytest

import ratoon
from ratoon.core import EVENT_TYPES, errors
from ratoon.engine.definition import Definition
from tests.docs.pages import first_cells, read, sections, tables

PACKAGES = ["ratoon", *(f"ratoon.{m.name}" for m in pkgutil.iter_modules(ratoon.__path__))]
ELSEWHERE = {"ratoon.cli"}  # docs/cli.md is generated and compared by a test of its own


def named(path: str) -> object:
    """Return what a dotted path leads to."""
    module, _, name = path.rpartition(".")
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        return getattr(importlib.import_module(module), name)


def documented() -> list[str]:
    """Return the paths that the reference documents."""
    return re.findall(r"^::: ([\w.]+)$", read("docs/reference.md"), re.MULTILINE)


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names(package: str) -> None:
    """Every public name is in the reference, under one path of it."""
    if package in ELSEWHERE:
        return
    module = importlib.import_module(package)
    known = [named(path) for path in documented()]
    missing = [
        name
        for name in module.__all__
        if name != "__version__"
        and not isinstance(getattr(module, name), ModuleType)
        and not any(getattr(module, name) is one for one in known)
    ]
    assert not missing


def test_reference_names_once() -> None:
    """The reference documents each path once, and each is public."""
    paths = documented()
    assert len(paths) == len(set(paths))
    for path in paths:
        package, _, name = path.rpartition(".")
        if path not in PACKAGES:
            assert name in importlib.import_module(package).__all__, path


def test_rooms_are_told() -> None:
    """Every module that `import ratoon as rt` offers is told of in the reference."""
    rooms = [name for name in ratoon.__all__ if isinstance(getattr(ratoon, name), ModuleType)]
    assert [room for room in rooms if f"`rt.{room}`" not in read("docs/reference.md")] == []


def test_event_types() -> None:
    """The page on events lists every type of event, once, with what it says."""
    rows = {row[0].strip("`"): row for table in tables(read("docs/events.md")) for row in table}
    assert set(rows) == set(EVENT_TYPES)
    assert len(first_cells("docs/events.md")) == len(EVENT_TYPES)
    assert all(cell for row in rows.values() for cell in row)


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_event_is_told_as_in_the_code(kind: str) -> None:
    """The page says of a type what the code says of it, perhaps more."""
    rows = {row[0].strip("`"): row for table in tables(read("docs/events.md")) for row in table}
    assert rows[kind][1].startswith(EVENT_TYPES[kind])


def error_classes() -> set[str]:
    """Return the names of all errors of the tree."""
    found = vars(errors).values()
    return {c.__name__ for c in found if inspect.isclass(c) and issubclass(c, errors.RatoonError)}


def test_errors() -> None:
    """The page on errors lists every error, once, with its cause and its cure."""
    rows = [row for table in tables(read("docs/errors.md")) for row in table]
    assert sorted(row[0].strip("`") for row in rows) == sorted(error_classes())
    assert all(len(row) == 3 and all(row) for row in rows)


def test_errors_of_bad_input() -> None:
    """The page on bad input names no error that is not there."""
    outcomes = [row[1] for table in tables(read("docs/bad-input.md")) for row in table]
    found = {name for outcome in outcomes for name in re.findall(r"`([A-Z]\w+)`", outcome)}
    assert found
    assert found <= error_classes()


def test_triggers_have_examples() -> None:
    """Every trigger has a section on the page of triggers, with an example that uses it."""
    told = sections(read("docs/triggers.md"))
    for name in ratoon.triggers.__all__:
        kind = getattr(ratoon.triggers, name)
        if name == "Trigger" or not hasattr(kind, "fires"):
            continue
        assert f"rt.triggers.{name}(" in told[name].partition("```python")[2], name


@pytest.mark.parametrize("room", ["gates", "metrics", "detectors", "rollouts", "windows"])
def test_choices_are_linked(room: str) -> None:
    """Every choice for a setting of a loop has a docstring with its summary and its settings."""
    module = getattr(ratoon, room)
    for name in module.__all__:
        kind = getattr(module, name)
        assert inspect.getdoc(kind), name
        if dataclasses.is_dataclass(kind) and name in read("docs/how-it-decides.md"):
            assert any(path.endswith(f".{name}") for path in documented())


def test_loop_tells_its_settings() -> None:
    """Every setting of a loop is explained in the docstring of `Loop`, and no other."""
    told = (inspect.getdoc(ratoon.Loop) or "").partition("Args:")[2].partition("Example:")[0]
    named_there = re.findall(r"^    (\w+): ", told, re.MULTILINE)
    assert sorted(named_there) == sorted(f.name for f in dataclasses.fields(Definition))


def test_demo_tells_its_policy() -> None:
    """The page on the demo names the triggers that the demo runs with."""
    ran = re.findall(r"retrain_when=(.+ \| .+),$", read("src/ratoon/demo/running.py"), re.MULTILINE)
    assert len(ran) == 1
    assert f"`{ran[0]}`" in read("docs/demo.md").replace("\\|", "|")


def test_glossary_is_sorted() -> None:
    """The words of each table of the glossary stand in order, and each stands once."""
    for table in tables(read("docs/glossary.md")):
        words = [row[0] for row in table]
        assert words == sorted(words, key=str.lower)
    every = first_cells("docs/glossary.md")
    assert len(every) == len(set(every))


def test_glossary_has_the_nouns() -> None:
    """Every noun of the core, and every extension point, is linked from the glossary."""
    linked = set(re.findall(r"reference\.md#ratoon\.([\w.]+)", read("docs/glossary.md")))
    names = {path.rpartition(".")[2] for path in linked}
    nouns = set(ratoon.core.__all__) - {"EVENT_TYPES", "STEPS", "Json"}
    points = {"Trainer", "Metric", "Detector", "Trigger", "Gate", "Store", "Executor", "Deployer"}
    assert nouns | points <= names
