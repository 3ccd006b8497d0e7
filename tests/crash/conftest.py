"""What the crash tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def mounts() -> Iterator[list[Path]]:
    """Return a list for the folders that are to be unmounted in the end."""
    mounted: list[Path] = []
    yield mounted
    for folder in reversed(mounted):
        subprocess.run(["umount", "-l", folder], check=False)
