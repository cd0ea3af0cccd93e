"""What a listing did, and how far its result is proven: counts and a `Consistency`."""

from __future__ import annotations

from enum import StrEnum

import attrs

from twelvetasks.values.display import brief_repr, fields_html

__all__ = ["Consistency", "ListingReport"]


class Consistency(StrEnum):
    """How far it is proven that a listing missed nothing. Each member equals its string."""

    QUIET = "quiet"
    """No change of the account was noticed, so nothing is assumed to lie between pages."""
    REPAIRED = "repaired"
    """Changes were noticed; wherever one may have moved pages apart, they were bridged."""
    EXACT = "exact"
    """Every page touches the one before it, so nothing can lie between them."""
    UNPROVEN = "unproven"
    """Answers were odd, so the pages came as they are, up to an empty one: see `oddities`."""


@attrs.frozen(kw_only=True)
class ListingReport:
    """What one iteration over a listing has done so far."""

    requests: int
    """Requests sent, retries included; those that never left this machine do not count."""
    pages: int
    """Pages whose tasks were used."""
    retries: int = 0
    """How often a request was tried again after a failure."""
    paused: float = 0.0
    """Seconds in which requests had to wait, for the rate limit or before a retry. Those of several
    requests at once count once."""
    bridges: int = 0
    """Pages read only to join two neighbouring pages that a change may have moved apart."""
    duplicates: int = 0
    """Tasks that were received again after they had been yielded, and so were dropped."""
    late: int = 0
    """Tasks left out because the listing had passed their place: they appeared during it."""
    malformed: int = 0
    """Tasks passed over because they could not be read, with ``on_malformed="skip"``."""
    consistency: Consistency = Consistency.QUIET
    """How far it is proven that nothing is missing."""
    oddities: tuple[str, ...] = ()
    """What was not as the API's reference has it in the answers, each once and at most ten."""

    def __repr__(self) -> str:
        return brief_repr(self)

    def _repr_html_(self) -> str:
        return fields_html(self)
