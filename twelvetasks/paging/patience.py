"""How many answers in vain end a listing or a poll, and the error that says why. Pure."""

from __future__ import annotations

from typing import Any

from twelvetasks.paging.links import NEAR, Edge
from twelvetasks.paging.page_checks import NO_TIME
from twelvetasks.values.errors import ListingDriftError
from twelvetasks.values.query import ListQuery
from twelvetasks.values.timestamps import utc_timestamp

PATIENCE = 64
"""Answers in a row that join nothing, or passes over what was updated, before giving up."""

CONTINUE = "All that was yielded is proven: continue with resume=error.checkpoint"
"""What to do where a listing got no further."""

OTHER_CALLS = "list with another sort_by, or with filters that fewer of them match"
"""What helps where too many items have the same sort key."""


def given_up(
    query: ListQuery[Any], edge: Edge | None, advice: str, *, is_untimed: bool = False
) -> ListingDriftError:
    """Return the error of a listing, or a poll, that got no further than an edge.

    `advice`: what to do if the account changes too fast. `is_untimed`: whether items without a sort
    key begin the list.
    """
    noun, key = query.resource.noun, query.sort_key.name
    if is_untimed or (edge is not None and edge.key == NO_TIME):
        return ListingDriftError(
            f"many {noun} have no {key}, so that no answer shows what has been "
            "updated since the one before",
            advice="List with another sort_by, or without exact=True",
        )
    if edge is not None and len(edge.ids) > NEAR:
        return ListingDriftError(
            f"at least {len(edge.ids)} {noun} have the same {key}, {utc_timestamp(edge.key)}, and "
            f"pages that end among them could not be joined: {PATIENCE} reads in a row brought "
            "nothing new, as if the platform ordered them differently in each answer",
            advice=f"{advice}. If that ends at the same place, {OTHER_CALLS}",
        )
    return ListingDriftError(
        f"the account changes faster than its pages can be joined ({PATIENCE} reads in a row "
        "brought nothing new)",
        advice=advice,
    )
