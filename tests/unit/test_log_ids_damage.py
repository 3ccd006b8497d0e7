"""Whatever is wrong with a file of the index is said, with the name of the file."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from ratoon.core.errors import StoreDamaged, StoreNewer
from ratoon.log.ids import IdIndex
from ratoon.log.ids_run import BLOCK_ROWS, HEADER, Run
from tests.unit.ids_world import files, filled, place_of, run_of


def flipped(path: Path, at: int) -> None:
    """Flip a bit of the byte at `at`."""
    body = bytearray(path.read_bytes())
    body[at] ^= 4
    path.write_bytes(body)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.999])
def test_a_run_that_is_cut_short_is_named(tmp_path: Path, share: float) -> None:
    """A run that lacks its end does not open."""
    filled(tmp_path, 2000).close()
    path = run_of(tmp_path)
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * share)])
    with pytest.raises(StoreDamaged, match=path.name):
        IdIndex(tmp_path)


def test_a_run_that_is_missing_is_named(tmp_path: Path) -> None:
    """A run that the list names and that is not there is damage."""
    filled(tmp_path, 20).close()
    path = run_of(tmp_path)
    path.unlink()
    with pytest.raises(StoreDamaged, match=f"{path.name} is missing"):
        IdIndex(tmp_path)


def test_a_run_of_another_index_is_named(tmp_path: Path) -> None:
    """A whole run in the place of another is damage too."""
    filled(tmp_path / "a", 20).close()
    filled(tmp_path / "b", 21).close()
    path = run_of(tmp_path / "a")
    path.write_bytes(run_of(tmp_path / "b").read_bytes())
    with pytest.raises(StoreDamaged, match=f"{path.name} is not the run that the list names"):
        IdIndex(tmp_path / "a")


def test_a_block_is_checked_when_it_is_first_touched(tmp_path: Path) -> None:
    """A bad block raises for the ids in it, in a search and in a merge; other ids are found."""
    filled(tmp_path, 5000).close()
    path = run_of(tmp_path)
    order = sorted(range(5000), key=place_of)
    in_last, in_first = f"order-{order[-1]}", f"order-{order[0]}"
    shape = Run(path).shape
    flipped(path, shape.table_at - 1)
    index = IdIndex(tmp_path)
    assert index.find([in_first]).tolist() == [order[0]]
    with pytest.raises(StoreDamaged, match=rf"{path.name} is not as it was written at byte \d+"):
        index.find([in_last])
    with pytest.raises(StoreDamaged, match=rf"{path.name} has block {5000 // BLOCK_ROWS} not as"):
        index.remove([in_first])
    anew = IdIndex.anew(tmp_path)
    assert anew.find([in_first, in_last]).tolist() == [-1, -1]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"schema": 1}', b"\xff\xfe"])
def test_a_list_that_is_no_list_is_named(tmp_path: Path, body: bytes) -> None:
    """A list that cannot be read is damage; `anew` makes an empty index of the folder."""
    filled(tmp_path, 20).close()
    (tmp_path / "ids.json").write_bytes(body)
    with pytest.raises(StoreDamaged, match=r"ids\.json is no list of runs"):
        IdIndex(tmp_path)
    index = IdIndex.anew(tmp_path)
    assert index.find(["order-1"]).tolist() == [-1]
    assert set(files(tmp_path)) == set()


def test_a_list_that_was_changed_is_named(tmp_path: Path) -> None:
    """A number in the list that is not the one written is damage."""
    filled(tmp_path, 20).close()
    path = tmp_path / "ids.json"
    body = json.loads(path.read_text())
    body["index"]["covered"] += 1
    path.write_text(json.dumps(body))
    with pytest.raises(StoreDamaged, match=r"ids\.json is not as it was written"):
        IdIndex(tmp_path)


def test_files_of_a_newer_ratoon_are_refused(tmp_path: Path) -> None:
    """Files of a format that is not known yet are not read as if they were of this one."""
    filled(tmp_path, 20).close()
    path, listing = run_of(tmp_path), tmp_path / "ids.json"
    body = path.read_bytes()
    head = bytearray(body[: HEADER.size])
    head[8] = 2
    path.write_bytes(bytes(head) + zlib.crc32(head).to_bytes(4, "little") + body[len(head) + 4 :])
    with pytest.raises(StoreNewer, match=path.name):
        IdIndex(tmp_path)
    about: dict[str, Any] = json.loads(listing.read_text())
    about["schema"] = 2
    listing.write_text(json.dumps(about))
    with pytest.raises(StoreNewer, match=r"ids\.json"):
        IdIndex(tmp_path)


def test_a_file_that_is_no_run_is_named(tmp_path: Path) -> None:
    """Another kind of file in the place of a run is damage."""
    filled(tmp_path, 20).close()
    path = run_of(tmp_path)
    body = path.read_bytes()
    head = b"otherXYZ" + body[8 : HEADER.size]
    path.write_bytes(head + zlib.crc32(head).to_bytes(4, "little") + body[len(head) + 4 :])
    with pytest.raises(StoreDamaged, match=f"{path.name} is no run of ids"):
        IdIndex(tmp_path)
