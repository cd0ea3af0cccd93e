"""What a listing did, and how far its result is proven: counts and a `Consistency`."""

from __future__ import annotations

from enum import StrEnum

import attrs

from twelvetasks.values.display import brief_repr, fields_html


class Consistency(StrEnum):
    """How far it is proven that a listing missed nothing. Each member equals its string."""

    QUIET = "quiet"
    """No change of the account was noticed, so pages are taken to follow without a gap."""
    REPAIRED = "repaired"
    """Changes were noticed; pages that one may have moved apart were bridged."""
    EXACT = "exact"
    """Every page touches the one before it, so nothing can lie between them."""
    UNPROVEN = "unproven"
    """Answers were odd, so pages were listed as they came, up to an empty one: see `oddities`."""


@attrs.frozen(kw_only=True)
class ListingReport:
    """What one iteration over a listing has done so far."""

    requests: int
    """Requests sent, retries included; those that never left this machine do not count."""
    pages: int
    """Pages whose tasks were used."""
    retries: int = 0
    """How many times a request was retried after a failure."""
    paused: float = 0.0
    """Seconds that requests waited, for the rate limit or before a retry; a second in which several
    waited counts once."""
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
    """How answers differed from the API's reference: each difference once, at most ten."""

    def __repr__(self) -> str:
        return brief_repr(self)

    def _repr_html_(self) -> str:
        return fields_html(self)
