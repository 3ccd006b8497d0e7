"""Every store keeps the contract of `ratoon.stores.protocol.Store`.

A new store joins `MAKERS`; nothing else is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ratoon.stores import MemoryStore
from ratoon.stores.folder import open_folder
from ratoon.stores.protocol import Store
from ratoon.testing import CrashingStore, store_checks
from ratoon.testing.drafts import StoreMaker
from ratoon.testing.stores import StoreCheck


def in_memory(_home: Path) -> StoreMaker:
    """Keep the stores by their loops' names: opening again gives the same one."""
    stores: dict[str, Store] = {}
    return lambda loop: stores.setdefault(loop, MemoryStore())


def in_folder(home: Path) -> StoreMaker:
    """Open a store of its own at each call, all below one folder."""
    return lambda loop: open_folder(home, loop)


def crashing(_home: Path) -> StoreMaker:
    """Put a store in between that would die at a write that never comes."""
    stores: dict[str, Store] = {}
    return lambda loop: stores.setdefault(loop, CrashingStore(MemoryStore()))


MAKERS = {"memory": in_memory, "folder": in_folder, "crashing": crashing}


@pytest.fixture(params=sorted(MAKERS))
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreMaker]:
    """Open stores of one kind, and close them in the end."""
    opened: list[Store] = []
    maker: Callable[[str], Store] = MAKERS[request.param](tmp_path)

    def make(loop: str) -> Store:
        opened.append(maker(loop))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.mark.parametrize("check", store_checks(), ids=lambda check: check.__name__)
def test_store(check: StoreCheck, make_store: StoreMaker) -> None:
    """The store passes each check of the public kit."""
    check(make_store)
