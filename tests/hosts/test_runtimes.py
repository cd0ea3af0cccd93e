"""What runs a program's loop or its code: uvloop, anyio, a Jupyter kernel, AWS Lambda's runtime.

IPython's own cells are in `tests.values.test_display`, Flask, Django and trio in `tests.webhooks`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import nbformat
import pytest
import uvloop
from aiohttp import web
from nbclient import NotebookClient

from tests.hosts.test_bots import serving
from tests.webhooks.signing import SECRET, body_of, signed
from twelvetasks import TaskChange, TaskSession
from twelvetasks.testing import FakePlatform

Main = Callable[[], Coroutine[Any, Any, Any]]


def by_anyio(main: Main) -> Any:
    return anyio.run(main)


def by_anyio_with_uvloop(main: Main) -> Any:
    return anyio.run(main, backend_options={"use_uvloop": True})


def by_uvloop(main: Main) -> Any:
    return uvloop.run(main())


RUNNERS: list[Callable[[Main], Any]] = [by_uvloop, by_anyio, by_anyio_with_uvloop]


@pytest.mark.parametrize("run", RUNNERS, ids=lambda run: run.__name__)
def test_a_listing_and_a_watch_go_on_where_a_cancel_scope_cut_in(run: Any) -> None:
    async def main() -> tuple[list[str], str]:
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            ids: list[str] = []
            changes: list[TaskChange] = []
            async with session.tasks(page_limit=10) as stream:
                while not stream.exhausted:
                    with anyio.move_on_after(0.004):
                        async for task in stream:
                            ids.append(task.id)
                            await anyio.lowlevel.checkpoint()
            async with (
                session.watch(min_interval=0.05) as watch,
                anyio.create_task_group() as group,
            ):
                with anyio.move_on_after(0.2):
                    await anext(watch)
                group.start_soon(anyio.sleep, 0.01)
                changed = platform.tasks(status="indexing")[0]["_id"]
                platform.finish(changed)
                with anyio.fail_after(20):
                    changes.append(await anext(watch))
            return ids, changes[0].task.id

    with FakePlatform.demo(300).run_in_thread() as platform:
        expected = [task["_id"] for task in platform.tasks()]
        changing = platform.tasks(status="indexing")[0]["_id"]
        assert run(main) == (expected, changing)
        assert platform.in_flight == 0


def test_a_jupyter_notebook_keeps_one_session_from_cell_to_cell() -> None:
    with FakePlatform.demo(120).run_in_thread() as platform:
        cells = [
            f"""
            import twelvetasks
            address = {str(platform.base_url)!r}
            session = twelvetasks.TaskSession({platform.api_key!r}, base_url=address)
            len(await session.tasks())
            """,
            "stream = aiter(session.tasks()); first = await anext(stream); first",
            "[task.id async for task in stream][-1]",
            "await session.aclose()",
        ]
        v4: Any = nbformat.v4
        notebook = v4.new_notebook(
            cells=[v4.new_code_cell(textwrap.dedent(cell).strip()) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
        )
        NotebookClient(notebook, timeout=60).execute()
        shown = [cell.outputs[0].data for cell in notebook.cells[:3]]
        tasks = platform.tasks()
    assert shown[0]["text/plain"] == "120"
    assert tasks[0]["_id"] in shown[1]["text/html"]
    assert shown[2]["text/plain"] == repr(tasks[-1]["_id"])
    assert notebook.cells[3].outputs == []


HANDLER = f"""
import base64
from twelvetasks import WebhookError, webhooks

got = []
receiver = webhooks.Receiver({SECRET!r}, got.append)

def handle(event, context):
    body = event["body"]
    body = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    try:
        receiver.receive_sync(body, event["headers"].get("tl-signature"))
    except WebhookError as error:
        return {{"statusCode": webhooks.ANSWERS[error.refusal], "body": error.refusal}}
    return {{"statusCode": 200, "body": got[-1].id}}
"""


async def test_a_lambda_function_takes_webhooks_in_aws_own_runtime(tmp_path: Path) -> None:
    """Its runtime client asks this test for invocations, as it asks AWS."""
    (tmp_path / "handler.py").write_text(HANDLER, "utf-8")
    bodies = [body_of("whe_1"), body_of("whe_2"), body_of("whe_3")]
    signatures = [signed(body, SECRET, int(time.time())) for body in bodies]
    signatures[2] = "t=1,v1=forged"
    waiting = [
        {
            "isBase64Encoded": number == 0,
            "body": (base64.b64encode(body) if number == 0 else body).decode(),
            "headers": {"tl-signature": signatures[number]},
        }
        for number, body in enumerate(bodies)
    ]
    answers: list[Any] = []
    over, stopped = asyncio.Event(), asyncio.Event()

    async def give(_: web.Request) -> web.Response:
        if not waiting:
            over.set()
            await stopped.wait()
            return web.Response(status=500)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": f"id-{len(waiting)}",
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 60_000),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:test",
        }
        text = json.dumps(waiting.pop(0))
        # Without the charset that aiohttp would add: the client knows this one type alone.
        headers["Content-Type"] = "application/json"
        return web.Response(body=text.encode(), headers=headers)

    async def take(request: web.Request) -> web.Response:
        answers.append(json.loads(await request.text()))
        return web.Response(status=202)

    api = web.Application()
    api.router.add_get("/2018-06-01/runtime/invocation/next", give)
    api.router.add_post("/2018-06-01/runtime/invocation/{id}/{kind}", take)
    async with asyncio.timeout(60), serving(api) as address:
        function = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "awslambdaric", "handler.handle"),
            cwd=tmp_path,
            env=os.environ
            | {
                "AWS_LAMBDA_RUNTIME_API": address.removeprefix("http://"),
                "AWS_LAMBDA_FUNCTION_NAME": "webhooks",
                "LAMBDA_TASK_ROOT": str(tmp_path),
                "PYTHONPATH": str(tmp_path),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        ended = asyncio.ensure_future(function.wait())
        try:
            waited = asyncio.ensure_future(over.wait())
            await asyncio.wait([ended, waited], return_when=asyncio.FIRST_COMPLETED)
            waited.cancel()
        finally:
            if function.returncode is None:
                function.kill()
            stopped.set()
            printed, _ = await function.communicate()
            await ended
    assert answers == [
        {"statusCode": 200, "body": "whe_1"},
        {"statusCode": 200, "body": "whe_2"},
        {"statusCode": 401, "body": "forged"},
    ], printed.decode()
