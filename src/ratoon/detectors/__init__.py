"""Detectors: frozen settings and explicit state turn measurements into detections."""

from ratoon.detectors.adwin import Adwin, AdwinState
from ratoon.detectors.cusum import Cusum, CusumState
from ratoon.detectors.page_hinkley import PageHinkley, PageHinkleyState
from ratoon.detectors.protocol import Detector

__all__ = [
    "Adwin",
    "AdwinState",
    "Cusum",
    "CusumState",
    "Detector",
    "PageHinkley",
    "PageHinkleyState",
]
