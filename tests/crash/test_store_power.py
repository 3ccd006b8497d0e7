"""A store whose process is killed, whose power is cut, whose disk is full, keeps what it took."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ratoon.core.errors import StoreFull
from ratoon.core.measuring import RowRange
from ratoon.stores.folder import open_folder, open_known
from ratoon.testing.drafts import labels, predicted, predictions
from tests.crash.images import cut, mount, new_image
from tests.crash.store_writer import NAME, ROWS, ids_of, values_of
from tests.crash.test_wal_power import first_lines

LIMIT_S = 120
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def filling(home: Path, first: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that fills the store until it is stopped."""
    command = [sys.executable, "-m", "tests.crash.store_writer", str(home), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def expect_all(home: Path, said: bytes) -> int:
    """Expect all rows that were acknowledged, with their contents, once; return how many."""
    told = [line.split() for line in said.split(b"\n")[:-1]]
    predicted_ones = {int(batch) for what, batch in told if what == b"predicted"}
    labelled_ones = {int(batch) for what, batch in told if what == b"labelled"}
    store = open_folder(home, NAME)
    try:
        assert list(store.verify()) == []
        asked = [row_id for batch in sorted(predicted_ones) for row_id in ids_of(batch)]
        found = store.predictions(asked)
        assert len(found) == len(asked)
        for batch in predicted_ones:
            for row, row_id in enumerate(ids_of(batch)):
                assert found[row_id]["feature:x"].tolist() == [batch * ROWS + row]
        rows = store.labelled(RowRange(start=0, stop=store.counts().labelled))
        labelled = dict(zip(rows.ids, rows.values, strict=True))
        assert len(labelled) == len(rows.ids)
        for batch in labelled_ones:
            assert [labelled[row_id] for row_id in ids_of(batch)] == values_of(batch)
        journal = [entry.seq for entry in store.entries(0)]
        assert journal == list(range(1, store.last_seq() + 1))
        entered = [row_id for e in store.entries(0) for row_id in e.draft.ids if e.draft.columns]
        assert len(entered) == len(set(entered)) == store.counts().predictions
    finally:
        store.close()
    return len(asked)


def next_batch(said: bytes) -> int:
    """Return a batch that nobody has sent."""
    return max(int(line.split()[1]) for line in said.split(b"\n")[:-1]) + 10


def test_killed(tmp_path: Path) -> None:
    """A process that is killed (SIGKILL) again and again, also while tables are written."""
    said = b""
    for round_ in range(3):
        with filling(tmp_path, next_batch(said) if said else 0) as process:
            said += first_lines(process, 60 + 40 * round_)
            process.send_signal(signal.SIGKILL)
            assert process.stdout
            said += process.stdout.read()
        assert expect_all(tmp_path, said) >= 60


def test_power_cut(tmp_path: Path, mounts: list[Path]) -> None:
    """The power is cut under a store on a real file system, time and again.

    What was acknowledged is there: in the write-ahead file, or in tables that are whole.
    """
    image = tmp_path / "0.img"
    new_image(image)
    said = b""
    for round_ in range(3):
        folder = tmp_path / f"mounted {round_}"
        mount(image, folder, mounts)
        with filling(folder / "home", next_batch(said) if said else 0) as process:
            said += first_lines(process, 50 + 33 * round_)
            copy = tmp_path / f"{round_ + 1}.img"
            said += cut(image, folder, process, copy)
        image = copy
    folder = tmp_path / "in the end"
    mount(image, folder, mounts)
    assert expect_all(folder / "home", said) >= 5 * 50


def test_disk_full(tmp_path: Path, mounts: list[Path]) -> None:
    """On a full disk what was acknowledged stays, reads go on, and writing resumes with room."""
    image = tmp_path / "small.img"
    new_image(image)
    folder = tmp_path / "mounted"
    mount(image, folder, mounts)
    store = open_folder(folder / "home", NAME)
    store.append(predictions(["first"], predicted(1)))
    filler = folder / "filler"
    fill(filler)
    kept = ["first"]
    with pytest.raises(StoreFull):  # noqa: PT012 - some batches may still fit
        for batch in range(10_000):
            store.append(predictions(ids_of(batch), predicted(ROWS, shift=batch * ROWS)))
            kept += ids_of(batch)
    assert store.predictions(kept).keys() == set(kept)
    filler.unlink()
    assert store.append(predictions(["second"], predicted(1))).stored == 1
    assert store.append(labels(["first", "second"], [0, 1])).stored == 2
    store.flush()
    store.close()
    again = open_known(folder / "home", NAME)
    assert again.predictions([*kept, "second"]).keys() == {*kept, "second"}
    again.close()


def fill(path: Path) -> None:
    """Take all the room that a disk has."""
    opened = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (2**16, 2**9):
            while True:
                os.write(opened, b"\0" * size)
                os.fsync(opened)
    except OSError:
        pass
    finally:
        os.close(opened)


def test_two_processes(tmp_path: Path) -> None:
    """Two processes that bring rows at once lose nothing: one runs the loop, one stands beside."""
    store = open_folder(tmp_path, NAME)
    script = (
        "import sys; from pathlib import Path\n"
        "from ratoon.stores.folder import open_known\n"
        "from ratoon.testing.drafts import predictions\n"
        "store = open_known(Path(sys.argv[1]), sys.argv[2])\n"
        "for n in range(100): store.append(predictions([f'beside {n}']))\n"
        "store.close()\n"
    )
    store.append(predictions(["here"]))
    command = [sys.executable, "-c", script, str(tmp_path), NAME]
    with subprocess.Popen(command, cwd=ROOT) as process:
        mine = 0
        while process.poll() is None:
            store.append(predictions([f"mine {mine}"]))
            list(store.entries(store.last_seq()))
            mine += 1
    assert process.returncode == 0
    store.close()
    again = open_folder(tmp_path, NAME)
    list(again.entries(0))
    wanted = [f"beside {n}" for n in range(100)] + [f"mine {n}" for n in range(mine)]
    assert again.predictions(wanted).keys() == set(wanted)
    assert again.counts().predictions == len(wanted) + 1
    again.close()
