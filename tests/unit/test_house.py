"""The contracts on imports hold, and break when somebody breaks them."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "ratoon"
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {contract["id"]: contract for contract in CONFIG["tool"]["importlinter"]["contracts"]}

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
LINT_LIMIT_S = 120


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Copy the package and its contracts, to be broken."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(
        SOURCE, tmp_path / "src" / "ratoon", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path


def lint(house: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the copy in `house`."""
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--no-logo"],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=LINT_LIMIT_S,
        check=False,
    )


def test_contracts_hold(house: Path) -> None:
    """The package as it stands keeps every contract."""
    result = lint(house)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("contract", "file", "line"),
    [
        pytest.param("floors", "core/bad.py", "import ratoon.engine", id="upward"),
        pytest.param("floors", "windows/bad.py", "from ratoon import cli", id="from-the-root"),
        pytest.param("floors", "gates/bad.py", "import ratoon.policies", id="one-floor-up"),
        pytest.param("floors", "unlisted/__init__.py", "", id="unlisted-package"),
        pytest.param("floors", "unlisted.py", "", id="unlisted-module"),
        pytest.param("pure", "policies/bad.py", "import time", id="clock"),
        pytest.param("pure", "metrics/bad.py", "from random import choice", id="chance"),
        pytest.param("pure", "detectors/bad.py", "import sqlalchemy", id="database"),
        pytest.param("pure", "rollouts/bad.py", "import os.path", id="files"),
        pytest.param("core", "core/bad.py", "import numpy as np", id="third-party-in-core"),
        pytest.param("vendors", "deployers/bad.py", "import boto3", id="vendor-outside"),
    ],
)
def test_contract_breaks(house: Path, contract: str, file: str, line: str) -> None:
    """A bad import, and a package that has no floor, break the contract that forbids it."""
    bad = house / "src" / "ratoon" / file
    bad.parent.mkdir(exist_ok=True)
    bad.write_text(f'"""Breaks a contract."""\n\n{line}\n', encoding="utf-8")
    result = lint(house)
    assert result.returncode != 0
    assert f"{CONTRACTS[contract]['name']} BROKEN" in result.stdout
    assert "bad" in result.stdout or "unlisted" in result.stdout


def test_cycle_breaks(house: Path) -> None:
    """Two modules of one package that import each other break the contract on cycles."""
    engine = house / "src" / "ratoon" / "engine"
    for name, other in (("one_bad", "two_bad"), ("two_bad", "one_bad")):
        line = f'"""Half of a cycle."""\n\nfrom ratoon.engine import {other}\n'
        (engine / f"{name}.py").write_text(line, encoding="utf-8")
    result = lint(house)
    assert result.returncode != 0
    assert f"{CONTRACTS['acyclic']['name']} BROKEN" in result.stdout
    assert "one_bad" in result.stdout


def test_vendor_allowed_in_integrations(house: Path) -> None:
    """An adapter in the integrations may import its vendor's SDK."""
    adapter = house / "src" / "ratoon" / "integrations" / "some_vendor.py"
    adapter.write_text('"""An adapter."""\n\nimport boto3\n', encoding="utf-8")
    result = lint(house)
    assert result.returncode == 0, result.stdout + result.stderr


def test_core_is_standard_library() -> None:
    """The core imports the standard library and itself, whatever the contract lists."""
    allowed = {*sys.stdlib_module_names, "ratoon"}
    found = {
        f"{path.name}: {name}"
        for path in sorted((SOURCE / "core").rglob("*.py"))
        for name in imported(path)
        if name.split(".")[0] not in allowed
    }
    assert not found


def test_core_contract_lists_dependencies() -> None:
    """The contract on the core forbids every dependency that Ratoon declares."""
    declared = {
        canonicalize_name(Requirement(text).name) for text in CONFIG["project"]["dependencies"]
    }
    modules = {
        module
        for module, owners in packages_distributions().items()
        if not module.startswith("_") and declared & {canonicalize_name(owner) for owner in owners}
    }
    assert modules <= set(CONTRACTS["core"]["forbidden_modules"])


def test_vendor_contract_lists_packages() -> None:
    """The contract on vendors covers every package but the integrations."""
    packages = {f"ratoon.{path.parent.name}" for path in SOURCE.glob("*/__init__.py")}
    assert packages - {"ratoon.integrations"} == set(CONTRACTS["vendors"]["source_modules"])


def imported(path: Path) -> Iterator[str]:
    """Yield the modules that the file at `path` imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
