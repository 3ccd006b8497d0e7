"""Reports: what a loop or a replay did, as one HTML file that opens without a network."""

from ratoon.report.monitoring import monitoring_page
from ratoon.report.page import write_report
from ratoon.report.replay import replay_page
from ratoon.report.replayed import PolicyReplayed, PriceReplayed, Replayed, RivalReplayed
from ratoon.report.story import Comparison, Fact, Line, Story

__all__ = [
    "Comparison",
    "Fact",
    "Line",
    "PolicyReplayed",
    "PriceReplayed",
    "Replayed",
    "RivalReplayed",
    "Story",
    "monitoring_page",
    "replay_page",
    "write_report",
]
