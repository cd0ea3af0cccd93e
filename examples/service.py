"""Serve what a TwelveLabs account is doing as JSON: `GET /failed` and `GET /counts`.

One session serves every request: it opens and closes with the service. The API key is read from the
environment variable TWELVE_LABS_API_KEY.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler

import twelvetasks

SESSION = web.AppKey("session", twelvetasks.TaskSession)
routes = web.RouteTableDef()


@routes.get("/failed")
async def failed(request: web.Request) -> web.StreamResponse:
    """Send the failed tasks as JSON Lines, each as soon as it is known."""
    response = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
    async with request.app[SESSION].tasks(status="failed") as stream:
        first = await anext(stream, None)  # What can go wrong goes wrong before the status is sent.
        await response.prepare(request)
        if first is not None:
            await response.write(f"{twelvetasks.to_json(first)}\n".encode())
        async for task in stream:
            await response.write(f"{twelvetasks.to_json(task)}\n".encode())
    return response


@routes.get("/counts")
async def counts(request: web.Request) -> web.Response:
    """Say how many tasks there are in each status: one small request for each, all at once."""
    session = request.app[SESSION]
    numbers = await asyncio.gather(
        *(session.tasks(status=status).count() for status in twelvetasks.TaskStatus)
    )
    return web.json_response(dict(zip(twelvetasks.TaskStatus, numbers, strict=True)))


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn an error of the platform into an answer of ours."""
    try:
        return await handler(request)
    except twelvetasks.RateLimitedError as error:
        return web.json_response({"error": str(error)}, status=503)
    except twelvetasks.TwelveTasksError as error:
        return web.json_response({"error": str(error)}, status=502)


def make_app(base_url: str) -> web.Application:
    """Make the service; its session lives exactly as long."""

    async def lifespan(app: web.Application) -> AsyncIterator[None]:
        async with twelvetasks.TaskSession(base_url=base_url) as session:
            app[SESSION] = session
            yield

    app = web.Application(middlewares=[explain])
    app.add_routes(routes)
    app.cleanup_ctx.append(lifespan)
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "base_url",
        nargs="?",
        default="https://api.twelvelabs.io/v1.3",
        help="another address of the API, such as a proxy's or a FakePlatform's",
    )
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    web.run_app(make_app(arguments.base_url), host="127.0.0.1", port=arguments.port)
