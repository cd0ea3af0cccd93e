"""What the platform records of its requests: each of them, and how many are in flight."""

from __future__ import annotations

import threading
import time

import attrs
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict


@attrs.frozen(kw_only=True)
class RecordedRequest:
    """A request as the platform received it."""

    number: int
    """1 for the first request since the platform was created, in order of arrival."""
    method: str
    """``GET``, ``POST`` or ``DELETE``."""
    path: str
    """Its path, including the version."""
    query: MultiDict[str]
    """Its query parameters; a name may be repeated."""
    headers: CIMultiDictProxy[str] = attrs.field(repr=False)
    """Its headers, including the API key."""
    page: int | None
    """The requested page of a list, by default 1; None for any other request."""
    page_limit: int | None
    """The requested page limit of a list, by default 10; None for any other request."""
    started: float
    """When it arrived: `time.monotonic()`, in seconds."""
    status: int | None = None
    """The status of the answer; None while in flight, or if the connection was lost first."""
    ended: float | None = None
    """When its answer was ready or its connection lost: `time.monotonic()`; None in flight."""


class Recorder:
    """Records requests as they arrive and end; reading is safe from any thread."""

    def __init__(self) -> None:
        self.requests: list[RecordedRequest] = []
        self.in_flight: int = 0
        self.most_in_flight: int = 0
        self._lock = threading.Lock()
        self._number = 0

    def arrived(
        self, request: web.Request, *, page: int | None, page_limit: int | None
    ) -> RecordedRequest:
        """Record a request that has just arrived."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self._number += 1
        recorded = RecordedRequest(
            number=self._number,
            method=request.method,
            path=request.path,
            query=MultiDict(request.query),
            headers=CIMultiDictProxy(CIMultiDict(request.headers)),
            page=page,
            page_limit=page_limit,
            started=time.monotonic(),
        )
        with self._lock:
            self.requests.append(recorded)
        return recorded

    def ended(self, recorded: RecordedRequest, status: int | None) -> None:
        """Complete the record of a request; does nothing if the list was cleared meanwhile."""
        self.in_flight -= 1
        with self._lock:
            for place in range(len(self.requests) - 1, -1, -1):
                if self.requests[place].number == recorded.number:
                    self.requests[place] = attrs.evolve(
                        recorded, status=status, ended=time.monotonic()
                    )
                    break
