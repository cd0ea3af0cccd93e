"""Serve with FastAPI what a TwelveLabs account is doing.

- `GET /tasks` lists tasks from the newest on; `next` in an answer is the `after` of the request for
  those that follow, and null when there are no more.
- `GET /pages/3` is the third page as it is now, and says whether there is one after it.
- `GET /tasks/{task_id}` is one task, and `GET /failed.jsonl` streams all that have failed.
- `POST /webhooks` takes the platform's webhooks, and `GET /ended` shows which tasks ended lately.

Run it with ``uvicorn --app-dir examples fastapi_service:app``. The environment holds the API key as
TWELVE_LABS_API_KEY, and may hold the webhook's secret as TWELVE_LABS_WEBHOOK_SECRET and another
address of the API as TWELVELABS_BASE_URL.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import fastapi
import pydantic
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

import twelvetasks
from twelvetasks import webhooks

logger = logging.getLogger("uvicorn.error")
secret = os.environ.get("TWELVE_LABS_WEBHOOK_SECRET")
receiver = webhooks.Receiver(secret) if secret else None
ended: deque[twelvetasks.Task] = deque(maxlen=100)


@asynccontextmanager
async def lifespan(app: fastapi.FastAPI) -> AsyncIterator[None]:
    """Hold one session for all requests, and follow the account, as long as the service lives."""
    # A user waits for the answer: better a quick error than a late success.
    retry = twelvetasks.RetryPolicy(attempts=2, longest_wait=2, budget=10)
    async with twelvetasks.TaskSession(retry=retry) as session:
        app.state.session = session
        following = asyncio.create_task(follow(session))
        yield
        following.cancel()
        await asyncio.wait([following])


async def follow(session: twelvetasks.TaskSession) -> None:
    """Note each task that ends: webhooks say when to look, and the watch finds what they miss."""
    try:
        async with session.watch(status=["ready", "failed"], webhooks=receiver) as watch:
            async for change in watch:
                ended.appendleft(change.task)
    except twelvetasks.TwelveTasksError:
        logger.exception("the service follows no longer which tasks end")


def opened_session(request: fastapi.Request) -> twelvetasks.TaskSession:
    """Give the session of the service to a route."""
    session: twelvetasks.TaskSession = request.app.state.session
    return session


Session = Annotated[twelvetasks.TaskSession, fastapi.Depends(opened_session)]
Limit = Annotated[int, fastapi.Query(ge=1, le=50)]
app = fastapi.FastAPI(
    title="What a TwelveLabs account is doing",
    lifespan=lifespan,
    routes=[Route("/webhooks", webhooks.asgi_handler(receiver))] if receiver else [],
)


class Following(pydantic.BaseModel):
    """Tasks, and where the next ones begin."""

    tasks: list[twelvetasks.Task]
    next: str | None


class Numbered(pydantic.BaseModel):
    """A page of tasks, how many there are in all, and whether there is a page after it."""

    tasks: tuple[twelvetasks.Task, ...]
    total: int | None
    more: bool


@app.get("/tasks")
async def list_tasks(
    session: Session,
    status: twelvetasks.TaskStatus | None = None,
    after: str | None = None,
    limit: Limit = 20,
) -> Following:
    """List tasks, none twice and none left out, however much is uploaded between two requests."""
    async with session.tasks(status=status, resume=after, max_items=limit) as stream:
        tasks = [task async for task in stream]
    return Following(tasks=tasks, next=None if stream.exhausted else stream.checkpoint.token)


@app.get("/pages/{number}")
async def show_page(
    session: Session, number: Annotated[int, fastapi.Path(ge=1)], limit: Limit = 20
) -> Numbered:
    """Show a page by its number, as the platform has it now."""
    page = await session.tasks(page_limit=limit).page(number)
    return Numbered(tasks=page.tasks, total=page.page_info.total_results, more=page.has_next)


@app.get("/tasks/{task_id}")
async def show_task(session: Session, task_id: str) -> twelvetasks.Task:
    """Show one task, with all that the platform knows of it."""
    return await session.task(task_id)


async def failed_stream(session: Session) -> AsyncIterator[twelvetasks.TaskStream]:
    """Open a listing of the failed tasks, and close it once its answer is sent or given up."""
    async with session.tasks(status="failed") as stream:
        yield stream


@app.get("/failed.jsonl")
async def stream_failed(
    stream: Annotated[twelvetasks.TaskStream, fastapi.Depends(failed_stream)],
) -> StreamingResponse:
    """Stream the failed tasks, each as soon as it is known.

    If not all of them can be read, the last line is an object with an `error`.
    """
    first = await anext(stream, None)  # An error before the first task has a status of its own.

    async def lines() -> AsyncIterator[str]:
        if first is not None:
            yield twelvetasks.to_json(first) + "\n"
        try:
            async for task in stream:
                yield twelvetasks.to_json(task) + "\n"
        except twelvetasks.TwelveTasksError as error:
            yield json.dumps({"error": str(error)}) + "\n"

    return StreamingResponse(lines(), media_type="application/jsonl")


@app.get("/ended")
async def list_ended() -> list[twelvetasks.Task]:
    """Show the tasks that have ended lately, newest first."""
    return list(ended)


@app.exception_handler(twelvetasks.TwelveTasksError)
async def explain(_: fastapi.Request, error: twelvetasks.TwelveTasksError) -> JSONResponse:
    """Turn an error of the platform, or a cursor that is none, into an answer of ours."""
    match error:
        case twelvetasks.InvalidArgumentError():
            status = 422
        case twelvetasks.NotFoundError():
            status = 404
        case twelvetasks.RateLimitedError():
            status = 503
        case _:
            status = 502
    return JSONResponse({"error": str(error)}, status)
