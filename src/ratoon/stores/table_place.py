"""Where the tables of a log lie: beside the rest of it, or where they were asked for once."""

from __future__ import annotations

import json
from pathlib import Path

from ratoon.core.errors import SettingInvalid
from ratoon.log import disk

_PLACE = "tables.json"


def table_place(folder: Path, asked: str | None, writable: bool) -> str:  # noqa: FBT001 - one caller
    """Return where the tables lie: where they were first put, else where they are asked for.

    Raises:
        SettingInvalid: they lie elsewhere already.
    """
    note = folder / _PLACE
    known: str | None = json.loads(note.read_text())["tables"] if note.exists() else None
    if known is not None and asked not in (None, known):
        raise SettingInvalid("tables", f"{known!r}, where they have been so far", asked)
    if known is None and asked is not None and writable:
        if (folder / "journal").exists():
            raise SettingInvalid("tables", "None: they lie in the loop's folder already", asked)
        disk.make_folder(folder)
        disk.write_durably(note, json.dumps({"tables": asked}).encode())
    return known or asked or str(folder)
