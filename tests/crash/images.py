"""Images of file systems, mounted from a file, under which the power can be cut."""

from __future__ import annotations

import os
import select
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

IMAGE_BYTES = 24 * 2**20
LIMIT_S = 60
TOLD = 3  # how a writer ends that got an error when it flushed


def new_image(path: Path, size: int = IMAGE_BYTES) -> None:
    """Make an image of `size` bytes that holds an empty ext4, or skip."""
    make = shutil.which("mkfs.ext4", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if sys.platform != "linux" or not make or not shutil.which("mount"):
        pytest.skip("mkfs.ext4 and mount are needed")
    with path.open("wb") as file:
        file.truncate(size)
    subprocess.run([make, "-q", "-F", path], check=True, capture_output=True)


def mount(image: Path, folder: Path, mounts: list[Path]) -> None:
    """Mount an image, or skip where this process may not.

    Its journal is committed when somebody flushes, and else not: what nobody waits for is lost.
    """
    folder.mkdir(exist_ok=True)
    command = ["mount", "-o", "loop,commit=1000", image, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"an image cannot be mounted here: {done.stderr.strip()}")
    mounts.append(folder)


def cut(image: Path, folder: Path, process: subprocess.Popen[bytes], copy: Path) -> bytes:
    """Cut the power under a process that writes to `folder`, and copy what the device has.

    What the process had said before is returned: what it says later, a flush that was under way
    may have let it say, and that the copy has it is left to the kernel's own race.
    """
    assert process.stdout
    said = b""
    waiting = select.poll()  # not select.select, which knows no descriptor beyond 1,023
    waiting.register(process.stdout, select.POLLIN)
    while waiting.poll(0):
        part = os.read(process.stdout.fileno(), 2**16)
        assert part, "the process ended by itself"
        said += part
    freeze(folder)
    assert process.wait(LIMIT_S) == TOLD, "the writer was told"
    shutil.copy(image, copy)
    return said


def freeze(folder: Path) -> None:
    """Let nothing more reach the device: neither the cache nor the journal is flushed."""
    fcntl = pytest.importorskip("fcntl")
    going_down, no_log_flush = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN, linux/fs/ext4/ext4.h
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(opened, going_down, struct.pack("I", no_log_flush))
    finally:
        os.close(opened)
