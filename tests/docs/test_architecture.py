"""What ARCHITECTURE.md says of floors and limits is so."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import sys
import tomllib
from typing import Any

import pytest

from tests.docs.pages import ROOT, read, sections, tables

CONFIG = tomllib.loads(read("pyproject.toml"))
CONTRACTS = {contract["id"]: contract for contract in CONFIG["tool"]["importlinter"]["contracts"]}
PARTS = sections(read("ARCHITECTURE.md"))
FLOORS = next(tables(PARTS["The floors"]))
LIMITS = next(tables(PARTS["Limits"]))
ADDED = next(tables(PARTS["Where do I add …?"]))


def packages(row: list[str]) -> list[str]:
    """Return the packages of a floor."""
    return re.findall(r"`(\w+)`", row[1])


def outside(package: str) -> set[str]:
    """Return what a package imports that is neither Ratoon nor the standard library."""
    found: set[str] = set()
    for path in (ROOT / "src" / "ratoon" / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found - {"ratoon", *sys.stdlib_module_names}


def test_floors_are_those_of_the_contract() -> None:
    """The table has the floors of the import contract, in its order."""
    layers = [re.split(r"\s*:\s*", layer) for layer in CONTRACTS["floors"]["layers"]]
    assert [packages(row) for row in FLOORS] == layers
    numbers = [int(row[0]) for row in FLOORS]
    assert numbers == sorted(numbers, reverse=True)


def test_pure_floors_are_those_of_the_contract() -> None:
    """The table marks the packages that the contract on purity covers."""
    pure = {f"ratoon.{name}" for row in FLOORS if row[2] == "yes" for name in packages(row)}
    assert pure == set(CONTRACTS["pure"]["source_modules"])


@pytest.mark.parametrize("row", FLOORS, ids=lambda row: row[1])
def test_imports_from_outside(row: list[str]) -> None:
    """The table names what the packages of a floor import from outside."""
    told = set(filter(None, re.split(r",\s*", row[3])))
    assert told == set[str]().union(*(outside(name) for name in packages(row)))


@pytest.mark.parametrize("row", LIMITS, ids=lambda row: row[0])
def test_limits(row: list[str]) -> None:
    """Each limit has the value that the code has."""
    assert limit(row[2].strip("`")) == int(row[1])


def limit(path: str) -> Any:
    """Return a module's constant, or the default of a class's setting."""
    parts = path.split(".")
    module = importlib.import_module(".".join(p for p in parts[:-1] if not p[0].isupper()))
    if len(parts) > 1 and parts[-2][0].isupper():
        return _default(getattr(module, parts[-2]), parts[-1])
    return getattr(module, parts[-1])


def _default(kind: Any, name: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return next(f.default for f in dataclasses.fields(kind) if f.name == name)
    return inspect.signature(kind).parameters[name].default


def test_where_to_add_names_what_is_there() -> None:
    """Each place and each file in the table of where to add things is there."""
    for _, where, must in ADDED:
        for path in re.findall(r"`([\w/]+(?:/|\.py|\.md))`", f"{where} {must}"):
            below_source = (ROOT / "src" / "ratoon" / path).exists()
            assert below_source or (ROOT / path).exists(), path
