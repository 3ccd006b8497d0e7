"""`ratoon data`: the commands on the data under a loop, one file each."""

from ratoon.cli.data.blame import blame
from ratoon.cli.data.check import check
from ratoon.cli.data.diff import diff
from ratoon.cli.data.export import export
from ratoon.cli.data.forget import forget
from ratoon.cli.data.labels import labels
from ratoon.cli.data.prune import prune
from ratoon.cli.data.quarantine import quarantine
from ratoon.cli.data.release import release
from ratoon.cli.data.show import show
from ratoon.cli.data.sql import sql
from ratoon.cli.data.versions import versions

__all__ = [
    "blame",
    "check",
    "diff",
    "export",
    "forget",
    "labels",
    "prune",
    "quarantine",
    "release",
    "show",
    "sql",
    "versions",
]
