"""Where state lives: journal, rows, records, models and snapshots."""

from ratoon.stores.memory import MemoryStore
from ratoon.stores.protocol import Draft, Entry, Receipt, Record, Saved, Store
from ratoon.stores.vault import FileVault, MemoryVault, Vault

__all__ = [
    "Draft",
    "Entry",
    "FileVault",
    "MemoryStore",
    "MemoryVault",
    "Receipt",
    "Record",
    "Saved",
    "Store",
    "Vault",
]
