"""A process that fills a loop's store, and says what was acknowledged, a line each.

Run as ``python -m tests.crash.store_writer HOME FIRST``: predictions are numbered from FIRST on;
every third batch is labelled late, every fifth comes twice, and the tables are filled all the time.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from ratoon.core.errors import StoreUnwritable
from ratoon.stores.folder import open_folder
from ratoon.stores.local import LocalStore
from ratoon.testing.drafts import labels, predicted, predictions

ROWS = 5
NAME = "power"


def ids_of(batch: int) -> list[str]:
    """Return the ids of a batch of predictions."""
    return [f"p{batch}-{row}" for row in range(ROWS)]


def values_of(batch: int) -> list[int]:
    """Return the labels of a batch of predictions."""
    return [(batch + row) % 2 for row in range(ROWS)]


def say(what: str, batch: int) -> None:
    """Tell what has been acknowledged."""
    os.write(1, f"{what} {batch}\n".encode())


def fill(store: LocalStore, first: int) -> None:
    """Append without end."""
    batch = first
    while True:
        draft = predictions(ids_of(batch), predicted(ROWS, shift=batch * ROWS))
        store.append(draft)
        say("predicted", batch)
        if batch % 5 == 0:
            assert store.append(draft).repeated == ROWS
        late = batch - 3
        if batch % 3 == 0 and late >= first:
            store.append(labels(ids_of(late), values_of(late)))
            say("labelled", late)
        batch += 1


def flush_for_ever(store: LocalStore) -> None:
    """Bring rows to the tables again and again."""
    while True:
        try:
            store.flush()
        except Exception:  # noqa: BLE001 - the disk is gone, and the other thread will say so
            return


def main(home: Path, first: int) -> None:
    """Fill the store until the disk is gone."""
    store = open_folder(home, NAME)
    threading.Thread(target=flush_for_ever, args=(store,), daemon=True).start()
    try:
        fill(store, first)
    except StoreUnwritable:
        os._exit(3)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
