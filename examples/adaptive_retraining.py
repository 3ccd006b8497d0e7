"""Adaptive retraining: a model file in use is watched, and replaced only through the gate.

A service answers from one file. Its accuracy is measured as labels come; below 0.9 a challenger is
trained. The file is replaced when the challenger was better on rows that neither model was trained
on, and not before. Two stories on the 1,797 scanned digits that scikit-learn ships:

* From row 900 on every image is turned by 90 degrees. That can be learned, so a challenger wins.
* From row 900 on 150 labels are drawn at random, as after a faulty export. The accuracy falls just
  as low, but there is nothing to learn: challengers are trained, refused, and the file stays.

Both changes are simulated; the digits are real, and each row is used once, in a shuffled order.

What the usual tutorial gets wrong: it retrains on the new rows and reports the accuracy on those
same rows. That number goes up whatever happened, in the second story too. Here the file answers
each row before its label is known, only then may the row be trained on, and whoever judges a
challenger judges it on rows that are later than all that it was trained on.

Run it: python examples/adaptive_retraining.py [--home DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.datasets import load_digits
from sklearn.svm import SVC

import ratoon as rt
from ratoon.stores import FileVault

TRAINED, JUDGED, CHANGE, BATCH = 400, 600, 900, 50  # rows: up to here; a batch


def fit(rows: Any, labels: Any) -> Any:
    """Fit a model: the one in the first file, and every challenger."""
    return SVC(gamma=0.001).fit(rows, labels)


def live(home: Path, name: str, rows: Any, came: Any, true: Any) -> None:
    """Let the file answer row after row, and the loop watch it by the labels that `came`."""
    loop = rt.Loop(
        name,
        trainer=lambda data: fit(data.X, data.y),
        metrics=[rt.metrics.Accuracy()],
        retrain_when=rt.triggers.Degraded("accuracy", beyond=0.9),
        accept_if=rt.gates.Better("accuracy"),
        train_on=rt.windows.SinceChange(least=250),
        limits=rt.Limits(retry=150),
        window=BATCH,
        home=home,
    )
    file, answered = home / f"{name}.skops", []
    skops.io.dump(fit(rows[:TRAINED], came[:TRAINED]), file)
    judged = slice(TRAINED, JUDGED)  # the model in use never saw these rows
    in_use = loop.adopt(skops.io.load(file), rows[judged], came[judged]).number
    for start in range(JUDGED, len(rows), BATCH):
        batch = slice(start, start + BATCH)
        answers = skops.io.load(file).predict(rows[batch])
        answered += [(in_use, row, hit) for row, hit in enumerate(answers == true[batch], start)]
        ids = [f"scan-{row}" for row in range(start, start + len(answers))]
        loop.record(rows[batch], answers, ids=ids)
        loop.label(ids, came[batch])  # all that follows from the labels happens in this call
        champion = loop.status().champion
        if champion.number != in_use:
            replace(file, FileVault(home).model(champion.artifact))
            in_use = champion.number
    tell(loop, answered)
    loop.close()


def replace(file: Path, model: Any) -> None:
    """Write the model aside and rename it: whoever reads the file sees the old or the new one."""
    aside = file.with_suffix(".new")
    skops.io.dump(model, aside)
    aside.replace(file)


def tell(loop: rt.Loop, answered: list[tuple[int, int, bool]]) -> None:
    """Print how often the file was right, by the true labels, and what became of each run."""
    show("version 1, before", [hit for _, row, hit in answered if row < CHANGE])
    show(
        "version 1, after", [hit for number, row, hit in answered if number == 1 and row >= CHANGE]
    )
    for run in loop.runs()[1:]:
        cause = next(d for d in loop.decisions() if d.id == run.decision_id).causes[0]
        gate = next(step for step in reversed(run.steps) if step.name == "gate")
        print(f"  retrained: {cause.reason}")
        print(f"    {run.status}, {gate.decided}")
    for version in sorted({number for number, _, _ in answered} - {1}):
        show(f"version {version}", [hit for number, _, hit in answered if number == version])
    print(f"  the file holds version {loop.status().champion.number}")


def show(what: str, hits: list[bool]) -> None:
    """Print an accuracy, and on how many rows."""
    print(f"  {what:<18} accuracy {np.mean(hits):.3f} on {len(hits)} rows")


def main(home: Path) -> None:
    """Tell both stories."""
    home.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(2026)
    rows, labels = load_digits(return_X_y=True)
    order = chance.permutation(len(labels))
    rows, labels = rows[order], labels[order]

    print("The images are turned by 90 degrees")
    turned = np.rot90(rows.reshape(-1, 8, 8), axes=(1, 2)).reshape(rows.shape)
    turned[:CHANGE] = rows[:CHANGE]
    live(home, "turned", turned, labels, labels)

    print("150 labels are drawn at random, the images stay")
    wrong = labels.copy()
    wrong[CHANGE : CHANGE + 150] = chance.integers(0, 10, 150)
    live(home, "mixed_up", rows, wrong, labels)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, help="a folder to keep; by default a temporary one")
    given = parser.parse_args().home
    with tempfile.TemporaryDirectory() as folder:
        main(given or Path(folder))
