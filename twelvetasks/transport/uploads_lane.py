"""Places for uploads, which take minutes: apart from the gate's, so that short requests pass.

An upload passes the gate like any request, and so respects its pauses, but frees its place before
it is sent. If it is refused with a 429, that is reported to the gate afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from twelvetasks.transport.gate import Gatekeeper
from twelvetasks.transport.ratelimits import RateReport
from twelvetasks.values.errors import RateLimitedError


class _UploadPassage:
    def __init__(self) -> None:
        self.reported = RateReport()

    def report(self, report: RateReport, /) -> None:
        self.reported = report


class UploadsLane:
    """Limits how many uploads are in flight at once."""

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
            if passage.reported.throttled:
                with contextlib.suppress(RateLimitedError):
                    async with self._gate.passage(patience=patience) as place:
                        place.report(passage.reported)
