"""Steps measured each in a fresh process: wall time, CPU time, peak memory."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, TypeAlias

Figures: TypeAlias = dict[str, float]

_RESULT = "figures: "
_STEP_S = 3_600  # that a step may take at most


@contextmanager
def measuring() -> Generator[Figures]:
    """Measure what is done inside: `wall_s`, `cpu_s` of all threads, `peak_mib` of the process."""
    forget_peak()
    found: Figures = {}
    wall, cpu = perf_counter(), process_time()
    yield found
    found["wall_s"] = perf_counter() - wall
    found["cpu_s"] = process_time() - cpu
    found["peak_mib"] = peak_mib()


def forget_peak() -> None:
    """Let the peak begin anew, where the system can do that: what a step was given counts not."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mib() -> float:
    """Return the most memory that was resident since `forget_peak`, in MiB.

    `ru_maxrss` would be that of the parent process where that was larger.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)


def memory_mib() -> Figures:
    """Return what is resident now, and what of it is no page of a file, in MiB.

    Pages of mapped files count as memory of the process; the system takes them back when it needs
    room. Without /proc there are no figures.
    """
    names = {"Rss:": "resident_mib", "Anonymous:": "anonymous_mib"}
    found: Figures = {}
    with suppress(OSError):
        for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
            told = line.split()
            if told[0] in names:
                found[names[told[0]]] = int(told[1]) / 1024
    return found


def size_mib(folder: Path) -> float:
    """Return the size of all files below a folder, in MiB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def run_step() -> None:
    """Run the step that the command line names, `module:function`, and print its figures.

    The process ends at once: how a library ends its threads is not what is measured.
    """
    module, _, function = sys.argv[1].partition(":")
    step: Callable[..., Mapping[str, Any]] = getattr(import_module(module), function)
    print(_RESULT + json.dumps(step(**json.loads(sys.argv[2]))), flush=True)
    os._exit(0)


def python_of(peer: str) -> str | None:
    """Return the interpreter of a peer's environment; None where `make bench-setup` never ran."""
    found = Path(".bench") / peer / "bin" / "python"
    return str(found) if found.exists() else None


def once(step: str, given: Mapping[str, Any], python: str | None = None) -> dict[str, Any]:
    """Run a step in a fresh process and return its figures.

    Args:
        step: `module:function`, below `benchmarks`.
        given: its arguments, as JSON can hold them.
        python: the interpreter; by default this one.

    Raises:
        RuntimeError: the step failed.
    """
    code = "from benchmarks.data_measuring import run_step; run_step()"
    command = [python or sys.executable, "-c", code, f"benchmarks.{step}", json.dumps(given)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_STEP_S, env=_environment()
    )
    _, found, told = done.stdout.rpartition(_RESULT)  # a step may have said other things before
    if found and not done.returncode:
        return json.loads(told)
    raise RuntimeError(f"{step} {given} ended with {done.returncode}:\n{done.stderr[-4000:]}")


def medians(
    step: str, given: Mapping[str, Any], runs: int, python: str | None = None
) -> dict[str, Any]:
    """Run a step several times, each in a fresh process; return the median of each figure.

    The step is told which `run` it is, if it has an argument of that name.
    """
    found = [once(step, {"run": run, **given}, python) for run in range(runs)]
    return {name: round(statistics.median(one[name] for one in found), 4) for name in found[0]}


def _environment() -> dict[str, str]:
    """Return the environment of a step: this checkout, and two cores for everyone."""
    two = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "LANCE_CPU_THREADS", "RAYON_NUM_THREADS")
    here = os.pathsep.join([str(Path.cwd()), str(Path.cwd() / "src")])
    return {**os.environ, **dict.fromkeys(two, "2"), "PYTHONPATH": here}
