"""Places for uploads, which take minutes: beside those at the gate, so that short requests go on.

An upload passes the gate like any request, and so heeds its pauses, but gives its place back before
it is sent. If it is refused with a 429, the gate is told afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from twelvetasks.transport.gate import Gatekeeper
from twelvetasks.transport.ratelimits import RateReport
from twelvetasks.values.errors import RateLimitedError

__all__ = ["UploadsLane"]


class _UploadPassage:
    def __init__(self) -> None:
        self.told = RateReport()

    def report(self, report: RateReport, /) -> None:
        self.told = report


class UploadsLane:
    """Lets so many uploads be in flight at once."""

    def __init__(self, gate: Gatekeeper, places: int) -> None:
        self._gate = gate
        self._places = asyncio.Semaphore(places)

    @contextlib.asynccontextmanager
    async def passage(
        self, *, priority: float = 0, patience: float
    ) -> AsyncIterator[_UploadPassage]:
        """Wait for a place, and for the gate; see `Gatekeeper.passage`."""
        async with self._places:
            async with self._gate.passage(priority=priority, patience=patience) as place:
                place.report(RateReport(reached=False))
            passage = _UploadPassage()
            yield passage
            if passage.told.throttled:
                with contextlib.suppress(RateLimitedError):
                    async with self._gate.passage(patience=patience) as place:
                        place.report(passage.told)
