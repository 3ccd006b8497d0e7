"""Metrics of counts and amounts: deviances of the Tweedie family."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ratoon.core.errors import SettingInvalid
from ratoon.core.settings import finite
from ratoon.metrics.checking import numbers, refuse
from ratoon.metrics.means import OfMean
from ratoon.windows.judged import Floats, Judged

_POISSON, _GAMMA = 1.0, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviance(OfMean):
    """The mean deviance of labels from outputs: Poisson for counts, gamma for amounts.

    With label y, output m and power p the loss of a row, in which the variance of labels grows
    as m^p, is

        p = 1, Poisson: 2 (y ln(y/m) - y + m), for counts
        p = 2, gamma: 2 (ln(m/y) + y/m - 1), for amounts above 0
        else, Tweedie: 2 (y^(2-p)/((1-p)(2-p)) - y m^(1-p)/(1-p) + m^(2-p)/(2-p))

    Powers between 1 and 2 suit amounts that are often 0, as claims of insurance. stderr = s/√n; it
    is poor where a few large labels rule. Outputs must be above 0, labels at least 0, and above 0
    for p >= 2; others raise `ValueForbidden`. Its name is "poisson_deviance", "gamma_deviance" or
    "tweedie_deviance".

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.core.measuring import Window
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([1.0, 2.0]))
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([0.0, 2.0]), scored=said)
    >>> Deviance().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    1.0

    Source: Jørgensen (1987), "Exponential dispersion models", JRSS B 49, 127-162.
    """

    tasks = frozenset({"regression"})

    power: float = 1.0  # 1 or more: how the variance of labels grows with their mean

    def __post_init__(self) -> None:
        """Check the setting."""
        finite("power", self.power)
        if self.power < _POISSON:
            raise SettingInvalid("power", "at least 1", self.power)

    @property
    def name(self) -> str:
        """The name, by the power."""
        names = {_POISSON: "poisson_deviance", _GAMMA: "gamma_deviance"}
        return names.get(self.power, "tweedie_deviance")

    def losses(self, judged: Judged, /) -> Floats:
        """Return the deviance of each row."""
        labels, outputs = numbers(self, judged)
        refuse(outputs <= 0, "outputs", "above 0", outputs)
        if self.power >= _GAMMA:
            refuse(labels <= 0, "labels", "above 0", labels)
        refuse(labels < 0, "labels", "at least 0", labels)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return np.maximum(2.0 * self._halves(labels, outputs), 0.0)

    def _halves(self, labels: Floats, outputs: Floats) -> Floats:
        if self.power == _POISSON:
            ratio = np.where(labels > 0, labels / outputs, 1.0)
            return labels * np.log(ratio) - labels + outputs
        if self.power == _GAMMA:
            ratio = labels / outputs
            return ratio - np.log(ratio) - 1.0
        one, two = 1.0 - self.power, 2.0 - self.power
        return labels**two / (one * two) - labels * outputs**one / one + outputs**two / two
