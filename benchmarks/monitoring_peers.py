"""Drift of a table by other libraries: each function runs in the environment of one peer."""

from __future__ import annotations

import os
import warnings
from time import process_time
from typing import Any, Self

import numpy as np

from benchmarks.data_measuring import forget_peak, memory_mib, peak_mib
from benchmarks.monitoring_tables import LEVELS, NUMBERS, read


def _frames(folder: str) -> tuple[Any, Any]:
    import pandas as pd  # noqa: PLC0415 - only where it is installed

    return pd.DataFrame(read(folder, "reference")), pd.DataFrame(read(folder, "current"))


class _Timed:
    """CPU seconds, and the memory that is used beyond what was there."""

    def __enter__(self) -> Self:
        forget_peak()
        self._before = memory_mib().get("resident_mib", 0.0)
        self._began = process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu_s = process_time() - self._began
        self.extra_mib = peak_mib() - self._before


def evidently(folder: str) -> dict[str, float]:
    """Evidently's report on drift, with its own choice of tests; it has no kept reference."""
    warnings.simplefilter("ignore")
    os.environ["DO_NOT_TRACK"] = "1"
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415 - only where it is installed
    from evidently.presets import DataDriftPreset  # noqa: PLC0415 - only where it is installed

    reference, current = _frames(folder)
    about = DataDefinition(numerical_columns=list(NUMBERS), categorical_columns=list(LEVELS))
    with _Timed() as timed:
        sides = [Dataset.from_pandas(s, data_definition=about) for s in (current, reference)]
        Report([DataDriftPreset()]).run(*sides)
    return {"cpu_s": timed.cpu_s, "extra_mib": timed.extra_mib}


def nannyml(folder: str, method: str = "jensen_shannon") -> dict[str, float]:
    """NannyML's univariate drift, fitted before, by its default or by exact tests."""
    warnings.simplefilter("ignore")
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
    import nannyml as nml  # noqa: PLC0415 - only where it is installed

    nml.disable_usage_logging()
    reference, current = _frames(folder)
    made = nml.UnivariateDriftCalculator(
        column_names=[*NUMBERS, *LEVELS],
        treat_as_categorical=list(LEVELS),
        continuous_methods=[method],
        categorical_methods=["chi2" if method == "kolmogorov_smirnov" else method],
        chunk_size=10_000,
    )
    with _Timed() as fitted:
        made.fit(reference)
    with _Timed() as timed:
        made.calculate(current)
    return {"cpu_s": timed.cpu_s, "extra_mib": timed.extra_mib, "fit_s": fitted.cpu_s}


def nannyml_tests(folder: str) -> dict[str, float]:
    """NannyML by Kolmogorov-Smirnov and chi-squared."""
    return nannyml(folder, "kolmogorov_smirnov")


def whylogs(folder: str) -> dict[str, float]:
    """The profile of the current rows by whylogs; the comparison of profiles is left out."""
    warnings.simplefilter("ignore")
    os.environ["WHYLOGS_NO_ANALYTICS"] = "True"
    import whylogs as why  # noqa: PLC0415 - only where it is installed

    _, current = _frames(folder)
    with _Timed() as timed:
        why.log(pandas=current).view()
    return {"cpu_s": timed.cpu_s, "extra_mib": timed.extra_mib}


def scipy(folder: str) -> dict[str, float]:
    """A loop over scipy's tests: Kolmogorov-Smirnov of numbers, chi-squared of categories."""
    warnings.simplefilter("ignore")
    from scipy.stats import chi2_contingency, ks_2samp  # noqa: PLC0415 - only where it is installed

    sides = [read(folder, side) for side in ("reference", "current")]
    with _Timed() as timed:
        for name in NUMBERS:
            ks_2samp(*(side[name][~np.isnan(side[name])] for side in sides), method="asymp")
        for name in LEVELS:
            chi2_contingency(_counts(*(side[name] for side in sides)))
    return {"cpu_s": timed.cpu_s, "extra_mib": timed.extra_mib}


def river(folder: str) -> dict[str, float]:
    """KSWIN of river over one column of 20,000 numbers, scaled to twelve of them all."""
    from river.drift import KSWIN  # noqa: PLC0415 - only where it is installed

    column = read(folder, "current")[NUMBERS[0]]
    detector, rows = KSWIN(seed=0), min(20_000, len(column))
    with _Timed() as timed:
        for value in column[:rows].tolist():
            detector.update(value)
    scaled = timed.cpu_s * len(column) / rows * len(NUMBERS)
    return {"cpu_s": scaled, "extra_mib": timed.extra_mib}


def _counts(before: Any, now: Any) -> Any:
    names = np.unique(np.concatenate([np.unique(before), np.unique(now)]))
    return [
        np.bincount(np.searchsorted(names, side), minlength=len(names)) for side in (before, now)
    ]
