"""The replay matrix: the loss of every model that a history could have given, on all later rows."""

from ratoon.matrix.chunks import Chunks
from ratoon.matrix.computing import Progress, Workbench, compute
from ratoon.matrix.hindsight import Fixed, best_fixed, oracle, periodic, split_oracle
from ratoon.matrix.matrix import Matrix
from ratoon.matrix.schedules import Deployment, Schedule, price, served
from ratoon.matrix.simulating import Simulated, simulate

__all__ = [
    "Chunks",
    "Deployment",
    "Fixed",
    "Matrix",
    "Progress",
    "Schedule",
    "Simulated",
    "Workbench",
    "best_fixed",
    "compute",
    "oracle",
    "periodic",
    "price",
    "served",
    "simulate",
    "split_oracle",
]
