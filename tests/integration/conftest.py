"""A loop that has begun, for the tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ratoon as rt
from tests.integration.engine_loops import fitted, ids_of, labels_of, rows_of


@pytest.fixture(params=["memory", "sqlite"])
def begun(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[rt.Loop]:
    """Return a loop that was fitted, with ten predictions of which five are labelled."""
    found = fitted(**({"home": tmp_path} if request.param == "sqlite" else {}))
    found.predict(rows_of(60, 70), ids=ids_of(60, 70))
    found.label(ids_of(60, 65), labels_of(60, 65))
    found.feedback(["p60"], ratings=[-1])
    yield found
    found.close()
