"""What an estimate says: a measurement that no label has confirmed, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ratoon.core.measuring import Measurement

_NORMAL_95 = 1.959963984540054  # the 97.5% quantile of the normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """An assumption of an estimate that can be looked at without labels, and how it looked."""

    name: str
    value: float
    limit: float  # what the value is held against
    passed: bool
    told: str  # in words, with the numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A metric of a window without its labels: value, standard error, and what must hold for it.

    The standard error is that of the estimate against the metric on the labels that are to come,
    if the assumptions hold: chance in these labels, and chance in the reference. What it never
    holds is a broken assumption; `Trust` looks for those when labels have come.

    >>> from ratoon.core.measuring import Window
    >>> from ratoon.core.times import EPOCH
    >>> said = Measurement(
    ...     metric="accuracy",
    ...     window=Window(start=EPOCH, end=EPOCH),
    ...     value=0.9,
    ...     n=100,
    ...     stderr=0.02,
    ... )
    >>> estimate = Estimate(measurement=said, method="cbpe", assumptions=("no concept drift",))
    >>> [round(end, 3) for end in estimate.band]
    [0.861, 0.939]
    >>> estimate.without("it was wrong").measurement.value is None
    True
    """

    measurement: Measurement
    method: str  # such as "cbpe"
    assumptions: tuple[str, ...]  # none of these follows from the data; all are needed
    checks: tuple[Check, ...] = field(default=())
    sampling_error: float | None = None  # NannyML's: reference deviation / √n; None: not defined
    withdrawn: str | None = None  # why the value was taken back; None: it was not

    @property
    def band(self) -> tuple[float, float] | None:
        """Where the metric on the labels lies with 95%, by the normal law; None if unknown."""
        value, stderr = self.measurement.value, self.measurement.stderr
        if value is None or stderr is None:
            return None
        return value - _NORMAL_95 * stderr, value + _NORMAL_95 * stderr

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the checks that failed say."""
        return tuple(check.told for check in self.checks if not check.passed)

    def without(self, reason: str) -> Estimate:
        """Return the estimate with its value taken back, and why."""
        blank = replace(self.measurement, value=None, stderr=None)
        return replace(self, measurement=blank, sampling_error=None, withdrawn=reason)


def at_most(name: str, value: float, limit: float, told: str) -> Check:
    """Return the check that `value` is at most `limit`."""
    return Check(name=name, value=value, limit=limit, passed=value <= limit, told=told)


def at_least(name: str, value: float, limit: float, told: str) -> Check:
    """Return the check that `value` is at least `limit`."""
    return Check(name=name, value=value, limit=limit, passed=value >= limit, told=told)
