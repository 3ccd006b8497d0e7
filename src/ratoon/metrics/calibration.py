"""Whether probabilities mean what they say: the expected calibration error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.core.settings import whole
from ratoon.metrics.checking import check_task, labels_of, probabilities
from ratoon.metrics.influence import inflation, told, undefined
from ratoon.windows.judged import Floats, Judged, Target

_BINARY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Rows in bins of equal width of a probability: how much more was promised than came true."""

    counts: tuple[int, ...]
    excess: tuple[float, ...]  # Σ (probability - came true) of each bin
    squares: float  # Σ (probability - came true)² of all rows

    def __add__(self, other: Reliability) -> Reliability:
        """Merge with other rows."""
        if len(self.counts) != len(other.counts):
            raise SettingInvalid("bins", f"as many, {len(self.counts)}", len(other.counts))
        return Reliability(
            counts=tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)),
            excess=tuple(a + b for a, b in zip(self.excess, other.excess, strict=True)),
            squares=self.squares + other.squares,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationError:
    """The expected calibration error (ECE): how far probabilities are from what comes true.

    Rows are put in bins of equal width by a probability p; ECE = Σ over bins of |Σ (p - came
    true)| / n. Of two classes p is that of the second one, of several that of the class with the
    highest score, which comes true where it is the label (Guo et al.).

    stderr by the delta method with the sign of each bin held fixed. It is poor where a bin is
    calibrated, for then chance makes its sign, and the value is biased upwards: a calibrated model
    of n rows in b bins is at about √(b/n) · 0.3. Compare windows of like size only, and prefer
    `Brier` or `LogLoss` where a model is to be compared.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.zeros(2), scores=np.array([[0.25, 0.75], [0.25, 0.75]]))
    >>> judged = Judged(target=target, labels=np.array([1.0, 0.0]), scored=said)
    >>> CalibrationError().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.25

    Source: Naeini, Cooper & Hauskrecht (2015), "Obtaining well calibrated probabilities using
    Bayesian binning", AAAI, equation 3; Guo et al. (2017), "On calibration of modern neural
    networks", ICML, equation 3, for several classes.
    """

    name = "calibration_error"
    tasks = frozenset({"binary", "multiclass"})
    greater_is_better = False
    value_range = (0.0, 1.0)

    bins: int = 10

    def __post_init__(self) -> None:
        """Check the setting."""
        whole("bins", self.bins, least=1)

    @property
    def part(self) -> str:
        """The bins that it is told from."""
        return f"reliability in {self.bins} bins"

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the calibration error."""
        return self.tell(self.count(judged), judged.target, window)

    def count(self, judged: Judged, /) -> Reliability:
        """Return what was promised and what came true, bin by bin."""
        said, true = self._promised(judged)
        places = np.minimum((said * self.bins).astype(np.intp), self.bins - 1)
        excess = said - true
        return Reliability(
            counts=tuple(np.bincount(places, minlength=self.bins).tolist()),
            excess=tuple(np.bincount(places, excess, minlength=self.bins).tolist()),
            squares=float(excess @ excess),
        )

    def tell(self, part: Reliability, target: Target, window: Window, /) -> Measurement:
        """Measure what rows have left behind."""
        check_task(self, target)
        rows = sum(part.counts)
        if rows == 0:
            return undefined(self.name, window, 0)
        value = math.fsum(abs(excess) for excess in part.excess) / rows
        spread = max(0.0, part.squares - rows * value**2)
        stderr = math.sqrt(spread) / rows * inflation(rows)
        return told(self.name, window, rows, value, stderr)

    def losses(self, judged: Judged, /) -> None:
        """Return None: bins have an error, rows have none."""
        check_task(self, judged.target)

    def bound(self, target: Target, /) -> None:
        """Return None: there are no row losses."""
        check_task(self, target)

    def _promised(self, judged: Judged) -> tuple[Floats, Floats]:
        """Return a probability of each row, and 1 where it came true, else 0."""
        scores, labels = probabilities(self, judged), labels_of(judged)
        if judged.target.task == "binary":
            return scores[:, 1], labels.astype(np.float64)
        top = scores.argmax(axis=1)
        return scores[np.arange(len(top)), top], (top == labels).astype(np.float64)
