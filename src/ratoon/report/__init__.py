"""Reports: what a loop or a replay did, as one HTML file that opens without a network."""

from ratoon.report.monitoring import monitoring_page
from ratoon.report.page import write_report
from ratoon.report.story import Comparison, Fact, Line, Story

__all__ = ["Comparison", "Fact", "Line", "Story", "monitoring_page", "write_report"]
