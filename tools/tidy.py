"""Check the rules of the house that no other tool checks.

Run as ``python tools/tidy.py [PATH ...]``; without a path it reads every folder of code. Each
finding is a line with the file, the line, the rule and the value found; one or more exit with 1.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import UnionType
from typing import TypeAlias

FILE_LINES = 400
FUNCTION_LINES = 60
ARGUMENTS = 8
ROOTS = ("src", "tests", "tools", "benchmarks", "examples")

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_Scope: TypeAlias = ast.Module | ast.ClassDef | Function
_Block: TypeAlias = ast.If | ast.Try | ast.With | ast.For | ast.While | ast.Match

_BLANK_TOKENS = frozenset(
    {
        tokenize.COMMENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
        tokenize.INDENT,
        tokenize.NEWLINE,
        tokenize.NL,
    }
)
_MUTABLE_LITERALS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_MUTABLE_CALLS = frozenset(
    {"bytearray", "collections.Counter", "collections.defaultdict", "collections.deque"}
    | {"dict", "list", "set"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A place where a rule of the house is broken."""

    path: PurePosixPath
    line: int
    rule: str
    told: str  # the value found, and what the rule asks

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A Python file, read once for all the rules."""

    path: PurePosixPath  # from the root of the repository
    text: str
    tree: ast.Module
    code_lines: frozenset[int]  # those that hold code: no docstring, no comment, not blank
    names: Mapping[str, str]  # what each imported name stands for: {"sleep": "time.sleep"}

    def finding(self, rule: str, line: int, told: str) -> Finding:
        """Return a finding in this file."""
        return Finding(path=self.path, line=line, rule=rule, told=told)

    def dotted(self, node: ast.expr) -> str:
        """Return the full dotted name that `node` stands for, or an empty text."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            return base and f"{base}.{node.attr}"
        return ""


Rule: TypeAlias = Callable[[Source], Iterator[Finding]]


def read(path: PurePosixPath, text: str) -> Source:
    """Parse the `text` of the file at `path`."""
    tree = ast.parse(text, str(path))
    return Source(
        path=path, text=text, tree=tree, code_lines=_code_lines(text, tree), names=_imported(tree)
    )


def findings(source: Source) -> list[Finding]:
    """Return what breaks a rule in `source`, in the order of the lines."""
    found = (finding for rule in RULES for finding in rule(source))
    return sorted(found, key=lambda finding: (finding.line, finding.rule))


def file_lines(source: Source) -> Iterator[Finding]:
    """A file has at most 400 lines."""
    count = len(source.text.splitlines())
    if count > FILE_LINES:
        yield source.finding("file-lines", 1, f"{count} lines, at most {FILE_LINES}")


def function_lines(source: Source) -> Iterator[Finding]:
    """A function has at most 60 lines of code."""
    for function in _functions(source.tree):
        end = function.end_lineno or function.lineno
        count = len(source.code_lines.intersection(range(function.lineno, end + 1)))
        if count > FUNCTION_LINES:
            told = f"{function.name} has {count} lines of code, at most {FUNCTION_LINES}"
            yield source.finding("function-lines", function.lineno, told)


def arguments(source: Source) -> Iterator[Finding]:
    """A function has at most 8 arguments."""
    for function in _functions(source.tree):
        count = len(_argument_names(function))
        if count > ARGUMENTS:
            told = f"{function.name} has {count} arguments, at most {ARGUMENTS}"
            yield source.finding("arguments", function.lineno, told)


def sorted_all(source: Source) -> Iterator[Finding]:
    """A public package has a sorted `__all__`; the order is that of ruff's RUF022."""
    if not _is_public_package(source.path):
        return
    node = _assigned(source.tree, "__all__")
    if node is None:
        yield source.finding("sorted-all", 1, "no __all__, and a public package has one")
        return
    public = _strings(node)
    if public is None:
        yield source.finding("sorted-all", node.lineno, "__all__ is no plain list of names")
        return
    wanted = sorted(set(public), key=name_order)
    if public != wanted:
        at = next(i for i, name in enumerate(public) if i >= len(wanted) or name != wanted[i])
        told = f"{public[at]!r} is out of order or twice in __all__"
        yield source.finding("sorted-all", node.lineno, told)


def docstring_of_test(source: Source) -> Iterator[Finding]:
    """A test's docstring states the behaviour."""
    if not _is_test_file(source.path):
        return
    for function in _functions(source.tree):
        if function.name.startswith("test_") and not ast.get_docstring(function):
            told = f"{function.name} has none, and it states the behaviour"
            yield source.finding("docstring-of-test", function.lineno, told)


def sleepless_tests(source: Source) -> Iterator[Finding]:
    """A test waits on a condition, never on a length of time."""
    if source.path.parts[0] != "tests":
        return
    for call in _calls(source.tree):
        name = source.dotted(call.func)
        if name == "time.sleep" or (name == "asyncio.sleep" and not _is_zero(call)):
            told = f"{ast.unparse(call)}; advance a virtual clock or wait on a condition"
            yield source.finding("sleepless-tests", call.lineno, told)


def skipless_tests(source: Source) -> Iterator[Finding]:
    """A test that never runs is no test; one that is skipped says when or why."""
    if source.path.parts[0] != "tests":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and source.dotted(node) == "pytest.mark.skip":
            told = "pytest.mark.skip never runs the test; say when, with skipif"
            yield source.finding("skipless-tests", node.lineno, told)
    for call in _calls(source.tree):
        if source.dotted(call.func) == "pytest.skip" and not (call.args or call.keywords):
            yield source.finding("skipless-tests", call.lineno, "pytest.skip() gives no reason")


def mutable_globals(source: Source) -> Iterator[Finding]:
    """A module holds constants in capitals, and no state."""
    if source.path.parts[0] == "examples":
        return
    for statement in _at_import(source.tree, into=_Block):
        for name, value in _assignments(statement):
            if _is_constant(name) or not _is_mutable(source, value):
                continue
            told = f"{name} = {_short(value)}; pass state as an argument, or make it a constant"
            yield source.finding("mutable-globals", statement.lineno, told)


def import_time_calls(source: Source) -> Iterator[Finding]:
    """Importing a module of the package registers nothing and does nothing."""
    if source.path.parts[0] != "src":
        return
    for statement in _at_import(source.tree, into=_Block | ast.ClassDef):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            told = f"{_short(statement.value)} runs when the module is imported"
            yield source.finding("import-time-calls", statement.lineno, told)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _registering(source, statement)


RULES: tuple[Rule, ...] = (
    file_lines,
    function_lines,
    arguments,
    sorted_all,
    docstring_of_test,
    sleepless_tests,
    skipless_tests,
    mutable_globals,
    import_time_calls,
)


def _code_lines(text: str, tree: ast.Module) -> frozenset[int]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    spans = (
        range(token.start[0], token.end[0] + 1)
        for token in tokens
        if token.type not in _BLANK_TOKENS
    )
    code = {line for span in spans for line in span}
    return frozenset(code.difference(*(_docstring_lines(node) for node in ast.walk(tree))))


def _docstring_lines(node: ast.AST) -> range:
    if not isinstance(node, _Scope) or ast.get_docstring(node, clean=False) is None:
        return range(0)
    docstring = node.body[0]
    return range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1)


def _imported(tree: ast.Module) -> dict[str, str]:
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update({alias.asname: alias.name for alias in node.names if alias.asname})
        elif isinstance(node, ast.ImportFrom):
            names.update(
                {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            )
    return names


def _functions(tree: ast.Module) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _argument_names(function: Function) -> list[str]:
    every = function.args
    positional = [argument.arg for argument in (*every.posonlyargs, *every.args)]
    if positional and positional[0] in {"self", "cls"}:
        del positional[0]
    rest = [argument.arg for argument in (every.vararg, *every.kwonlyargs, every.kwarg) if argument]
    return positional + rest


def _at_import(tree: ast.Module, into: UnionType) -> Iterator[ast.stmt]:
    """Yield the statements that run on import, also those inside of statements of kind `into`."""
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        statement = waiting.pop(0)
        if _is_main_guard(statement):
            continue
        yield statement
        if isinstance(statement, into):
            waiting = [*_inner(statement), *waiting]


def _inner(statement: ast.stmt) -> list[ast.stmt]:
    return [
        child
        for node in ast.iter_child_nodes(statement)
        for child in ([node] if isinstance(node, ast.stmt) else ast.iter_child_nodes(node))
        if isinstance(child, ast.stmt)
    ]


def _is_main_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test).startswith("__name__ ==")


def _assignments(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    match statement:
        case ast.Assign(targets=targets, value=value):
            yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case _:
            return


def _assigned(tree: ast.Module, wanted: str) -> ast.expr | None:
    pairs = (pair for statement in tree.body for pair in _assignments(statement))
    return next((value for name, value in pairs if name == wanted), None)


def _strings(node: ast.expr) -> list[str] | None:
    if not isinstance(node, ast.List | ast.Tuple):
        return None
    values = [item.value for item in node.elts if isinstance(item, ast.Constant)]
    strings = [value for value in values if isinstance(value, str)]
    return strings if len(strings) == len(node.elts) else None


def name_order(name: str) -> tuple[int, list[tuple[int, str]]]:
    """Order names as ruff's RUF022 does: constants, classes, the rest; numbers as numbers."""
    is_constant = name.isupper() and len(name) > 1
    kind = 0 if is_constant else 1 if name[:1].isupper() else 2
    parts = re.findall(r"\d+|\D+", name)
    return kind, [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _is_public_package(path: PurePosixPath) -> bool:
    inside = path.parts[1:-1]
    return (
        path.parts[0] == "src"
        and path.name == "__init__.py"
        and not any(part.startswith("_") for part in inside)
    )


def _is_test_file(path: PurePosixPath) -> bool:
    return path.parts[0] == "tests" and path.name.startswith("test_")


def _is_zero(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def _is_constant(name: str) -> bool:
    is_dunder = name.startswith("__") and name.endswith("__")
    return is_dunder or name.isupper()


def _is_mutable(source: Source, value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return source.dotted(value.func) in _MUTABLE_CALLS
    return isinstance(value, _MUTABLE_LITERALS)


def _registering(source: Source, node: Function | ast.ClassDef) -> Iterator[Finding]:
    """Find decorators called register…, but for `@f.register` on a function of this module."""
    own = {function.name for function in _functions(source.tree)}
    for decorator in node.decorator_list:
        name = source.dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)
        base, _, last = name.rpartition(".")
        if last.startswith("register") and base not in own:
            told = f"@{_short(decorator)} runs when the module is imported"
            yield source.finding("import-time-calls", decorator.lineno, told)


def _short(node: ast.expr) -> str:
    most = 40
    text = ast.unparse(node)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the Python files at or under `paths`, in order."""
    for path in paths:
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def main(root: Path, given: list[str]) -> int:
    """Print the findings in the `given` paths, or in all code under `root`; return the status."""
    paths = [Path(name).resolve() for name in given] or [
        root / name for name in ROOTS if (root / name).is_dir()
    ]
    found: list[Finding] = []
    count = 0
    for path in files(paths):
        count += 1
        name = PurePosixPath(path.relative_to(root).as_posix())
        found += findings(read(name, path.read_text(encoding="utf-8")))
    for finding in found:
        print(finding)
    print(f"{count} files read, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1], sys.argv[1:]))
