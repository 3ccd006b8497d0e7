"""Schedules: which model serves each chunk of a history, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ratoon.core import settings
from ratoon.core.errors import SettingInvalid
from ratoon.windows.judged import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """From which chunk on a model serves."""

    chunk: int  # the first that it serves
    time: int  # of its training: it knows the rows before chunk `time`, so at most `chunk`
    window: int  # its place in the windows of the matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Which model serves each chunk: deployments, each until the next.

    A model that is deployed again is not trained again.

    >>> schedule = Schedule(
    ...     deployments=(
    ...         Deployment(chunk=0, time=0, window=1),
    ...         Deployment(chunk=7, time=6, window=0),
    ...         Deployment(chunk=9, time=0, window=1),
    ...     )
    ... )
    >>> schedule.fits
    1

    Raises:
        SettingInvalid: the first deployment is not of chunk 0, chunks do not rise, or a model is
            deployed before its time.
    """

    deployments: tuple[Deployment, ...]

    def __post_init__(self) -> None:
        """Check the order of the deployments."""
        chunks = [one.chunk for one in self.deployments]
        if not chunks or chunks[0] != 0 or any(np.diff(chunks) <= 0):
            raise SettingInvalid("deployments", "of rising chunks, the first of them 0", chunks)
        for one in self.deployments:
            if not (0 <= one.time <= one.chunk and one.window >= 0):
                raise SettingInvalid("a deployment", "of a model that was there by then", one)

    @property
    def fits(self) -> int:
        """How many models are trained, beside the first."""
        return len({(one.time, one.window) for one in self.deployments}) - 1


def served(means: Floats, schedule: Schedule) -> Floats:
    """Return the mean loss of each chunk under a schedule, (chunks,).

    Args:
        means: of each model on each chunk, (times, windows, chunks), as `Matrix.means` gives them.
        schedule: of the same history.

    Raises:
        SettingInvalid: the schedule names a chunk, a time or a window that is not there.

    >>> means = np.array([[[4.0, 4.0, 4.0]], [[np.nan, 3.0, 3.0]], [[np.nan, np.nan, 1.0]]])
    >>> first, last = (Deployment(chunk=c, time=c, window=0) for c in (0, 2))
    >>> served(means, Schedule(deployments=(first, last)))
    array([4., 4., 1.])
    """
    count = chunks_of(means)
    chosen = np.array([(one.chunk, one.time, one.window) for one in schedule.deployments])
    most = np.array([count, means.shape[0], means.shape[1]]) - 1
    if (chosen > most).any():
        raise SettingInvalid("schedule", f"within the matrix, of shape {means.shape}", schedule)
    lengths = np.diff(chosen[:, 0], append=count)
    return means[np.repeat(chosen[:, 1], lengths), np.repeat(chosen[:, 2], lengths), range(count)]


def price(means: Floats, schedule: Schedule, fit_cost: float) -> float:
    """Return what a schedule costs: the sum of its chunks' mean losses, and its fits.

    J = sum_t loss_t + fit_cost * fits. The first model is there in any case and costs nothing.

    Args:
        means: of each model on each chunk, (times, windows, chunks), as `Matrix.means` gives them.
        schedule: of the same history.
        fit_cost: what a fit costs, at least 0, in the unit of the mean loss of one chunk.

    >>> means = np.array([[[4.0, 4.0, 4.0]], [[np.nan, 3.0, 3.0]], [[np.nan, np.nan, 1.0]]])
    >>> first, last = (Deployment(chunk=c, time=c, window=0) for c in (0, 2))
    >>> price(means, Schedule(deployments=(first, last)), fit_cost=0.5)
    9.5
    """
    settings.not_negative("fit_cost", fit_cost)
    return float(served(means, schedule).sum()) + fit_cost * schedule.fits


def chunks_of(means: Floats) -> int:
    """Return how many chunks a matrix of means has.

    Raises:
        SettingInvalid: it is no matrix of as many times as chunks.
    """
    if means.ndim != 3 or means.shape[0] != means.shape[2] or 0 in means.shape:  # noqa: PLR2004
        raise SettingInvalid("means", "of shape (times, windows, as many chunks)", means.shape)
    return means.shape[2]
