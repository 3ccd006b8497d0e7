"""Data checks before a training: rules from a reference, and the rows that break them.

    made = infer(reference)             # the rules, and what is odd about the reference itself
    text = to_text(made.rules)          # TOML that a person may read and edit
    rules = from_text(text)
    findings = check(rules, training)   # what breaks them, in which batch, and what to set aside

Nothing here reads or writes a file, or looks at a clock.
"""

from ratoon.windows.rules.checking import Inferred, check, infer, renewed
from ratoon.windows.rules.data import Dataset, Mask
from ratoon.windows.rules.found import Finding, Findings
from ratoon.windows.rules.pandera import to_pandera_code
from ratoon.windows.rules.toml import from_text, to_text
from ratoon.windows.rules.values import RULES, ColumnRule, DataRules, Tolerances

__all__ = [
    "RULES",
    "ColumnRule",
    "DataRules",
    "Dataset",
    "Finding",
    "Findings",
    "Inferred",
    "Mask",
    "Tolerances",
    "check",
    "from_text",
    "infer",
    "renewed",
    "to_pandera_code",
    "to_text",
]
