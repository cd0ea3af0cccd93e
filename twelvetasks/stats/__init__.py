"""Statistics of tasks: counts, indexing times and failures, and the page that shows them."""

from twelvetasks.stats.summary import (
    IndexingTimes,
    ItemStats,
    Period,
    TaskStats,
    TimeBin,
    indexing_time,
)
from twelvetasks.values.field_docs import with_field_docs

__all__ = ["IndexingTimes", "ItemStats", "Period", "TaskStats", "TimeBin", "indexing_time"]

for _name in __all__:
    with_field_docs(globals()[_name])
