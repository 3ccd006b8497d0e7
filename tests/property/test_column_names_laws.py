"""How features are called in tables: whatever their names are, and in whichever order they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ratoon.stores.shapes import inner, outer, outer_names

NAMES = st.lists(st.text(alphabet="aAbB %=Ää1_", max_size=4), max_size=12, unique=True)


@given(NAMES, st.integers(0, 12))
def test_names_of_columns(names: list[str], cut: int) -> None:
    """No two are the same but for case, each leads back, and later columns change none."""
    wanted = [f"feature:{name}" for name in names]
    found = outer_names(wanted)
    assert len({one.lower() for one in found.values()}) == len(wanted)
    assert [inner(found[name]) for name in wanted] == wanted
    first = outer_names(wanted[:cut])
    assert outer_names(wanted, known=list(first.values())) == found
    assert outer_names(wanted, known=list(found.values())) == found


@given(NAMES)
def test_names_without_a_rival_stay_plain(names: list[str]) -> None:
    """A name is encoded only where another one differs from it in case alone."""
    wanted = [f"feature:{name}" for name in names]
    lone = [one for one in wanted if sum(one.lower() == other.lower() for other in wanted) == 1]
    found = outer_names(wanted)
    assert all(found[name] == outer(name) for name in lone)
