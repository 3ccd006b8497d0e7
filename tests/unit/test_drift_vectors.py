"""Drift of texts and embeddings: found, shown by examples, and no alarm where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.drift.vectors import VectorTest, vectors_of

WINDOW = Window(start=EPOCH, end=EPOCH)
WORDS = [
    "late",
    "parcel",
    "refund",
    "order",
    "money",
    "back",
    "please",
    "help",
    "account",
    "login",
    "error",
    "card",
    "paid",
]


def texts(rng: np.random.Generator, rows: int, words: list[str]) -> np.ndarray:
    """Return sentences of six words."""
    return np.array([" ".join(rng.choice(words, 6)) for _ in range(rows)], dtype=object)


def embeddings(rng: np.random.Generator, rows: int, shift: float = 0.0) -> np.ndarray:
    """Return vectors with a mean, as embeddings have; four of 32 numbers are shifted."""
    found = rng.normal(size=(rows, 32)) + 0.5
    found[:, :4] += shift
    return found


@pytest.mark.parametrize("kind", ["texts", "embeddings"])
def test_stationary_windows(kind: str) -> None:
    """Whatever the effect, alarms come in no more of the windows without drift than stated."""
    rng = np.random.default_rng(0)
    runs = 25
    test = VectorTest(
        separability=0.5 + 1e-9, discrepancy=1e-9, cosine=1e-12, false_alarms=0.05, rows=150
    )
    alarms = 0
    for _ in range(runs):
        if kind == "texts":
            sides = texts(rng, 150, WORDS), texts(rng, 100, WORDS)
        else:
            sides = embeddings(rng, 150), embeddings(rng, 100)
        alarms += test.compare(*sides, WINDOW, "x").drifted
    assert alarms <= scipy.stats.binom(runs, 0.05).ppf(1 - 1e-4)


def test_new_words_are_found_and_shown() -> None:
    """Texts about something new are found in every respect, and the examples show them."""
    rng = np.random.default_rng(1)
    old, new = texts(rng, 800, WORDS), texts(rng, 500, [*WORDS[2:], "bitcoin", "crash"])
    found = VectorTest().compare(old, new, WINDOW, "message")
    assert found
    assert {change.aspect for change in found.changes if change.drifted} == {
        "separability",
        "joint distribution",
        "mean vector",
    }
    assert {change.column for change in found.changes} == {"message"}
    assert len(found.new) == len(found.gone) == 5
    for example in found.new:
        assert example.text == new[example.row]
        assert "bitcoin" in example.text or "crash" in example.text
        assert example.typical > 0.9
    for example in found.gone:
        assert example.text == old[example.row]
        assert "late" in example.text or "parcel" in example.text


def test_each_text_is_shown_once() -> None:
    """Of many copies of one text one is shown."""
    rng = np.random.default_rng(2)
    new = np.array(["win a prize now"] * 100 + ["a lottery for you"] * 100, dtype=object)
    found = VectorTest().compare(texts(rng, 200, WORDS), new, WINDOW, "message")
    assert found
    assert {example.text for example in found.new} == set(new)


def test_embeddings_that_move() -> None:
    """Vectors of which four numbers move are told apart; those that are missing are left out."""
    rng = np.random.default_rng(3)
    before, now = embeddings(rng, 1000), embeddings(rng, 600, shift=0.7)
    now[0], now[1, 3] = np.nan, np.inf
    found = VectorTest().compare(before, now, WINDOW, "embedding")
    assert found
    assert found.drifted
    assert found.changes[0].measurement.n == 598
    assert not {example.row for example in found.new} & {0, 1}
    assert found.new[0].text is None


def test_arrow() -> None:
    """Lists of Arrow, chunked or not, and texts of Arrow give what arrays give."""
    rng = np.random.default_rng(4)
    before, now = embeddings(rng, 200), embeddings(rng, 100, shift=1.0)

    def lists(rows: np.ndarray) -> Any:
        return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])

    test = VectorTest(rows=100)
    found = test.compare(before, now, WINDOW, "x")
    assert found == test.compare(lists(before), lists(now), WINDOW, "x")
    halves = pa.chunked_array([lists(before[:90]), lists(before[90:])])
    assert found == test.compare(halves, lists(now), WINDOW, "x")
    with_gaps = pa.array([None, *lists(now).to_pylist()], pa.list_(pa.float64(), 32))
    gaps = test.compare(lists(before), with_gaps, WINDOW, "x")
    assert gaps
    assert gaps.changes[0].measurement.n == 100
    old, new = texts(rng, 100, WORDS), texts(rng, 90, WORDS[6:])
    new[3] = None
    same = test.compare(old, new, WINDOW, "x")
    assert same == test.compare(pa.array(old), pa.array(new), WINDOW, "x")
    assert same
    assert same.changes[0].measurement.n == 89


def test_cosine_distance() -> None:
    """The distance of the means is scipy's, its standard error the spread over samples."""
    rng = np.random.default_rng(5)
    found, peers = [], []
    test = VectorTest(rows=10_000, examples=0)
    for _ in range(40):
        before, now = embeddings(rng, 300), embeddings(rng, 200, shift=1.0)
        changes = test.compare(before, now, WINDOW, "x").changes  # type: ignore[union-attr]
        found.append(next(c for c in changes if c.aspect == "mean vector"))
        peers.append(scipy.spatial.distance.cosine(before.mean(axis=0), now.mean(axis=0)))
    values = [change.measurement.value for change in found]
    assert values == pytest.approx(peers)
    said = np.mean([change.measurement.stderr for change in found])
    assert said == pytest.approx(np.std(values), rel=0.4)
    true = scipy.spatial.distance.cosine([0.5] * 32, [1.5] * 4 + [0.5] * 28)
    assert np.mean([change.effect for change in found]) == pytest.approx(true, rel=0.05)
    assert np.mean(values) > np.mean([change.effect for change in found])


def test_texts_become_vectors() -> None:
    """Like texts have like vectors, of length 1, and the same ones each time."""
    found = vectors_of(np.array(["refund my order", "refund my orders", "¿dónde está?"], object))
    assert found == pytest.approx(
        vectors_of(pa.array(["refund my order", "refund my orders", "¿dónde está?"]))
    )
    assert (found**2).sum(axis=1) == pytest.approx(1)
    assert found[0] @ found[1] > 0.8
    assert found[0] @ found[2] < 0.3


def test_too_few_rows_and_settings() -> None:
    """Of fewer than 40 rows nothing is said, and settings that make no sense are refused."""
    rng = np.random.default_rng(6)
    assert VectorTest().compare(embeddings(rng, 100), embeddings(rng, 39), WINDOW, "x") is None
    for wrong in (
        {"separability": 0.5},
        {"discrepancy": 0},
        {"cosine": 0},
        {"false_alarms": 1},
        {"rows": 39},
        {"folds": 1},
        {"examples": -1},
        {"seed": -1},
    ):
        with pytest.raises(SettingInvalid):
            VectorTest(**wrong)  # type: ignore[arg-type]
