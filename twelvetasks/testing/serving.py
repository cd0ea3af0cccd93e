"""What happens to each request: recorded, delayed, scripted, limited, and then answered.

Nothing is awaited between the last action of a test's script and the encoded answer.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

import attrs
from aiohttp import web

from twelvetasks.testing import answers
from twelvetasks.testing.answers import RefusalError, answered
from twelvetasks.testing.behaviour import Behaviour
from twelvetasks.testing.endpoints import Endpoints
from twelvetasks.testing.limits import RateWindow, Verdict
from twelvetasks.testing.recording import Recorder
from twelvetasks.testing.script import Failure, Script

_VERSION = "1.3.0"
_CROSS_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Expose-Headers": "*",
}
"""What a browser needs to let a page of another origin read the answers."""


@attrs.define(eq=False)
class Serving:
    """Passes every request through script, limit and key to the endpoints."""

    _endpoints: Endpoints
    _behaviour: Behaviour
    _torn: bool
    _apply_due: Callable[[], None]
    script: Script = attrs.field(factory=Script, init=False)
    recorder: Recorder = attrs.field(factory=Recorder, init=False)
    window: RateWindow | None = attrs.field(default=None, init=False)
    broken_script: Exception | None = attrs.field(default=None, init=False)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        page, page_limit = self._endpoints.listed(request)
        recorded = self.recorder.arrived(request, page=page, page_limit=page_limit)
        verdict = None if self.window is None else self.window.take()
        failure, holds = self.script.claim(recorded.page)
        status = total = None
        try:
            if self._torn:
                self._apply_due()
                total = self._endpoints.counted(request)
            latency = self._behaviour.latency
            seconds = latency(request) if callable(latency) else latency
            if seconds > 0:
                await asyncio.sleep(seconds)
            for hold in holds:
                await hold.pass_through()
            response = await self.script.play(request)
            if response is None:
                try:
                    response = await self._answer(request, verdict, failure, total)
                except RefusalError as refusal:
                    response = answered(refusal.body, refusal.status, refusal.headers)
            status = response.status
        except web.HTTPException as raised:
            status = raised.status
            self._sign(raised, verdict)
            raise
        except ConnectionError:
            raise
        except Exception as error:
            self.broken_script = self.broken_script or error
            raise
        else:
            self._sign(response, verdict)
            return response
        finally:
            self.recorder.ended(recorded, status)

    async def _answer(
        self,
        request: web.Request,
        verdict: Verdict | None,
        failure: Failure | None,
        total: int | None,
    ) -> web.Response:
        if verdict is not None and not verdict.allowed:
            return answered(verdict.body, 429)
        if failure is not None:
            if failure.disconnect:
                await _disconnect(request)
            return answered(failure.body, failure.status, failure.headers)
        if request.method == "OPTIONS" and self._behaviour.cross_origin:
            return web.Response(status=204)
        if request.headers.get("x-api-key") != self._behaviour.api_key:
            raise answers.refusal_of_status(401)
        self._apply_due()
        return await self._endpoints.answer(request, total)

    def _sign(self, response: web.StreamResponse, verdict: Verdict | None) -> None:
        if response.prepared:
            return
        response.headers.setdefault("X-Api-Version", _VERSION)
        response.headers.setdefault("X-Request-Id", uuid.uuid4().hex)
        for name, value in (verdict.headers if verdict is not None else {}).items():
            response.headers.setdefault(name, value)
        if self._behaviour.cross_origin:
            response.headers.update(_CROSS_ORIGIN)


async def _disconnect(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
    # Losing its connection cancels this handler.
    await asyncio.get_running_loop().create_future()
