"""What a listing did, and how far its result is proven: counts and one word."""

from __future__ import annotations

from enum import StrEnum

import attrs

from twelvetasks.values.display import brief_repr, fields_html

__all__ = ["Consistency", "ListingReport"]


class Consistency(StrEnum):
    """How far it is proven that a listing missed nothing. Each member equals its string."""

    QUIET = "quiet"
    """No change of the account was noticed, so neighbouring pages were taken to be neighbours."""
    REPAIRED = "repaired"
    """Changes were noticed, and wherever one may have moved the pages apart they were bridged."""
    EXACT = "exact"
    """Every page was seen to touch the one before it: nothing can lie between them."""


@attrs.frozen(kw_only=True)
class ListingReport:
    """What one iteration over a listing has done so far."""

    requests: int
    """Answers asked for. Repetitions of a failed request do not count."""
    pages: int
    """Reads whose tasks were used."""
    bridges: int = 0
    """Reads made only to join two neighbouring pages that a change may have moved apart."""
    duplicates: int = 0
    """Tasks that were received again after they had been yielded, and were dropped."""
    late: int = 0
    """Tasks left out because their place had been passed: they came there during the listing."""
    consistency: Consistency = Consistency.QUIET
    """How far it is proven that nothing is missing."""

    def __repr__(self) -> str:
        return brief_repr(self)

    def _repr_html_(self) -> str:
        return fields_html(self)
