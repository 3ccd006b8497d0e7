"""Rows handed out as an Apache Iceberg table, by pyiceberg (`pip install 'ratoon[iceberg]'`)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

from ratoon.core.errors import RatoonError, SettingInvalid

_NAMESPACE = "ratoon"
_FILE_BYTES = 128 << 20  # of a data file, about; so much is held in memory


def export(found: Any, folder: Path, name: str) -> Path:
    """Write record batches to a new Iceberg table, in one snapshot.

    No catalog is needed to read it: the table is known by its metadata file, which
    `metadata/version-hint.text` names. Another catalog takes it over with `register_table`.

    Args:
        found: a `pyarrow.RecordBatchReader`; it is read as it is written.
        folder: where the table goes; it must be new or empty.
        name: of the table.

    Returns:
        The metadata file.

    Raises:
        SettingInvalid: there is something in the folder.
        RatoonError: pyiceberg is not installed.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingInvalid("destination", "a folder that is new or empty", str(folder))
    place = folder.resolve()
    catalog, made = _catalog(place), not place.exists()
    try:
        (place / "data").mkdir(parents=True)
        try:
            catalog.create_namespace(_NAMESPACE)
            table = catalog.create_table(
                f"{_NAMESPACE}.{name}",
                schema=found.schema,
                location=str(place),
                properties={"write.target-file-size-bytes": str(_FILE_BYTES)},
            )
            table.append(found)
            metadata = Path(table.metadata_location)
        finally:
            catalog.close()
        hint = metadata.name.removesuffix(".metadata.json")
        (metadata.parent / "version-hint.text").write_text(hint)
    except BaseException:
        _undo(place, made=made)
        raise
    return metadata


def _catalog(place: Path) -> Any:
    """Return a catalog that lives as long as this process."""
    try:
        import pyiceberg.catalog as iceberg  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra, which the type checker may lack
    except ImportError as error:
        fact = "pyiceberg is not installed, which writes Iceberg tables"
        raise RatoonError(fact, hint="pip install 'ratoon[iceberg]'") from error
    return cast("Any", iceberg).load_catalog(_NAMESPACE, type="in-memory", warehouse=str(place))


def _undo(place: Path, *, made: bool) -> None:
    """Remove what was written of a table that did not become whole."""
    for part in ("data", "metadata"):
        shutil.rmtree(place / part, ignore_errors=True)
    if made and place.exists() and not any(place.iterdir()):
        place.rmdir()
