"""The change feed: which tasks changed since the last poll."""
