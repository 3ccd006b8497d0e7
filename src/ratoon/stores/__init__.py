"""Where state lives: rows in a log, records in a book, models in a vault."""

from ratoon.stores.memory import MemoryStore
from ratoon.stores.protocol import (
    Draft,
    Entry,
    Forgotten,
    Keeping,
    LabelledRows,
    Receipt,
    Record,
    Saved,
    Store,
)
from ratoon.stores.vault import FileVault, MemoryVault, Vault

__all__ = [
    "Draft",
    "Entry",
    "FileVault",
    "Forgotten",
    "Keeping",
    "LabelledRows",
    "MemoryStore",
    "MemoryVault",
    "Receipt",
    "Record",
    "Saved",
    "Store",
    "Vault",
]
