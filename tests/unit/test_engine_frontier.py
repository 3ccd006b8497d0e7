"""The frontier of loss against fits, and who is cheapest at which price."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ratoon.engine.frontier import Point, cheapest_by_price, undominated

_POINTS = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 12)), min_size=1, max_size=9).map(
    lambda found: [
        Point(name=f"policy {k}", loss=float(loss), fits=fits)
        for k, (loss, fits) in enumerate(found)
    ]
)


@given(points=_POINTS)
def test_undominated_is_what_nothing_beats(points: list[Point]) -> None:
    """By the definition, for every pair; the order is that of the fits."""
    by_name = {point.name: point for point in points}
    kept = undominated(points)
    for point in points:
        beaten = any(
            (o.loss <= point.loss and o.fits < point.fits)
            or (o.loss < point.loss and o.fits <= point.fits)
            for o in points
        )
        assert (point.name in kept) != beaten
    assert all(by_name[a].fits <= by_name[b].fits for a, b in pairwise(kept))


@given(points=_POINTS, price=st.floats(0, 300))
def test_the_cheapest_is_the_cheapest_at_every_price(points: list[Point], price: float) -> None:
    """At any price the stretch that holds it names a policy that costs as little as any."""
    by_name = {point.name: point for point in points}
    stretches = cheapest_by_price(points)
    here = [s for s in stretches if s.low <= price and (s.high is None or price <= s.high)]
    least = min(point.cost(price) for point in points)
    assert here
    assert all(abs(by_name[s.name].cost(price) - least) < 1e-6 for s in here)


@given(points=_POINTS)
def test_stretches_cover_all_prices_once(points: list[Point]) -> None:
    """They begin at 0, each where the one before ends, and the last has no end."""
    stretches = cheapest_by_price(points)
    assert stretches[0].low == 0
    assert stretches[-1].high is None
    assert all(a.high == b.low for a, b in pairwise(stretches))
    assert {s.name for s in stretches} <= set(undominated(points))
