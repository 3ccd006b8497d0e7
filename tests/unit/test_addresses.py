"""Ids that are addresses."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ratoon.stores.addresses import Addresses, address_rows, make_ids, parse

EMPTY = np.empty(0, dtype=np.int64)


def test_an_id_says_where_its_row_is() -> None:
    """What was made from an epoch and a row gives both again."""
    ids = make_ids(0xFFFFFFFF, 2**40, 3)
    epochs, rows = parse(ids)
    assert epochs.tolist() == [0xFFFFFFFF] * 3
    assert rows.tolist() == [2**40, 2**40 + 1, 2**40 + 2]


def test_other_ids_are_no_addresses() -> None:
    """Texts of another length, with other letters or a dash elsewhere are no addresses."""
    made = make_ids(0xAB, 0xAB, 1)[0]
    others = ["", "p1", made.upper(), made[:-1], made + "0", made.replace("-", "_"), "ä" * 21]
    others += [made[:4] + "-" + made[5:8] + "0" + made[9:], made[:-1] + "g"]
    epochs, rows = parse(others)
    assert set(epochs.tolist()) == {-1}
    assert set(rows.tolist()) == {-1}


def test_an_address_of_another_place_is_a_plain_id() -> None:
    """An id that looks like an address, but of another row than its own, is no address of it."""
    ids = [*make_ids(7, 10, 2), "mine", *make_ids(7, 99, 1)]
    assert address_rows(ids, 10 + np.arange(4)).tolist() == [7, 7, -1, -1]


batches = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 4)), min_size=1, max_size=12
)  # epoch (2: ids of others) and rows


@given(batches)
def test_addresses_find_what_they_took_in(batches: list[tuple[int, int]]) -> None:
    """Addresses of rows that came are found, in any mixture with ids of others; no other is."""
    addresses, kept, first = Addresses(EMPTY), EMPTY, 0
    made: dict[str, int] = {}
    for epoch, rows in batches:
        if epoch < 2:
            ids = make_ids(epoch, first, rows)
            made |= {row_id: first + row for row, row_id in enumerate(ids)}
            addresses.take_in(address_rows(ids, first + np.arange(rows)), first)
            new = addresses.new()
            addresses.kept()
            kept = np.append(kept[: 3 * len(addresses) - len(new)], new)
        first += rows
    asked = [row_id for epoch in (0, 1) for row_id in make_ids(epoch, 0, first + 1)]
    expected = [made.get(row_id, -1) for row_id in asked]
    if made:
        assert addresses.find(asked).tolist() == expected
        assert Addresses(kept).find(asked).tolist() == expected
