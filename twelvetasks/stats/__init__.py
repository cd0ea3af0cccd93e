"""Statistics of tasks: counts, indexing times and failures, and the page that shows them."""

from twelvetasks.stats.summary import (
    IndexingTimes,
    ItemStats,
    Period,
    TaskStats,
    TimeBin,
    indexing_time,
)

__all__ = ["IndexingTimes", "ItemStats", "Period", "TaskStats", "TimeBin", "indexing_time"]
