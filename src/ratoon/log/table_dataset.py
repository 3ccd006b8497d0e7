"""A table as a dataset that other engines read."""

from __future__ import annotations

from typing import Any, Self, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from ratoon.log.files import DataFile, TableState
from ratoon.log.table_checked import CheckedFiles
from ratoon.log.table_columns import kinds


class CheckedDataset(pads.FileSystemDataset):
    """One version of a table; before files are scanned all their bytes are checked.

    Only files that may match the filter are checked and opened. They are checked here and not as
    they are opened, for pyarrow opens them on threads of its own: there it cannot call Python
    while the thread that waits for it holds the interpreter (`Scanner.to_reader`, by which
    DuckDB reads, does not let go of it).
    """

    def __init__(self, checked: CheckedFiles, state: TableState) -> None:
        """Take the files of one version."""
        dataset = cast("Any", pads)
        options = dataset.ParquetFragmentScanOptions(
            pre_buffer=checked.is_remote, page_checksum_verification=True
        )
        parquet = dataset.ParquetFileFormat(default_fragment_scan_options=options)
        filesystem = checked.filesystem
        fragments = [
            parquet.make_fragment(
                file.name,
                filesystem=filesystem,
                partition_expression=_known(file, state.schema),
                file_size=file.size,
            )
            for file in state.files.files
        ]
        cast("Any", super()).__init__(fragments, state.schema, parquet, filesystem)
        self._checked = checked
        self._whole: Any = self  # without a filter: pyarrow lists the files of such a one alone
        self._mask: Any = None

    def filter(self, expression: Any) -> Self:
        """Return the rows for which an expression is true, as a dataset."""
        found: Any = super().filter(expression)
        found._checked = self._checked  # noqa: SLF001 - pyarrow makes it without `__init__`
        found._whole = self._whole  # noqa: SLF001
        found._mask = expression if self._mask is None else self._mask & expression  # noqa: SLF001
        return found

    def scanner(self, *arguments: Any, **named: Any) -> Any:
        """Return a scanner over files that are whole.

        Raises:
            FileCorrupt: A file is missing, or its bytes are not those that were written.
        """
        wanted = named.get("filter")
        masks = [mask for mask in (self._mask, wanted) if mask is not None]
        mask = masks[0] & masks[1] if len(masks) > 1 else masks[0] if masks else None
        self._checked.check([fragment.path for fragment in self._whole.get_fragments(mask)])
        return cast("Any", super()).scanner(*arguments, **named)


def _known(file: DataFile, schema: pa.Schema) -> Any:
    """Return an expression that is true of every row of a file."""
    column = cast("Any", pc).field("row")
    known: Any = (column >= file.first) & (column <= file.last)
    for span in file.spans:
        if not span.nulls:
            column, kind = cast("Any", pc).field(span.column), kinds(schema)[span.column]
            known &= column >= cast("Any", pa).scalar(span.low, kind)
            known &= column <= cast("Any", pa).scalar(span.high, kind)
    return known
