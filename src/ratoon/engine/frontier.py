"""Error against cost: which policies are worth a look, and which is cheapest at which price."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a policy lost, and how many fits it took."""

    name: str
    loss: float  # summed row losses
    fits: int  # models trained after the first

    def cost(self, price: float) -> float:
        """Return the loss and the fits at a price each."""
        return self.loss + price * self.fits


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The prices of a fit at which one policy costs least."""

    name: str
    low: float
    high: float | None  # None: however dear a fit is


def undominated(points: Sequence[Point]) -> tuple[str, ...]:
    """Return the policies that no other beats in one of loss and fits without losing in the other.

    They come in the order of their fits. Of two that are equal in both, both are there.

    Example:
        >>> never = Point(name="never", loss=90, fits=0)
        >>> ours, often = (
        ...     Point(name="ours", loss=40, fits=3),
        ...     Point(name="often", loss=45, fits=9),
        ... )
        >>> undominated([often, ours, never])
        ('never', 'ours')
    """
    kept = [point for point in points if not any(_beats(other, point) for other in points)]
    return tuple(point.name for point in sorted(kept, key=lambda p: (p.fits, p.loss)))


def cheapest_by_price(points: Sequence[Point]) -> tuple[Stretch, ...]:
    """Return which policy costs least at which price of a fit, from a price of 0 upwards.

    Loss + price x fits is a straight line for each policy; what costs least is the lower envelope
    of the lines. Where two meet, the one with fewer fits goes on. Policies that are nowhere the
    cheapest are not named.

    Example:
        >>> never = Point(name="never", loss=90, fits=0)
        >>> ours = Point(name="ours", loss=40, fits=5)
        >>> [(s.name, s.low, s.high) for s in cheapest_by_price([never, ours])]
        [('ours', 0.0, 10.0), ('never', 10.0, None)]
    """
    if not points:
        return ()
    now, low = min(points, key=lambda p: (p.loss, p.fits)), 0.0
    found: list[Stretch] = []
    while fewer := [p for p in points if p.fits < now.fits]:
        price, _, after = min(
            (((p.loss - now.loss) / (now.fits - p.fits), p.fits, p) for p in fewer),
            key=lambda meeting: meeting[:2],
        )
        if price > low:
            found.append(Stretch(name=now.name, low=low, high=price))
        now, low = after, max(low, price)
    found.append(Stretch(name=now.name, low=low, high=None))
    return tuple(found)


def _beats(one: Point, other: Point) -> bool:
    """Tell whether one is as good in both and better in one; an undefined loss beats nothing."""
    if math.isnan(one.loss):
        return False
    if math.isnan(other.loss):
        return True
    as_good = one.loss <= other.loss and one.fits <= other.fits
    return as_good and (one.loss, one.fits) != (other.loss, other.fits)
