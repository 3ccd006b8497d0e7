"""Where rows come from: files, queries, Delta tables, streams, a watched folder."""

from ratoon.sources.batching import where
from ratoon.sources.calls import (
    FeedbackIn,
    LabelsIn,
    PredictionsIn,
    as_feedback,
    as_labels,
    as_predictions,
)
from ratoon.sources.naming import ColumnsOf
from ratoon.sources.reading import Format, read
from ratoon.sources.watching import FileRefused, Watched, WatchReport

__all__ = [
    "ColumnsOf",
    "FeedbackIn",
    "FileRefused",
    "Format",
    "LabelsIn",
    "PredictionsIn",
    "WatchReport",
    "Watched",
    "as_feedback",
    "as_labels",
    "as_predictions",
    "read",
    "where",
]
