"""Questions to the rows of a loop in SQL, answered within a memory limit."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from ratoon.core.errors import (
    FileCorrupt,
    QuestionFailed,
    RatoonError,
    SettingInvalid,
    StoreDamaged,
)
from ratoon.log.files import DataFile
from ratoon.log.table import RowTable
from ratoon.stores.asking_views import BASE, VIEWS, Given, given, quoted, text, views
from ratoon.stores.locking import locked, try_lock
from ratoon.windows.judged import Target

ROWS = 65_536  # of a batch that leaves
_READERS = 4  # files whose digests are compared at the same time
_LOCK = "lock"
_MORE = "give it more memory, or ask for less at once"
_KNOWN = "the views are predictions, labels, feedback and labelled; DESCRIBE labelled lists columns"

Told = Callable[[int, int], None]
"""Is told how many bytes of how many have been read."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The rows of one table: those that files have, and those that no file has yet."""

    table: RowTable
    folder: Path | None  # where its files lie; None for an object store
    stop: int  # rows before this one are in files
    waiting: Any = None  # pyarrow.Table of the rows from `stop` on; None for none


def _nobody(done: int, of: int) -> None:
    """Tell nobody."""


class Asking:
    """Answers SQL about predictions, labels, feedback, and predictions with their labels.

    Four views are offered: `predictions` (those that were answered), `labels`, `feedback`, and
    `labelled`, in which each prediction or row of history stands beside its label, with
    `arrived_at` of both: what was known at a time is `WHERE label_arrived_at <= …`. Features are
    called `feature_NAME`; outputs and labels are classes or numbers as people know them. Times
    are in UTC.

    DuckDB does the work, with at most `memory` for itself; what does not fit goes to `temp`. The
    SHA-256 of every file that a question needs is compared first.

    Args:
        parts: the tables "predictions", "labels" and "feedback" (`LocalStore.parts`).
        target: what is predicted; None shows outputs and labels as they are stored.
        memory: for DuckDB, such as "512MB".
        temp: a folder on a disk with room; what is put there is deleted at the end.

    Raises:
        SettingInvalid: `memory` is no size.
    """

    def __init__(
        self,
        parts: Mapping[str, Part],
        *,
        temp: Path,
        target: Target | None = None,
        memory: str = "512MB",
    ) -> None:
        self._parts = {name: parts[name] for name in BASE}
        self._folder, self._lock = _own_folder(temp)
        self._checked: set[str] = set()
        try:
            self._connection = _connected(memory, self._folder)
            self.given = given(_names(self._parts["predictions"]))
            self._offer_whole(target)
        except BaseException:
            self._let_go()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the memory and of the files that did not fit in it."""
        self._connection.close()
        self._let_go()

    def _let_go(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.close()

    def ask(self, query: str, *, told: Told = _nobody, rows: int = ROWS) -> Any:
        """Answer a person's question: one SELECT, which can change nothing.

        Args:
            query: in DuckDB's SQL.
            told: is told how far the comparison of digests is, in bytes.
            rows: of a batch, at most.

        Returns:
            A `pyarrow.RecordBatchReader`; it is read while DuckDB works.

        Raises:
            SettingInvalid: it is not one SELECT.
            FileCorrupt: a file that it needs is not what was written.
            QuestionFailed: DuckDB refuses it, or has not enough memory.
        """
        with _answering():
            kinds = [one.type.name for one in self._connection.extract_statements(query)]
        if kinds != ["SELECT"]:
            raise SettingInvalid("query", "one SELECT", query)
        self._check(_used(query), told)
        return self._streamed(query, rows)

    def _streamed(self, query: str, rows: int) -> Any:
        import pyarrow as pa  # noqa: PLC0415 - slow to import

        with _answering():
            found = self._connection.sql(query).to_arrow_reader(rows)
        return cast("Any", pa).RecordBatchReader.from_batches(found.schema, _batches(found))

    def _check(self, tables: Sequence[str], told: Told) -> None:
        """Compare the digests of the files of some tables, once."""
        names = [name for name in tables if name not in self._checked]
        for damage in damaged([self._parts[name] for name in names], told):
            raise damage
        self._checked.update(names)

    def _offer_whole(self, target: Target | None) -> None:
        """Make the views; where a file cannot be read, name it."""
        import duckdb  # noqa: PLC0415 - slow to import

        try:
            self._offer(target)
        except duckdb.Error as error:
            for damage in damaged(list(self._parts.values())):
                raise damage from error
            raise RatoonError(f"the tables cannot be read: {error}") from error

    def _offer(self, target: Target | None) -> None:
        """Make the views, then shut the door: no other file can be read, and none be written."""
        run = self._connection.execute
        run("CREATE SCHEMA inside")
        for name, part in self._parts.items():
            shown = self.given if name == "predictions" else ()
            selects = [_nothing(name, shown), *self._sources(name, part)]
            run(f"CREATE VIEW inside.all_{name} AS {' UNION ALL BY NAME '.join(selects)}")
        for name, select in views(self.given, target).items():
            run(f"CREATE VIEW {name} AS {select}")
        paths = [text(path) for part in self._parts.values() for path in _paths(part)]
        run(f"SET allowed_paths = [{', '.join(paths)}]")
        run("SET enable_external_access = false")
        run("SET lock_configuration = true")

    def _sources(self, name: str, part: Part) -> Iterator[str]:
        """Yield a SELECT of the rows in files, and one of those that wait."""
        shown = {one.outer: one.view for one in self.given}
        if part.table.files:
            known: list[str] = part.table.schema.names
            listed = ", ".join(text(path) for path in _paths(part))
            source = f"read_parquet([{listed}], union_by_name = true)"
            if part.folder is None:
                source = f"files_{name}"
                self._connection.register(source, part.table.dataset())
            rows = _select(source, dict(zip(known, known, strict=True)), shown, name)
            yield f"{rows} WHERE row < {part.stop}"
        if part.waiting is not None:
            known = part.waiting.column_names
            named = [f"c{place}" for place in range(len(known))]  # "A" and "a" are one to DuckDB
            self._connection.register(f"new_{name}", part.waiting.rename_columns(named))
            yield _select(f"new_{name}", dict(zip(known, named, strict=True)), shown, name)


def damaged(parts: Sequence[Part], told: Told = _nobody) -> Iterator[StoreDamaged]:
    """Read every file through, and yield an error for each that is not what was written."""
    files = [(_path(part, file), file) for part in parts for file in part.table.files]
    local = [(path, file) for path, file in files if path is not None]
    total, done = sum(file.size for _, file in local), 0
    paths, kept = [path for path, _ in local], [file for _, file in local]
    with ThreadPoolExecutor(_READERS) as pool:
        found = pool.map(_damage, paths, kept)
        for file, damage in zip(kept, found, strict=True):
            done += file.size
            told(done, total)
            if damage is not None:
                yield damage
    for part in parts:
        if part.folder is None:
            yield from (StoreDamaged(complaint) for complaint in part.table.verify())


def _damage(path: Path, file: DataFile) -> FileCorrupt | None:
    try:
        with path.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    except FileNotFoundError:
        return FileCorrupt(str(path), "is missing", missing=True)
    except OSError as error:
        return FileCorrupt(str(path), f"cannot be read: {error}")
    if found == file.sha256:
        return None
    return FileCorrupt(str(path), f"has the SHA-256 {found}, not that of its name")


def _path(part: Part, file: DataFile) -> Path | None:
    return None if part.folder is None else part.folder.absolute() / file.name


def _paths(part: Part) -> list[str]:
    return [str(path) for file in part.table.files if (path := _path(part, file)) is not None]


def _names(part: Part) -> list[str]:
    """Return the columns of a part, those that wait behind those that files have."""
    waiting: list[str] = [] if part.waiting is None else part.waiting.column_names
    return list(dict.fromkeys((*part.table.schema.names, *waiting)))


def _nothing(name: str, shown: Sequence[Given]) -> str:
    """Return a SELECT without rows that has all columns that the views speak of."""
    columns = [f"CAST(NULL AS {kind}) AS {column}" for column, kind in BASE[name].items()]
    columns += [f"NULL AS {quoted(one.view)}" for one in shown]
    return f"SELECT {', '.join(columns)} WHERE false"


def _select(source: str, picked: Mapping[str, str], shown: Mapping[str, str], table: str) -> str:
    """Return a SELECT of the columns that views speak of, under the names that they have there.

    Args:
        source: what to select from.
        picked: the columns of the table, and what they are called in `source`.
        shown: the features and scores, and what they are called in views.
        table: the name of the table.
    """
    wanted = {column: shown.get(column, column) for column in picked}
    columns = [
        f"{quoted(picked[column])} AS {quoted(name)}"
        for column, name in wanted.items()
        if column in BASE[table] or column in shown
    ]
    return f"SELECT {', '.join(columns)} FROM {source}"  # noqa: S608 - names are quoted


def _connected(memory: str, temp: Path) -> Any:
    """Return a connection to a database in memory that fetches nothing and knows nobody's names."""
    import duckdb  # noqa: PLC0415 - slow to import

    settings: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": memory,
        "python_enable_replacements": False,
        "temp_directory": str(temp),
    }
    try:
        connection = duckdb.connect(":memory:", config=settings)
    except duckdb.Error as error:
        raise SettingInvalid("memory", "a size such as 512MB", memory) from error
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _used(query: str) -> Sequence[str]:
    """Return the tables whose rows a question may need; all of them where it does not say."""
    import duckdb  # noqa: PLC0415 - slow to import

    if "query" in query.lower():  # a question in a question
        return tuple(BASE)
    with duckdb.connect(":memory:") as connection:
        for name in VIEWS:
            connection.execute(f"CREATE TABLE {name} (row BIGINT)")
        try:
            asked = {name.lower() for name in connection.get_table_names(query)}
        except duckdb.Error:  # some joins want to know the columns too
            return tuple(BASE)
    found = [table for view, tables in VIEWS.items() if view in asked for table in tables]
    return tuple(dict.fromkeys(found)) or tuple(BASE)


def _batches(reader: Any) -> Iterator[Any]:
    """Yield batches; what DuckDB raises while it works is said as an error of ours."""
    with _answering():
        yield from reader


@contextmanager
def _answering() -> Generator[None]:
    import duckdb  # noqa: PLC0415 - slow to import
    import pyarrow as pa  # noqa: PLC0415

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        said = str(error).partition("\n")[0]
        raise QuestionFailed(f"the question needs more memory: {said}", hint=_MORE) from error
    except (duckdb.Error, pa.ArrowException) as error:
        said = [line for line in str(error).splitlines() if not line.startswith("Did you mean")]
        fact = "the question has no answer: " + "\n".join(said)
        raise QuestionFailed(fact, hint=_KNOWN) from error


def _own_folder(below: Path) -> tuple[Path, Any]:
    """Return a new folder, and its lock; those of processes that died are deleted."""
    below = below.absolute()  # DuckDB writes nothing to a folder that it knows by another path
    below.mkdir(parents=True, exist_ok=True)
    for other in below.glob("asking-*"):
        lock = try_lock(other / _LOCK) if (other / _LOCK).exists() else None
        if lock is not None:
            shutil.rmtree(other, ignore_errors=True)
            lock.close()
    folder = Path(tempfile.mkdtemp(prefix=".asking-", dir=below))
    lock = locked(folder / _LOCK)
    seen = below / folder.name.removeprefix(".")
    folder.rename(seen)  # nobody deletes it before it is locked
    return seen, lock
