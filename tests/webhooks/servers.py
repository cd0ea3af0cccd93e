"""Real servers that take webhooks, one for each way to put a receiver into an application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import fastapi
import uvicorn
from aiohttp import web
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from twelvetasks.webhooks import Receiver, aiohttp_handler, asgi_handler

PATH = "/webhooks/"


@asynccontextmanager
async def by_aiohttp(receiver: Receiver) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", PATH, aiohttp_handler(receiver))
    # What of a refused body has not arrived yet is not waited for: a test ends sooner.
    runner = web.AppRunner(app, shutdown_timeout=1.0, lingering_time=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def by_uvicorn(app: Any) -> AsyncIterator[str]:
    config = uvicorn.Config(
        app, port=0, log_config=None, ws="none", http="h11", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}{PATH}"
    finally:
        server.should_exit = True
        await serving


def by_starlette_route(receiver: Receiver) -> AbstractAsyncContextManager[str]:
    return by_uvicorn(Starlette(routes=[Route(PATH, asgi_handler(receiver))]))


def by_starlette_mount(receiver: Receiver) -> AbstractAsyncContextManager[str]:
    return by_uvicorn(Starlette(routes=[Mount(PATH, asgi_handler(receiver))]))


def by_fastapi_route(receiver: Receiver) -> AbstractAsyncContextManager[str]:
    return by_uvicorn(fastapi.FastAPI(routes=[Route(PATH, asgi_handler(receiver))]))


def by_fastapi_mount(receiver: Receiver) -> AbstractAsyncContextManager[str]:
    app = fastapi.FastAPI()
    app.mount(PATH, asgi_handler(receiver))
    return by_uvicorn(app)


def by_nothing_else(receiver: Receiver) -> AbstractAsyncContextManager[str]:
    return by_uvicorn(asgi_handler(receiver))


Serve = Callable[[Receiver], AbstractAsyncContextManager[str]]

WAYS: list[Serve] = [
    by_aiohttp,
    by_starlette_route,
    by_starlette_mount,
    by_fastapi_route,
    by_fastapi_mount,
    by_nothing_else,
]
