"""DDM and EDDM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from river.drift import binary as river

from ratoon.core.measuring import Measurement, RowRange, Window
from ratoon.core.times import EPOCH
from ratoon.detectors import DDM, EDDM
from tests.unit.detectors_streams import alarms, legacy, of_river, stepwise

PAPER_DDM = DDM(least_errors=0.0)
PAPER_EDDM = EDDM(least_errors=0, alpha=0.95, beta=0.9)


def naive_ddm(detector: DDM, values: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Gama et al., section 3: all rates anew at every loss."""
    first = 0
    for last in range(len(values)):
        x = np.asarray(values[first : last + 1])
        i = np.arange(1, len(x) + 1)
        p = np.cumsum(x) / i
        s = np.sqrt(p * (1 - p) / i)
        ready = (i > detector.warm_up) & (np.cumsum(x) >= detector.least_errors)
        if not ready.any():
            continue
        heights = np.where(ready, p + s, np.inf)
        best = len(x) - 1 - int(np.argmin(heights[::-1]))
        if p[-1] + s[-1] <= p[best] + detector.drift_threshold * s[best]:
            continue
        warned = [
            p[t] + s[t] > p[b] + detector.warning_threshold * s[b]
            if ready[: t + 1].any()
            else False
            for t in range(len(x))
            for b in [t - int(np.argmin(heights[t::-1]))]
        ]
        since = len(x) - 1
        while since and warned[since - 1]:
            since -= 1
        yield last, first + since
        first = last + 1


def naive_eddm(detector: EDDM, values: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Baena-Garcia et al., section 3: all distances anew at every error."""
    first, highest, since = 0, -1.0, None
    for last in range(len(values)):
        if values[last] != 1.0:
            continue
        errors = np.flatnonzero(np.asarray(values[first : last + 1]) == 1.0)
        distances = np.diff(errors, prepend=-1)
        deviation = distances.std(ddof=1) if len(distances) > 1 else 0.0
        reach = distances.mean() + 2.0 * deviation
        if last + 1 - first > detector.warm_up and len(errors) >= detector.least_errors:
            highest = max(highest, reach)
        level = reach / highest if len(errors) > detector.warm_up and highest > 0 else 1.0
        since = None if level >= detector.alpha else last if since is None else since
        if level < detector.beta:
            yield last, since if since is not None else last
            first, highest, since = last + 1, -1.0, None


@pytest.mark.parametrize("detector", [DDM(), PAPER_DDM, DDM(warm_up=5, least_errors=3.0)])
def test_ddm_is_its_definition(detector: DDM) -> None:
    """Alarms and change points equal those of naive code, on errors and on losses in [0, 1]."""
    values = stepwise(seed=1, size=300)
    losses = np.random.default_rng(2).beta(1 + 2 * values, 3)
    assert alarms(detector, values) == list(naive_ddm(detector, values.tolist()))
    assert alarms(detector, losses) == list(naive_ddm(detector, losses.tolist()))
    assert alarms(detector, values)


@pytest.mark.parametrize("detector", [EDDM(), PAPER_EDDM, EDDM(warm_up=10, least_errors=5)])
def test_eddm_is_its_definition(detector: EDDM) -> None:
    """Alarms and change points equal those of naive code."""
    values = stepwise(seed=1)
    expected = list(naive_eddm(detector, values.tolist()))
    assert expected
    assert alarms(detector, values) == expected


@pytest.mark.parametrize("seed", range(4))
def test_alarms_are_those_of_river(seed: int) -> None:
    """By the papers' settings both alarm where river 0.26.1 does, over several restarts."""
    values = stepwise(seed)
    assert [i for i, _ in alarms(PAPER_DDM, values)] == of_river(river.DDM(), values)
    assert [i for i, _ in alarms(PAPER_EDDM, values)] == of_river(river.EDDM(), values)


def test_alarms_are_at_the_indices_that_river_tests() -> None:
    """Errors at 0.2 and then 0.8: DDM at 1049, EDDM at four places, as river 0.26.1."""
    assert [i for i, _ in alarms(PAPER_DDM, legacy("errors"))] == [1049]
    assert [i for i, _ in alarms(PAPER_EDDM, legacy("errors"))] == [663, 828, 1007, 1078]


def test_by_default_only_the_change_alarms() -> None:
    """On the same stream the defaults leave out EDDM's two false alarms before the change."""
    assert [i for i, _ in alarms(DDM(), legacy("errors"))] == [1049]
    found = alarms(EDDM(), legacy("errors"))
    assert found
    assert all(1000 <= i < 1200 for i, _ in found)


@pytest.mark.parametrize(("kind", "paper"), [(DDM, PAPER_DDM), (EDDM, PAPER_EDDM)])
def test_constant_rates_alarm_seldom_by_default(kind: type[DDM | EDDM], paper: DDM | EDDM) -> None:
    """Over streams of 2,500 errors at rates of 0.01 to 0.5 at most 10 in 100,000."""
    generator = np.random.default_rng(3)
    ours, papers = 0, 0
    for rate in (0.01, 0.05, 0.2, 0.5):
        streams = generator.random((40, 2500)) < rate
        ours += len(kind().scan_streams([kind().init()] * 40, streams)[1])
        papers += len(paper.scan_streams([paper.init()] * 40, streams)[1])
    assert ours <= 40
    assert papers > 150


def test_no_loss_is_refused() -> None:
    """Losses outside [0, 1] count as the nearer end; river's DDM raises where their mean is."""
    values = np.where(stepwise(seed=5) > 0, 7.0, -7.0)
    assert alarms(DDM(), values) == alarms(DDM(), values > 0)
    with pytest.raises(ValueError, match="math domain"):
        of_river(river.DDM(), values)


def test_warnings_come_before_drifts() -> None:
    """A rise is first answered with a warning; the change point is the first window of it."""
    for detector in (PAPER_DDM, PAPER_EDDM):
        state, told = detector.init(), []
        for row, loss in enumerate(stepwise(seed=6)):
            window = Window(start=EPOCH, end=EPOCH, rows=RowRange(start=row, stop=row + 1))
            m = Measurement(metric="zero_one", window=window, value=float(loss), n=1)
            state, detection = detector.step(state, m)
            told.append(detection.status)
            if detection.status == "drift":
                since = detection.change_row
                assert since is not None
                assert set(told[since:row]) <= {"warning"}
                assert since == 0 or told[since - 1] != "warning"
        assert "warning" in told
        assert "drift" in told
