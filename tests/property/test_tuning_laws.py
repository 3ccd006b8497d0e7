"""Laws of the search: nothing is lost or seen twice between the parts, and lines make triggers."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

from hypothesis import given, reject, settings
from hypothesis import strategies as st

import ratoon as rt
from ratoon.core.errors import SettingInvalid
from ratoon.engine import Arrival, History
from ratoon.engine.tuning.lines import python
from ratoon.engine.tuning.parts import parted
from tests.unit.tuning_world import history, loop

WHOLE = history(400)
BEGUN = [one for one in WHOLE.arrivals if one.kind == "predict"]
TRUTH = {
    name: value
    for one in WHOLE.arrivals
    if one.kind == "label"
    for name, value in zip(one.ids, one.values, strict=True)
}


@st.composite
def told(draw: st.DrawFn) -> History:
    """That history with labels in any order, some never, some before their prediction."""
    names = draw(st.permutations(sorted(TRUTH)))
    kept = names[: draw(st.integers(len(names) // 4, len(names)))]
    cuts = sorted(draw(st.lists(st.integers(0, len(kept)), min_size=1, max_size=12)))
    found = list(BEGUN)
    for start, stop in zip([0, *cuts], [*cuts, len(kept)], strict=True):
        ids = tuple(kept[start:stop])
        if ids:
            at = draw(st.integers(-3, 400))
            found.append(
                Arrival(
                    at=WHOLE.at + timedelta(days=at),
                    kind="label",
                    ids=ids,
                    values=tuple(TRUTH[name] for name in ids),
                )
            )
    return dataclasses.replace(WHOLE, arrivals=tuple(sorted(found, key=lambda one: one.at)))


def names(arrivals: tuple[Arrival, ...], kind: str) -> list[str]:
    return [name for one in arrivals if one.kind == kind for name in one.ids]


@settings(max_examples=60)
@given(told(), st.floats(0.05, 0.95))
def test_no_row_is_lost_or_judged_twice(whole: History, share: float) -> None:
    """A labelled row is known at the cut or judged behind it, once, with the label that it had."""
    try:
        parts = parted(whole, share)
    except SettingInvalid:
        reject()
    early, late = parts.search.arrivals, parts.held_out.arrivals
    assert early == whole.arrivals[: len(early)]
    joined = set(names(early, "predict")) & set(names(early, "label"))
    later = set(names(late, "predict")) & set(names(late, "label"))
    assert not joined & (set(names(late, "predict")) | set(names(late, "label")))
    assert joined | later == set(names(whole.arrivals, "label"))
    assert len(parts.held_out.labels) == len(WHOLE.labels) + len(joined)
    assert len(names(late, "predict")) == len(set(names(late, "predict")))
    assert [one.at for one in late] == sorted(one.at for one in late)


@settings(max_examples=5, deadline=None)
@given(told())
def test_both_parts_can_be_replayed(whole: History) -> None:
    """A loop lives through each part, and judges every row that is labelled there."""
    try:
        parts = parted(whole, 0.3)
    except SettingInvalid:
        reject()
    for part in (parts.search, parts.held_out):
        found = rt.replay(loop(), part).rows[0]
        both = set(names(part.arrivals, "predict")) & set(names(part.arrivals, "label"))
        assert len(found.losses) == len(both)


numbers = st.floats(1e-3, 1e6, allow_nan=False).map(lambda x: float(f"{x:.4g}"))
single = st.one_of(
    st.builds(rt.triggers.WorthIt, numbers, memory=st.integers(1, 9)),
    st.builds(lambda s: rt.triggers.Every(timedelta(seconds=s)), st.integers(1, 10**8)),
    st.builds(lambda d: rt.triggers.Every(days=d), numbers.filter(lambda x: x < 1e5)),
    st.builds(lambda x, n: rt.triggers.Degraded(by=x, windows=n), numbers, st.integers(1, 9)),
    st.builds(rt.triggers.NewLabels, st.integers(1, 10**6)),
    st.builds(lambda x: rt.triggers.Drift(detector=rt.detectors.Cusum(threshold=x)), numbers),
    st.builds(rt.triggers.On, st.text(min_size=1, max_size=20)),
    st.just(rt.triggers.Never()),
)


@given(
    st.recursive(
        single,
        lambda inner: st.one_of(
            st.builds(lambda a, b: a | b, inner, inner),
            st.builds(lambda a, b: a & b, inner, inner),
            st.builds(
                lambda a, b, s: rt.triggers.AtLeast(1, a, b, within=timedelta(seconds=s)),
                inner,
                inner,
                st.integers(1, 10**7),
            ),
        ),
        max_leaves=5,
    )
)
def test_a_line_makes_its_trigger(trigger: Any) -> None:
    """What is printed for a trigger makes an equal one."""
    assert eval(python(trigger), {"rt": rt}) == trigger
