"""Checkpoints: the place in a listing after the last task that was yielded, as a small value.

The place is a sort key, not a page number: pages move while an account changes, keys do not. The
rank in it only says where to look first.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Self

import attrs

from twelvetasks.values.errors import InvalidArgumentError
from twelvetasks.values.query import TaskQuery
from twelvetasks.values.timestamps import parse_timestamp, utc_timestamp

__all__ = ["Checkpoint"]


@attrs.frozen(kw_only=True)
class Checkpoint:
    """Where a listing stands: pass it as `resume` to go on after the last task yielded.

    ``str(checkpoint)`` is a line of JSON to be stored; `Checkpoint.parse` reads it back, and
    `resume` takes either. It holds no API key.
    """

    query: str
    """Filters and order of the listing, as a query string. Only the same listing resumes it."""
    key: datetime | None = None
    """The sort key of the last task yielded; None before the first."""
    ids: frozenset[str] = frozenset()
    """The ids of the tasks yielded that have this very key."""
    rank: int = 0
    """How many tasks lay before the place when it was last seen: where to look for it first."""
    since: datetime | None = None
    """With ``sort_by="updated_at"``: tasks updated from then on are looked at again at the end."""

    @classmethod
    def start(cls, query: TaskQuery) -> Self:
        """Give the checkpoint before the first task.

        With it a first run need not differ from the others::

            listing = session.tasks(sort_by="updated_at", sort_option="asc")
            stored = str(Checkpoint.start(listing.query))
        """
        return cls(query=_written(query))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str(checkpoint)`` wrote. Raises InvalidArgumentError for anything else."""
        try:
            match json.loads(text):
                case {
                    "version": 1,
                    "query": str(query),
                    "key": (str() | None) as key,
                    "ids": [*ids],
                    "rank": int(rank),
                    "since": (str() | None) as since,
                } if rank >= 0 and all(isinstance(known, str) for known in ids):
                    return cls(
                        query=query,
                        key=None if key is None else parse_timestamp(key),
                        ids=frozenset(ids),
                        rank=rank,
                        since=None if since is None else parse_timestamp(since),
                    )
        except (TypeError, ValueError, RecursionError):
            pass
        raise InvalidArgumentError(
            f"resume={text!r}: is not a checkpoint of this version of twelvetasks",
            advice="Store str(stream.checkpoint) and pass it unchanged",
        )

    def __str__(self) -> str:
        fields: dict[str, Any] = {
            "version": 1,
            "query": self.query,
            "key": None if self.key is None else utc_timestamp(self.key),
            "ids": sorted(self.ids),
            "rank": self.rank,
            "since": None if self.since is None else utc_timestamp(self.since),
        }
        return json.dumps(fields, separators=(",", ":"))

    def check(self, query: TaskQuery) -> None:
        """Raise InvalidArgumentError unless the checkpoint is one of this listing.

        `TaskSession.tasks` does so with its `resume`; to know it sooner, ask yourself::

            listing = session.tasks(status="failed")
            Checkpoint.start(listing.query).check(listing.query)
        """
        if self.query != _written(query):
            raise InvalidArgumentError(
                f"resume: the checkpoint belongs to another listing ({self.query}), "
                f"not to this one ({_written(query)})",
                advice="Resume with the same filters and the same order",
            )


def _written(query: TaskQuery) -> str:
    """Write what decides which tasks are listed, and in which order: all but the paging."""
    return "&".join(f"{name}={value}" for name, value in query.params()[2:])
