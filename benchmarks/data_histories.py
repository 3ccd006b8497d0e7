"""Long histories made in bulk, as the log would have left them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks import data_rows as rows_of
from benchmarks.data_measuring import Figures, size_mib
from ratoon.log.table import RowTable
from ratoon.stores.addresses import make_ids
from ratoon.stores.catalog import Catalog
from ratoon.stores.entries import Marks
from ratoon.stores.folder import DATABASE, LOGS, open_folder
from ratoon.stores.protocol import Draft

EPOCH = 0xBE9C  # of the ids that are addresses
AT = datetime(2026, 1, 1, tzinfo=UTC)
_ENTRY_ROWS = 10_000
_PIECE_ROWS = 1_000_000

Numbers = NDArray[np.int64]


def made_below(rows: int, share: float) -> int:
    """Return how many rows of a history have ids that are addresses: its first ones."""
    return round(rows * share)


def ids_of(rows: Numbers, made: int) -> list[str]:
    """Return the ids of rows of a history."""
    return [
        make_ids(EPOCH, row, 1)[0] if row < made else rows_of.foreign_ids_of([row])[0]
        for row in rows.tolist()
    ]


def build(
    home: str, *, rows: int, made_share: float, labelled_every: int | None = None, run: int = 0
) -> Figures:
    """Make a history of narrow rows, past the write-ahead file, in pieces of a million rows.

    The first `made_share` of the rows have ids that were made here, the others ids of others. Of
    every `labelled_every` rows one has a label, which came with the next piece.
    """
    folder = _begun(Path(home))
    history = _History(folder, made_below(rows, made_share))
    for first in range(0, rows, _PIECE_ROWS):
        history.predict(run, first, min(_PIECE_ROWS, rows - first))
        if labelled_every is not None:
            stop = min(first + _PIECE_ROWS, rows)
            history.label(np.arange(first, stop, labelled_every))
        history.flush()
    history.close()
    return {"rows": rows, "mib": size_mib(folder)}


def _begun(home: Path) -> Path:
    """Make the loop known, and return the folder of its log, which is empty."""
    with TemporaryDirectory(dir=home.parent) as aside:
        store = open_folder(Path(aside), "loop")
        store.append(Draft(kind="tick", at=AT))
        store.close()
        home.mkdir()
        (Path(aside) / DATABASE).rename(home / DATABASE)
    folder = home / LOGS / "loop"
    folder.mkdir(parents=True)
    return folder


class _History:
    """The tables and the catalogue of a log that is being made."""

    def __init__(self, folder: Path, made: int) -> None:
        names = ("predictions", "labels", "journal")
        self._tables = {name: RowTable(str(folder / name), app=f"ratoon/{name}") for name in names}
        self._catalog = Catalog(folder / "catalog")
        self._parts: dict[str, Any] = vars(self._catalog)
        self._made = made
        self._marks = Marks()
        self._journal: list[tuple[str, Marks]] = []

    def predict(self, run: int, first: int, rows: int) -> None:
        """Append predictions, in entries of 10,000 rows."""
        columns = rows_of.narrow(run, first, rows)
        made = max(0, min(self._made - first, rows))
        others = rows_of.foreign_ids(first + made, rows - made)
        ids = [*make_ids(EPOCH, first, made), *others]
        nothing = pa.nulls(rows, pa.int64())
        body = _rows(ids, first, self._seqs(rows)) | {"label": nothing, "ordinal": nothing}
        body |= {n.replace(":", "_"): _arrow(column) for n, column in columns.items()}
        self._entries("predictions", rows)
        self._append("predictions", body)
        if first == 0 and made:
            self._parts["_made"].append(np.array([EPOCH, 0, self._made]))
        if others:
            self._parts["_ids"].add(others, np.arange(first + made, first + rows))

    def label(self, rows: Numbers) -> None:
        """Append a label for each of these rows, in entries of 10,000."""
        n, first, joined = len(rows), self._marks.labels, self._marks.joined
        texts = pa.array([str(value) for value in rows_of.labels(first, n)])
        body = _rows(ids_of(rows, self._made), first, self._seqs(n)) | {
            "value": texts,
            "kind": pa.array(["integer"] * n),
            "time": pa.nulls(n, pa.timestamp("us", tz="UTC")),
            "prediction": pa.array(rows),
            "ordinal": pa.array(np.arange(joined, joined + n)),
            "source": pa.nulls(n, pa.string()),
        }
        self._entries("labels", n)
        self._append("labels", body)
        numbers = np.arange(first, first + n)
        self._parts["_joined"].append(np.column_stack([rows, numbers]).reshape(-1))
        known = len(self._parts["_labels"])
        of_rows = np.full(int(rows[-1]) + 1 - known, -1)
        of_rows[rows - known] = numbers
        self._parts["_labels"].append(of_rows)

    def _seqs(self, rows: int) -> Numbers:
        return self._marks.entries + 1 + np.arange(rows) // _ENTRY_ROWS

    def _entries(self, kind: str, rows: int) -> None:
        """Write down the entries that bring so many rows."""
        for start in range(0, rows, _ENTRY_ROWS):
            n, marks = min(_ENTRY_ROWS, rows - start), self._marks
            counts = {name: getattr(marks, name) for name in Marks.__slots__}
            counts["entries"] += 1
            for name in ("rows",) if kind == "predictions" else ("labels", "joined"):
                counts[name] += n
            self._marks = Marks(**counts)
            self._journal.append((kind, self._marks))

    def _append(self, name: str, body: dict[str, Any]) -> None:
        self._tables[name].append(pa.table(body), seq=self._marks.entries)

    def flush(self) -> None:
        """Bring the journal and the catalogue to where the tables are."""
        marks = [after for _, after in self._journal]
        seqs = np.array([after.entries for after in marks])
        body = {
            "row": pa.array(seqs - 1),
            "seq": pa.array(seqs),
            "kind": pa.array([kind for kind, _ in self._journal]),
            "arrived_at": pa.array([AT] * len(seqs), pa.timestamp("us", tz="UTC")),
            "note": pa.array(["{}"] * len(seqs)),
        }
        for name in Marks.__slots__:
            body[name] = pa.array([getattr(after, name) for after in marks])
        self._append("journal", body)
        self._catalog.flush(self._marks.entries)
        self._journal = []

    def close(self) -> None:
        """Let go of the files."""
        self._catalog.close()
        for table in self._tables.values():
            table.compact()
            table.close()


def _rows(ids: list[str], first: int, seqs: Numbers) -> dict[str, Any]:
    """Return the columns that all rows have."""
    return {
        "row": pa.array(np.arange(first, first + len(ids))),
        "id": pa.array(ids),
        "seq": pa.array(seqs),
        "arrived_at": pa.array([AT] * len(ids), pa.timestamp("us", tz="UTC")),
    }


def _arrow(column: NDArray[Any]) -> Any:
    if column.dtype.kind == "M":
        return pa.array(column, pa.timestamp("us", tz="UTC"))
    return pa.array(column)
