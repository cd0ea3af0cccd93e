"""Serve what a TwelveLabs account is doing as JSON: `GET /failed` and `GET /counts`.

One session serves every request: it opens and closes with the service. The API key is read from the
environment variable TWELVE_LABS_API_KEY. If TWELVE_LABS_WEBHOOK_SECRET holds a webhook's secret,
the service takes that webhook at `POST /webhooks`, and `GET /ended` shows which tasks have ended
since it began: those that the webhook tells of at once, and the others, too.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler

import twelvetasks
from twelvetasks import webhooks

SESSION = web.AppKey("session", twelvetasks.TaskSession)
ENDED = web.AppKey("ended", deque[twelvetasks.Task])
routes = web.RouteTableDef()
logger = logging.getLogger(__name__)


@routes.get("/failed")
async def failed(request: web.Request) -> web.StreamResponse:
    """Send the failed tasks as JSON Lines, each as soon as it is known."""
    response = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
    async with request.app[SESSION].tasks(status="failed") as stream:
        first = await anext(stream, None)  # An error before the first task has a status of its own.
        try:
            await response.prepare(request)
            if first is not None:
                await response.write(f"{twelvetasks.to_json(first)}\n".encode())
            async for task in stream:
                await response.write(f"{twelvetasks.to_json(task)}\n".encode())
        except ConnectionResetError:
            pass  # The client has left.
        except twelvetasks.TwelveTasksError as error:
            logger.warning("an answer was cut off: %s", error)
            # The status is sent already: only a lost connection tells that tasks are missing.
            if request.transport is not None:
                request.transport.abort()
    return response


@routes.get("/counts")
async def counts(request: web.Request) -> web.Response:
    """Say how many tasks there are in each status: one small request for each, all at once."""
    session = request.app[SESSION]
    numbers = await asyncio.gather(
        *(session.tasks(status=status).count() for status in twelvetasks.TaskStatus)
    )
    return web.json_response(dict(zip(twelvetasks.TaskStatus, numbers, strict=True)))


async def ended(request: web.Request) -> web.Response:
    """Show the tasks that have ended lately, newest first."""
    return web.json_response([twelvetasks.to_dict(task) for task in request.app[ENDED]])


async def follow(app: web.Application, receiver: webhooks.Receiver) -> None:
    """Note each task that ends: webhooks say when to look, and the watch finds what they miss."""
    watch = app[SESSION].watch(status=["ready", "failed"], webhooks=receiver)
    try:
        async with watch:
            async for change in watch:
                app[ENDED].appendleft(change.task)
    except twelvetasks.TwelveTasksError:
        logger.exception("the service follows no longer which tasks end")


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn an error of the platform into an answer of ours."""
    try:
        return await handler(request)
    except twelvetasks.RateLimitedError as error:
        return web.json_response({"error": str(error)}, status=503)
    except twelvetasks.TwelveTasksError as error:
        return web.json_response({"error": str(error)}, status=502)


def make_app(base_url: str | None) -> web.Application:
    """Make the service; its session lives exactly as long."""

    async def lifespan(app: web.Application) -> AsyncIterator[None]:
        async with twelvetasks.TaskSession(base_url=base_url) as session:
            app[SESSION] = session
            yield

    app = web.Application(middlewares=[explain])
    app.add_routes(routes)
    app.cleanup_ctx.append(lifespan)
    if secret := os.environ.get("TWELVE_LABS_WEBHOOK_SECRET"):
        add_webhooks(app, webhooks.Receiver(secret))
    return app


def add_webhooks(app: web.Application, receiver: webhooks.Receiver) -> None:
    """Take webhooks, and follow the account for as long as the service lives."""

    async def lifespan(app: web.Application) -> AsyncIterator[None]:
        following = asyncio.create_task(follow(app, receiver))
        yield
        following.cancel()
        await asyncio.wait([following])

    app[ENDED] = deque(maxlen=100)
    app.router.add_post("/webhooks", webhooks.aiohttp_handler(receiver))
    app.router.add_get("/ended", ended)
    app.cleanup_ctx.append(lifespan)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "base_url",
        nargs="?",
        help="another address of the API, such as a proxy's or a FakePlatform's",
    )
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    web.run_app(
        make_app(arguments.base_url),
        host="127.0.0.1",
        port=arguments.port,
        handler_cancellation=True,  # A client that leaves ends its listing at once.
    )
