"""Ways to a loop: its records, its store, its definition."""

from __future__ import annotations

import getpass
import importlib
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import typer

from ratoon.core.errors import DefinitionNotFound, LoopUnknown, RatoonError

if TYPE_CHECKING:
    from ratoon.engine import Loop, Records
    from ratoon.stores.local import LocalStore


@contextmanager
def opened(home: Path, loop: str) -> Generator[LocalStore]:
    """Open the store of a loop that is there."""
    from ratoon.stores.folder import open_known  # noqa: PLC0415 - slow to import

    with readable(home):
        try:
            store = open_known(home, loop)
        except LoopUnknown as error:
            error.hint = f"it was looked for in {home}; --home names another folder"
            raise
        try:
            yield store
        finally:
            store.close()


@contextmanager
def held(home: Path, loop: str) -> Generator[LocalStore]:
    """Open the store of a loop that is there for writing; what others have left is taken in."""
    from ratoon.stores.folder import open_folder  # noqa: PLC0415 - slow to import

    with opened(home, loop):
        pass  # there must be such a loop: none is made here
    with readable(home):
        store = open_folder(home, loop)
        try:
            next(store.entries(store.last_seq()), None)
            yield store
        finally:
            store.close()


@contextmanager
def recorded(home: Path, loop: str) -> Generator[Records]:
    """Open the records of a loop that is there."""
    from ratoon.engine import Records  # noqa: PLC0415 - slow to import

    with opened(home, loop) as store:
        yield Records(store, loop)


def loops_in(home: Path) -> tuple[str, ...]:
    """Return the names of the loops in a folder."""
    from ratoon.stores.folder import known_loops  # noqa: PLC0415 - slow to import

    with readable(home):
        return known_loops(home)


@contextmanager
def readable(home: Path) -> Generator[None]:
    """Name the folder where its database cannot be read or written."""
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415 - slow to import

    try:
        yield
    except DatabaseError as error:
        raise RatoonError(f"the database in {home} cannot be used: {error.orig}") from error


def named(model: str, records: Records) -> int | None:
    """Return the version that MODEL[@VERSION] names; None for the champion by default."""
    _, at, text = model.partition("@")
    if not at:
        return None
    if text in ("champion", "challenger"):
        number = records.champion() if text == "champion" else records.challenger()
        return records.version(number).number if number is not None else _no(model, text)
    if not text.isdecimal():
        rule = "a version is a number, 'champion' or 'challenger'"
        raise typer.BadParameter(f"{text!r}: {rule}", param_hint="MODEL[@VERSION]")
    return int(text)


def _no(model: str, role: str) -> int:
    loop = model.partition("@")[0]
    raise RatoonError(f"loop {loop!r} has no {role} now", hint=f"ratoon versions {loop}")


def asker(by: str | None) -> str:
    """Return who asks: a name that was given, else the login name."""
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return "a person"


def defined(target: str, called: str, home: Path | None) -> Loop:
    """Return the loop `called` so that 'module:name' defines, in `home` where that was given."""
    loop = loop_at(target)
    if loop.name != called:
        raise DefinitionNotFound(target, f"the loop there is called {loop.name!r}, not {called!r}")
    return loop if home is None else loop.settings(home=home)


def loop_at(target: str) -> Loop:
    """Return the loop that 'module:name' defines."""
    from ratoon.engine import Loop  # noqa: PLC0415 - slow to import

    module, colon, name = target.partition(":")
    if not (module and colon and name):
        raise DefinitionNotFound(target, "it is not of the form module:name")
    namespace: dict[str, object] = vars(_imported(target, module))
    known = sorted(key for key, value in namespace.items() if isinstance(value, Loop))
    if name not in namespace:
        raise DefinitionNotFound(target, f"{module!r} has no {name!r}; its loops are {known}")
    loop = namespace[name]
    if not isinstance(loop, Loop):
        kind = type(loop).__name__
        raise DefinitionNotFound(target, f"it is a {kind}, not a Loop; the loops are {known}")
    return loop


def _imported(target: str, module: str) -> ModuleType:
    """Import a module of the current folder, or an installed one."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with aside():
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            why = f"there is no module {error.name!r} in {here}, nor is it installed"
            raise DefinitionNotFound(target, why) from error
        raise DefinitionNotFound(target, _raised(module, error)) from error
    except Exception as error:  # the module is a person's own code
        raise DefinitionNotFound(target, _raised(module, error)) from error


@contextmanager
def aside() -> Generator[None]:
    """Let what a person's own code prints go to stderr: stdout holds the answer alone."""
    with redirect_stdout(sys.stderr):
        yield


def _raised(module: str, error: Exception) -> str:
    """Say where a module failed when it was imported."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"importing {module!r} raised {type(error).__name__}: {error}{at}"
