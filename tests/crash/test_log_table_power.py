"""A row table after a cut of the power, a kill, and a full disk."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ratoon.core.errors import StoreFull
from ratoon.log.table import RowTable
from tests.crash import table_life as life
from tests.crash.images import mount, new_image
from tests.crash.table_machine import Cut, Machine

ROOT = Path(__file__).resolve().parents[2]
SMALL_BYTES = 12 * 2**20
LIMIT_S = 60


@pytest.mark.parametrize("seed", range(40))
def test_power_cut_of_a_model(seed: int, tmp_path: Path) -> None:
    """The power is cut before any flush, time and again, and the disk has of the rest what it has.

    What was acknowledged is there, what was erased is gone, and what was torn comes again.
    """
    rng = np.random.default_rng(seed)
    told = life.Told()
    folder = tmp_path / "0" / "table"
    folder.mkdir(parents=True)
    for round_ in range(1, 100):
        image = tmp_path / str(round_) / "table"
        image.parent.mkdir()
        machine = Machine(folder, image, at=int(rng.integers(1, 40)), rng=rng)
        with machine.running(), contextlib.suppress(Cut):
            life.live(folder, told.hear)
            image = folder  # it has come to its end
        life.check(image, told)
        if image == folder:
            break
        folder = image
    assert told.appended == life.ENTRIES
    assert RowTable(str(folder), app=life.APP).stop == life.ENTRIES * life.ROWS


@contextlib.contextmanager
def living(folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Run a life in a process that waits for a line at each step."""
    command = [sys.executable, "-m", "tests.crash.table_life", str(folder), *more]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def steps_of(process: subprocess.Popen[str], told: life.Told) -> Iterator[str]:
    """Yield what a process says, while it waits; it goes on when the next is asked for."""
    assert process.stdin
    assert process.stdout
    for line in process.stdout:
        told.hear(line.strip())
        if line == "end\n":
            return
        yield line.strip()
        process.stdin.write("go on\n")
        process.stdin.flush()
    raise AssertionError("the process ended by itself")


def test_killed(tmp_path: Path) -> None:
    """A process that is killed (SIGKILL) at any step leaves what it acknowledged."""
    told = life.Told()
    for at in (3, 7, 12, 18, 25, 31, 38, 44, 1000):
        with living(tmp_path) as process:
            for count, _ in enumerate(steps_of(process, told)):
                if count == at:
                    process.send_signal(signal.SIGKILL)
                    process.wait(LIMIT_S)
                    break
        life.check(tmp_path, told)
    assert told.appended == life.ENTRIES


def after_the_cut(image: Path, told: life.Told, mounts: list[Path]) -> None:
    """Check what a machine finds that starts now, on a copy of the image."""
    copy, folder = image.with_suffix(".copy"), image.with_name("after")
    shutil.copyfile(image, copy)
    mount(copy, folder, mounts)
    try:
        life.check(folder / "table", told)
    finally:
        subprocess.run(["umount", folder], check=True)
        mounts.remove(folder)


def test_power_cut(tmp_path: Path, mounts: list[Path]) -> None:
    """The power is cut before each flush on a real file system: its image is copied while it lives.

    The copy, mounted, has all that was acknowledged, and whole rows alone.
    """
    image = tmp_path / "image"
    new_image(image)
    mount(image, tmp_path / "live", mounts)
    told = life.Told()
    with living(tmp_path / "live" / "table") as process:
        cuts = sum(1 for _ in steps_of(process, told) if not after_the_cut(image, told, mounts))
    assert cuts > 50
    assert told.appended == life.ENTRIES


def test_power_cut_without_flushes(tmp_path: Path, mounts: list[Path]) -> None:
    """Without flushes the same life loses what it acknowledged: the test above can fail."""
    image = tmp_path / "image"
    new_image(image)
    mount(image, tmp_path / "live", mounts)
    told = life.Told()
    with living(tmp_path / "live" / "table", "careless") as process:
        assert list(steps_of(process, told))
    with pytest.raises(AssertionError):
        after_the_cut(image, told, mounts)


def test_disk_full(tmp_path: Path, mounts: list[Path]) -> None:
    """On a full disk what is there can be read; when there is room again appending goes on."""
    image = tmp_path / "image"
    new_image(image, SMALL_BYTES)
    mount(image, tmp_path / "small", mounts)
    folder, room = tmp_path / "small" / "table", tmp_path / "small" / "room"
    room.write_bytes(bytes(3 * 2**20))
    table = RowTable(str(folder), app=life.APP)
    rng = np.random.default_rng(3)

    def rows(seq: int) -> pa.Table:
        numbers = np.arange(20_000) + table.stop
        noise = {name: rng.normal(size=20_000) for name in ("a", "b", "c")}
        return pa.table({"row": numbers, "seq": np.full(20_000, seq), **noise})

    kept: list[pa.Table] = []
    for seq in range(1, 100):
        new = rows(seq)
        try:
            table.append(new, seq=seq)
        except StoreFull:
            break
        kept.append(new)
    assert 2 < len(kept) < 99
    whole = pa.concat_tables(kept)
    with contextlib.suppress(OSError), (tmp_path / "small" / "filler").open("wb", 0) as filler:
        while True:
            filler.write(bytes(4096))
    for _ in range(3):
        with pytest.raises(StoreFull):
            table.append(new, seq=seq)
        assert table.read() == whole
        assert RowTable(str(folder), app=life.APP, writable=False).read() == whole
        assert RowTable(str(folder), app=life.APP).read() == whole
    with pytest.raises(StoreFull):
        table.compact()
    with pytest.raises(StoreFull):
        table.erase(np.array([5]))
    assert table.read() == whole
    assert len(list(folder.glob("*.parquet"))) == len(kept)
    room.unlink()
    small = new.slice(0, 1000)
    table.append(small, seq=seq)
    table.append(small, seq=seq)
    assert table.erase(np.array([5])) == 1
    assert table.read().num_rows == whole.num_rows + 999
    assert not list(table.verify())
