"""Each rule of tools/tidy.py finds what breaks it, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path, PurePosixPath
from textwrap import dedent

import pytest

from tools import tidy

ROOT = Path(__file__).resolve().parents[2]
SRC = "src/ratoon/core/example.py"
TEST = "tests/unit/test_example.py"
RUN_LIMIT_S = 60


def told(text: str, path: str = SRC) -> list[str]:
    """Return the findings on `text`, as lines."""
    source = tidy.read(PurePosixPath(path), dedent(text))
    return [str(finding) for finding in tidy.findings(source)]


def function_of(lines: int) -> str:
    """Return a function with so many `lines` of code, and as many that do not count."""
    body = "".join(f"    x = {i}\n\n    # a remark\n" for i in range(lines - 1))
    return f'def f():\n    """Explain.\n\n    At length.\n    """\n{body}'


def test_file_lines() -> None:
    """A file of 400 lines passes; one line more is told with its number of lines."""
    assert not told("x = 1\n" * 400)
    assert told("x = 1\n" * 401) == [f"{SRC}:1: file-lines: 401 lines, at most 400"]


def test_function_lines() -> None:
    """Docstrings, blank lines and comments do not count towards the 60 lines of a function."""
    assert not told(function_of(60))
    assert told(function_of(61)) == [f"{SRC}:1: function-lines: f has 61 lines of code, at most 60"]


def test_function_lines_count_what_is_inside() -> None:
    """A statement over several lines counts each, and an inner function counts for the outer."""
    call = "    g(\n" + "        1,\n" * 57 + "    )\n"
    assert not told("def f():\n" + call)
    inner = "    def g():\n        return 1\n"
    assert told("def f():\n" + inner + call) == [
        f"{SRC}:1: function-lines: f has 62 lines of code, at most 60"
    ]


@pytest.mark.parametrize(
    ("signature", "count"),
    [
        ("a, b, c, d, e, f, g, h", 8),
        ("self, a, b, c, d, e, f, g, h", 8),
        ("cls, /, a, b, c, d, *, e, f, g, h", 8),
        ("a, b, c, d, e, f, g, h, i", 9),
        ("a, /, b, c, d, *e, f, g, h, **i", 9),
    ],
)
def test_arguments(signature: str, count: int) -> None:
    """Every kind of argument counts, but for the first `self` or `cls`."""
    wanted = [f"{SRC}:1: arguments: f has {count} arguments, at most 8"] if count > 8 else []
    assert told(f"def f({signature}): ...\n") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("__all__: list[str] = []\n", None),
        ('__all__ = ["MAX", "V2", "V10", "Alpha", "_x", "beta"]\n', None),
        ('__all__ = ["Beta", "Alpha"]\n', "'Beta' is out of order or twice in __all__"),
        ('__all__ = ["Alpha", "Alpha"]\n', "'Alpha' is out of order or twice in __all__"),
        ('__all__ = ["Alpha", *others]\n', "__all__ is no plain list of names"),
        ("x = 1\n", "no __all__, and a public package has one"),
    ],
)
def test_sorted_all(text: str, wanted: str | None) -> None:
    """A public package has a plain `__all__`: constants, classes, the rest, each in order."""
    path = "src/ratoon/gates/__init__.py"
    assert told(text, path) == ([f"{path}:1: sorted-all: {wanted}"] if wanted else [])


@pytest.mark.parametrize("path", [SRC, "src/ratoon/_private/__init__.py", "tests/__init__.py"])
def test_sorted_all_is_for_public_packages(path: str) -> None:
    """A module, a private package and a folder of tests need no `__all__`."""
    assert not told("x = 1\n", path)


def test_order_is_that_of_ruff(tmp_path: Path) -> None:
    """Ruff's RUF022 leaves in place what this tool calls sorted."""
    names = ["AT", "F1", "MAX_10", "MAX_9", "Alpha", "F", "V2", "V10", "a", "b2", "b10"]
    ordered = sorted(names, key=tidy.name_order)
    file = tmp_path / "example.py"
    file.write_text(f"__all__ = {ordered}\n".replace("'", '"'), encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--preview", "--select"]
    result = subprocess.run(
        [*command, "RUF022", str(file)],
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
        check=False,
    )
    assert result.returncode == 0, result.stdout


def test_docstring_of_test() -> None:
    """A test without a docstring is found, in a class and when async too; a helper is not."""
    text = '''\
        def test_one():
            """It does one thing."""

        def helper(): ...

        class TestMore:
            async def test_two(self): ...
        '''
    assert told(text, TEST) == [
        f"{TEST}:7: docstring-of-test: test_two has none, and it states the behaviour"
    ]
    assert not told(text, "tests/unit/helpers.py")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("import time\n\ntime.sleep(1)\n", "3: sleepless-tests: time.sleep(1)"),
        ("import time as t\n\nt.sleep(1)\n", "3: sleepless-tests: t.sleep(1)"),
        ("from time import sleep as nap\n\nnap(1)\n", "3: sleepless-tests: nap(1)"),
        ("import asyncio\n\nasyncio.sleep(0.1)\n", "3: sleepless-tests: asyncio.sleep(0.1)"),
        ("import asyncio\n\nasyncio.sleep(0)\n", None),
        ("clock.sleep(1)\n", None),
    ],
)
def test_sleepless_tests(text: str, wanted: str | None) -> None:
    """A real sleep is found under any name; giving way to other tasks is none."""
    advice = "advance a virtual clock or wait on a condition"
    assert told(text, TEST) == ([f"{TEST}:{wanted}; {advice}"] if wanted else [])


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "pytestmark = pytest.mark.skip",
            "pytest.mark.skip never runs the test; say when, with skipif",
        ),
        (
            'mark = pytest.mark.skip(reason="no")',
            "pytest.mark.skip never runs the test; say when, with skipif",
        ),
        ("pytest.skip()", "pytest.skip() gives no reason"),
        ('pytest.skip("no server here")', None),
        ('mark = pytest.mark.skipif(windows, reason="no fork")', None),
    ],
)
def test_skipless_tests(line: str, wanted: str | None) -> None:
    """A skip without a condition or a reason is found."""
    wanted_lines = [f"{TEST}:2: skipless-tests: {wanted}"] if wanted else []
    assert told(f"import pytest\n{line}\n", TEST) == wanted_lines


@pytest.mark.parametrize(
    "line",
    [
        "registry = {}",
        "registry: dict[str, int] = {'a': 1}",
        "_seen = set()",
        "names = [name for name in 'abc']",
        "if True:\n    cache = []",
        "from collections import deque\nqueue = deque()",
    ],
)
def test_mutable_globals(line: str) -> None:
    """A list, dict or set under a name in small letters is state, and is found."""
    found = told(line)
    assert len(found) == 1
    assert ": mutable-globals: " in found[0]
    assert found[0].startswith(f"{SRC}:{len(line.splitlines())}: ")


@pytest.mark.parametrize(
    "line",
    [
        "LIMITS = {'a': 1}",
        "_KINDS = ['a']",
        "__all__ = ['a']",
        "names = ('a', 'b')",
        "def f():\n    names = []",
        "class A:\n    names = []",
        "if __name__ == '__main__':\n    names = []",
    ],
)
def test_constants_are_no_state(line: str) -> None:
    """Constants, tuples, and what functions and classes hold are not module state."""
    assert not told(line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("register(int)\n", 1),
        ("try:\n    pass\nexcept OSError:\n    registry.add(1)\n", 4),
        ("class A:\n    hook(1)\n", 2),
        ("@register('a')\ndef f(): ...\n", 1),
        ("@registry.register\nclass A: ...\n", 1),
    ],
)
def test_import_time_calls(text: str, line: int) -> None:
    """A call that runs on import, and a decorator that registers, are found."""
    found = told(text)
    assert len(found) == 1
    assert found[0].startswith(f"{SRC}:{line}: import-time-calls: ")
    assert not told(text, "tools/example.py")


@pytest.mark.parametrize(
    "text",
    [
        "x = make()\n",
        "def f():\n    register(int)\n",
        "if __name__ == '__main__':\n    main()\n",
        "@singledispatch\ndef f(x): ...\n\n@f.register\ndef _(x: int): ...\n",
    ],
)
def test_harmless_on_import(text: str) -> None:
    """Making a value, a function's body and a dispatch on the module's own function pass."""
    assert not told(text)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints each finding, then the count, and its status tells of findings."""
    package = tmp_path / "src" / "ratoon"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("__all__ = ['b', 'a']\n", encoding="utf-8")
    assert tidy.main(tmp_path, []) == 1
    assert capsys.readouterr().out.splitlines() == [
        "src/ratoon/__init__.py:1: sorted-all: 'b' is out of order or twice in __all__",
        "1 files read, 1 findings",
    ]
    (package / "__init__.py").write_text("__all__ = ['a', 'b']\n", encoding="utf-8")
    assert tidy.main(tmp_path, [str(package)]) == 0
    assert capsys.readouterr().out == "1 files read, 0 findings\n"
