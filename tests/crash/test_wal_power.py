"""What was waited for is there after the power was cut and after the process was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratoon.core.errors import StoreUnwritable
from ratoon.log.wal import WalWriter, read_wal
from tests.crash.images import cut, mount, new_image
from tests.crash.wal_machine import Machine, PowerCut

LIMIT_S = 60
# Threads append and wait, and say what was acknowledged, each number in a line.
WRITER = """
import os, sys, threading
from pathlib import Path
from ratoon.core.errors import StoreUnwritable
from ratoon.log.wal import WalWriter

folder, threads, file_bytes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
wal = WalWriter(folder, file_bytes=file_bytes)
numbering = threading.Lock()

def work():
    while True:
        with numbering:
            number = wal.next_number
            term = wal.append(number, [f"row {number} ".encode() * (number % 60)])
        wal.wait(number, term)
        os.write(1, f"{number}\\n".encode())

def run():
    try:
        work()
    except StoreUnwritable:
        os._exit(3)

for _ in range(threads - 1):
    threading.Thread(target=run).start()
run()
"""


def body_of(number: int) -> bytes:
    """Return what the writer appends under a number."""
    return f"row {number} ".encode() * (number % 60)


@contextlib.contextmanager
def writing(folder: Path, *, threads: int, file_bytes: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that appends and acknowledges until it is stopped."""
    command = [sys.executable, "-c", WRITER, str(folder), str(threads), str(file_bytes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        limit = threading.Timer(LIMIT_S, process.kill)
        limit.start()
        try:
            yield process
        finally:
            limit.cancel()
            process.kill()


def first_lines(process: subprocess.Popen[bytes], count: int) -> bytes:
    """Return the first lines that a process says, and perhaps more."""
    assert process.stdout
    said = b""
    while said.count(b"\n") < count:
        part = os.read(process.stdout.fileno(), 2**16)
        assert part, "the writer ended by itself"
        said += part
    return said


def expect_all(folder: Path, said: bytes) -> int:
    """Expect each acknowledged record, whole, and return how many there are."""
    found = {record.number: record.body for record in read_wal(folder)}
    acknowledged = {int(line) for line in said.split(b"\n")[:-1]}
    assert acknowledged <= set(found)
    assert all(body == body_of(number) for number, body in found.items())
    return len(acknowledged)


@pytest.mark.parametrize("threads", [1, 4])
def test_killed(threads: int, tmp_path: Path) -> None:
    """A process that is killed (SIGKILL) again and again loses no acknowledged record."""
    said = b""
    for round_ in range(4):
        with writing(tmp_path, threads=threads, file_bytes=2**15) as process:
            said += first_lines(process, 40 + 30 * round_)
            process.send_signal(signal.SIGKILL)
            assert process.stdout
            said += process.stdout.read()
        assert expect_all(tmp_path, said) >= 40
    with WalWriter(tmp_path) as wal:
        assert wal.next_number > 40


@pytest.mark.parametrize("threads", [1, 4])
def test_power_cut(threads: int, tmp_path: Path, mounts: list[Path]) -> None:
    """The power is cut under a writer on a real file system, three times over.

    The device is frozen between two of its writes, at whatever moment it is. What a copy of it
    holds after the replay of its journal has each record that was acknowledged before.
    """
    image = tmp_path / "0.img"
    new_image(image)
    said = b""
    for round_ in range(3):
        folder = tmp_path / f"mounted {round_}"
        mount(image, folder, mounts)
        with writing(folder / "wal", threads=threads, file_bytes=2**16) as process:
            said += first_lines(process, 50 + 77 * round_)
            copy = tmp_path / f"{round_ + 1}.img"
            said += cut(image, folder, process, copy)
        image = copy
    folder = tmp_path / "in the end"
    mount(image, folder, mounts)
    assert expect_all(folder / "wal", said) >= 50 + 127 + 204


class History:
    """What was appended to a folder and acknowledged, through all cuts."""

    def __init__(self) -> None:
        self.tried: dict[int, set[bytes]] = {}
        self.acknowledged: dict[int, bytes] = {}
        self.forgotten = 0

    def check(self, folder: Path) -> None:
        """Expect all that was acknowledged and not forgotten, and nothing that was not tried."""
        found = {r.number: r.body for r in read_wal(folder, after=self.forgotten)}
        assert list(found) == list(range(self.forgotten + 1, self.forgotten + 1 + len(found)))
        kept = {n: body for n, body in self.acknowledged.items() if n > self.forgotten}
        assert kept.items() <= found.items()
        assert all(body in self.tried[number] for number, body in found.items())


def act(wal: WalWriter, machine: Machine, history: History, rng: np.random.Generator) -> None:
    """Do one thing to the files."""
    pending: dict[int, bytes] = {}
    for _ in range(rng.integers(1, 4)):
        number, body = wal.next_number, rng.bytes(int(rng.integers(0, 1500)))
        history.tried.setdefault(number, set()).add(body)
        wal.append(number, [body])
        pending[number] = body
    machine.failing = rng.random() < 0.15
    if rng.random() < 0.8:
        wal.wait(wal.next_number - 1)
        history.acknowledged |= pending
    elif rng.random() < 0.5:
        wal.rotate()
        history.acknowledged |= pending
    if rng.random() < 0.2 and wal.durable_number > history.forgotten:
        history.forgotten = int(rng.integers(history.forgotten, wal.durable_number + 1))
        wal.forget(history.forgotten)


def live(machine: Machine, history: History, rng: np.random.Generator) -> None:
    """Open the files and use them until the process dies."""
    machine.failing = False
    wal = WalWriter(machine.folder, file_bytes=6000, first=history.forgotten + 1)
    assert wal.next_number > max([history.forgotten, *history.acknowledged])
    while True:
        try:
            act(wal, machine, history, rng)
        except StoreUnwritable:
            machine.failing = False


@given(seed=st.integers(0, 2**32))
@settings(max_examples=150)
def test_power_cut_of_a_model(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A process dies between any two calls to the system, time and again, and the power is cut.

    Syncs fail now and then. Whichever blocks reached the disk that were not synced: what was
    acknowledged is read again, what is read was appended, and writing goes on.
    """
    home = tmp_path_factory.mktemp("machine")
    rng = np.random.default_rng(seed)
    history = History()
    folder = home / "0"
    folder.mkdir()
    for round_ in range(4):
        machine = Machine(folder, lambda most: int(rng.integers(0, most + 1)))
        for _ in range(rng.integers(1, 4)):
            machine.allow(calls=int(rng.integers(1, 80)))
            with machine.running(), contextlib.suppress(PowerCut):
                live(machine, history, rng)
            history.check(folder)
        folder = home / str(round_ + 1)
        machine.after_the_cut(folder)
        machine.close()
        history.check(folder)
    shutil.rmtree(home)
