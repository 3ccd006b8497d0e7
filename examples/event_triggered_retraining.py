"""Event-triggered retraining: a drift, a business event and a person, each with its decision.

A model tells species of Iris apart. From one day on the names are shifted by one (setosa is called
versicolor, and so on): simulated concept drift, the flowers stay as they are. When the accuracy is
more than 10 % below what it was at first, the loop retrains on old plus new rows. These contradict
each other, so it trains on the new rows alone as well, and keeps the better model of the two.

Iris has 150 rows, too few for a stream, and drawing them again and again would judge a model on
copies of rows that it was trained on. So the flowers here are simulated: a species by chance, and
measurements from the normal distribution with the mean and the covariance of its 50 real flowers.

What the usual tutorial gets wrong: it puts the test rows into the training set and then reports the
accuracy on the test rows. Here each accuracy printed is that of answers given before their labels
were known. A business event and a request are no evidence either: they have a challenger trained,
and the champion stays unless the challenger was better on rows that neither was trained on.

Run it: python examples/event_triggered_retraining.py [--home DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

import ratoon as rt
from ratoon.core import Run

BATCH = 50


def train(data: rt.DatasetSnapshot) -> Any:
    """Fit a forest on the rows that the loop chose."""
    return RandomForestClassifier(50, random_state=0).fit(data.X, data.y)


def grow(chance: np.random.Generator, count: int, *, shifted: bool = False) -> Any:
    """Simulate flowers: their measurements, and the names of their species."""
    iris = load_iris()
    species = chance.integers(0, 3, count)
    rows = np.empty((count, 4))
    for kind in range(3):
        real, here = iris.data[iris.target == kind], species == kind
        rows[here] = chance.multivariate_normal(real.mean(axis=0), np.cov(real.T), here.sum())
    return rows, iris.target_names[(species + shifted) % 3].tolist()


def live(loop: rt.Loop, flowers: Any) -> None:
    """Answer flower after flower, label them later; print how often which version was right."""
    rows, names = flowers
    right: dict[int, list[bool]] = {}
    for start in range(0, len(rows), BATCH):
        answers = loop.predict(rows[start : start + BATCH])
        true = names[start : start + BATCH]
        right.setdefault(answers.version, []).extend(answers.outputs == np.array(true))
        loop.label(answers.ids, true)  # all that follows from the labels happens in this call
    for version, hits in right.items():
        print(f"  version {version}: accuracy {np.mean(hits):.3f} on {len(hits)} rows")


def tell(loop: rt.Loop, run: Run) -> None:
    """Print why there was a run, which rows it trained on, and what the gate said."""
    decision = next(d for d in loop.decisions() if d.id == run.decision_id)
    told = {step.name: step.decided for step in run.steps}
    print(f"  retrained: {', '.join(cause.reason for cause in decision.causes)}")
    print(f"    on {decision.plan.rule}: {told['train']}")
    print(f"    {told['gate']}")


def main(home: Path) -> None:
    """Tell the story."""
    chance = np.random.default_rng(2026)
    loop = rt.Loop(
        "iris",
        trainer=train,
        metrics=[rt.metrics.Accuracy()],
        retrain_when=rt.triggers.Degraded("accuracy", by=0.1) | rt.triggers.On("supplier.changed"),
        accept_if=rt.gates.Better("accuracy", patience=200),
        train_on=rt.windows.Chosen(least=100),  # old plus new rows, or the new alone
        window=BATCH,
        home=home,
    )
    print("The first model")
    first = loop.fit(*grow(chance, 300)).baseline[0]
    print(f"  validation: accuracy {first.value:.3f} on {first.n} rows")
    print("Before the drift")
    live(loop, grow(chance, 300))
    print("The names are shifted")
    live(loop, grow(chance, 500, shifted=True))
    tell(loop, loop.runs()[-1])
    print("A business event: another supplier")
    loop.emit("supplier.changed", {"to": "another nursery"}, source="shop")
    live(loop, grow(chance, 300, shifted=True))
    tell(loop, loop.runs()[-1])
    print("A person asks")
    loop.retrain("before the season", by="ana")
    live(loop, grow(chance, 300, shifted=True))
    tell(loop, loop.runs()[-1])
    print(f"The champion is version {loop.status().champion.number}")
    loop.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, help="a folder to keep; by default a temporary one")
    given = parser.parse_args().home
    with tempfile.TemporaryDirectory() as folder:
        main(given or Path(folder))
