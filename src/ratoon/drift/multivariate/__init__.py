"""Drift of several columns together, which no single one shows."""

from ratoon.drift.multivariate.classifier import ClassifierTest
from ratoon.drift.multivariate.correlations import Correlations
from ratoon.drift.multivariate.found import Joint, PairChange, Part
from ratoon.drift.multivariate.mmd import MMD
from ratoon.drift.multivariate.pca import PCAError
from ratoon.drift.multivariate.products import Products, products_of
from ratoon.drift.multivariate.together import JointTest

__all__ = [
    "MMD",
    "ClassifierTest",
    "Correlations",
    "Joint",
    "JointTest",
    "PCAError",
    "PairChange",
    "Part",
    "Products",
    "products_of",
]
