"""What tests of one's own are made of: check kits for extensions, a clock and a store that dies.

A store of one's own passes `check_store`, or, one test a check::

    @pytest.mark.parametrize("check", store_checks())
    def test_my_store(check, tmp_path):
        check(lambda loop: MyStore(tmp_path, loop))

A loop of one's own is tried in `VirtualClock` time, and against a process that dies at any write
by a `CrashingStore`::

    store = SqlStore(sqlite_engine(tmp_path / "ratoon.db"), "fraud")
    loop = Loop(
        "fraud", trainer=train, store=CrashingStore(store, at=17), vault=FileVault(tmp_path)
    )
"""

from ratoon.engine.clocks import VirtualClock
from ratoon.testing.crashes import Crash, CrashingStore
from ratoon.testing.stores import check_store, store_checks

__all__ = ["Crash", "CrashingStore", "VirtualClock", "check_store", "store_checks"]
