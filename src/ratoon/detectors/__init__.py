"""Detectors: frozen settings and explicit state turn measurements into detections."""

from ratoon.detectors.adwin import Adwin, AdwinState
from ratoon.detectors.cusum import Cusum, CusumState
from ratoon.detectors.ddm import DDM, DDMState
from ratoon.detectors.e_detector import EDetector, EDetectorState
from ratoon.detectors.eddm import EDDM, EDDMState
from ratoon.detectors.hddm_a import HDDMA, HDDMAState
from ratoon.detectors.hddm_w import HDDMW, HDDMWState
from ratoon.detectors.kswin import KSWIN, KSWINState
from ratoon.detectors.page_hinkley import PageHinkley, PageHinkleyState
from ratoon.detectors.protocol import Detector
from ratoon.detectors.river import River, RiverState
from ratoon.detectors.scanning import Alarm, Scans
from ratoon.detectors.stepd import STEPD, STEPDState

__all__ = [
    "DDM",
    "EDDM",
    "HDDMA",
    "HDDMW",
    "KSWIN",
    "STEPD",
    "Adwin",
    "AdwinState",
    "Alarm",
    "Cusum",
    "CusumState",
    "DDMState",
    "Detector",
    "EDDMState",
    "EDetector",
    "EDetectorState",
    "HDDMAState",
    "HDDMWState",
    "KSWINState",
    "PageHinkley",
    "PageHinkleyState",
    "River",
    "RiverState",
    "STEPDState",
    "Scans",
]
