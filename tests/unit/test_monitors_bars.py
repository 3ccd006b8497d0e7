"""What a person sees of a column before and now, and what is said of a window hardly begun."""

from __future__ import annotations

import numpy as np
import pytest

import ratoon as rt
from ratoon.monitors.bars import bars_of
from ratoon.windows.summaries import reference_of


def test_new_categories_have_their_names() -> None:
    """A category that the reference lacks is drawn by its name, not among the others."""
    reference = reference_of({"c": np.array(["telephone"] * 8 + [None] * 2, dtype=object)})
    now = np.array(["telephone", "cellular", "cellular", "fax"], dtype=object)
    found = bars_of(reference, "c", reference.summarise({"c": now}))
    assert found.names == ("telephone", "cellular", "fax", "missing")
    assert found.before == (0.8, 0.0, 0.0, 0.2)
    assert found.now == (0.25, 0.5, 0.25, 0.0)


def test_new_categories_beyond_those_that_are_drawn() -> None:
    """Of very many, the commonest are named, and the shares still add up."""
    reference = reference_of({"c": np.array(["old"] * 10, dtype=object)})
    texts = [f"new {i}" for i in range(90) for _ in range(1 + (i == 7))]
    found = bars_of(reference, "c", reference.summarise({"c": np.array(texts, dtype=object)}))
    assert {"old", "new 7", "others"} < set(found.names)
    assert sum(found.before) == pytest.approx(1)
    assert sum(found.now) == pytest.approx(1, abs=1e-4)


def test_a_number_that_stood_still() -> None:
    """A column that had one value has that, and all others."""
    reference = reference_of({"x": np.zeros(10)})
    found = bars_of(reference, "x", reference.summarise({"x": np.array([0.0, 0.0, 1.0, 2.0])}))
    assert (found.names, found.before, found.now) == (("0", "others"), (1.0, 0.0), (0.5, 0.5))


def test_a_window_hardly_begun() -> None:
    """The notes say so where the newest window has far fewer rows than the others."""
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=2100)}
    told = "The newest window has 100 rows, where windows usually have 500"
    found = rt.monitor(columns, {"a": rng.normal(size=1000)}, window=500)
    assert any(note.startswith(told) for note in found.notes)
    whole = rt.monitor({"a": columns["a"][:2000]}, {"a": rng.normal(size=1000)}, window=500)
    assert not any("newest window has" in note for note in whole.notes)
