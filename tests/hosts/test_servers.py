"""The FastAPI example under real servers: it lists, streams, takes webhooks, and ends quietly."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest
from yarl import URL

from tests.test_examples import EXAMPLES, connected, fail_all, leave, until_true
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory

KEY = "tlk_PLANTED0KEY0THAT0MUST0NEVER0SHOW"
SECRET = "whsec_PLANTED0SECRET0THAT0MUST0NEVER0SHOW"
APP = "fastapi_service:app"

SERVERS = {
    "uvicorn": ["uvicorn", APP, "--loop", "asyncio", "--port", "PORT"],
    "uvicorn with uvloop": ["uvicorn", APP, "--loop", "uvloop", "--port", "PORT"],
    "hypercorn": ["hypercorn", APP, "--bind", "127.0.0.1:PORT"],
    "granian": ["granian", APP, "--interface", "asgi", "--loop", "asyncio", "--port", "PORT"],
    "granian with uvloop": [
        "granian",
        APP,
        "--interface",
        "asgi",
        "--loop",
        "uvloop",
        "--port",
        "PORT",
    ],
    "gunicorn with uvicorn-worker": [
        *("gunicorn", APP, "--bind", "127.0.0.1:PORT"),
        *("--worker-class", "uvicorn_worker.UvicornWorker"),
    ],
}


@pytest.fixture
def account(fake_platform_factory: FakePlatformFactory) -> FakePlatform:
    return fake_platform_factory(1000, api_key=KEY)


@contextmanager
def served(server: str, account: FakePlatform, folder: Path) -> Iterator[str]:
    """Run the example under a server; after SIGTERM nothing of it may be left, and no complaint."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [word.replace("PORT", str(port)) for word in SERVERS[server]]
    output = folder / "output"
    with (
        output.open("wb") as written,
        subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=os.environ
            | {
                "HOME": str(folder),  # gunicorn puts a control socket there
                "PYTHONPATH": str(EXAMPLES),
                "TWELVE_LABS_API_KEY": KEY,
                "TWELVELABS_BASE_URL": str(account.base_url),
                "TWELVE_LABS_WEBHOOK_SECRET": SECRET,
            },
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that a failed test can end its workers, too
        ) as process,
    ):
        try:
            # The watch of the example asks as soon as it runs.
            until_true(lambda: bool(account.requests) or process.poll() is not None)
            until_true(lambda: is_open(port) or process.poll() is not None)
            assert process.poll() is None
            yield f"http://127.0.0.1:{port}"
            process.terminate()
            assert process.wait(20) in (0, -signal.SIGTERM)
            until_true(lambda: account.in_flight == 0)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            printed = output.read_text("utf-8")
            # Of gunicorn itself, at INFO: its worker has closed the socket before.
            printed = printed.replace("Error while closing socket [Errno 9]", "")
            for word in ("Traceback", "Error", "ERROR", "WARNING", "never", KEY, SECRET):
                assert word not in printed, printed


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("server", SERVERS)
def test_a_service_lists_streams_takes_webhooks_and_ends(
    account: FakePlatform, server: str, tmp_path: Path
) -> None:
    with served(server, account, tmp_path) as service:
        with urlopen(f"{service}/pages/3?limit=50", timeout=20) as answer:
            assert json.load(answer)["tasks"] == account.tasks()[100:150]
        with urlopen(f"{service}/failed.jsonl", timeout=20) as answer:
            assert [json.loads(line) for line in answer] == account.tasks(status="failed")

        account.add_webhook(str(URL(service) / "webhooks"), SECRET)
        task = account.tasks(status="indexing")[0]["_id"]
        account.finish(task)

        def ended() -> list[str]:
            with urlopen(f"{service}/ended", timeout=20) as answer:
                return [one["_id"] for one in json.load(answer)]

        until_true(lambda: ended() == [task])
        assert [delivery.status for delivery in account.deliveries] == [200]


@pytest.mark.parametrize("how", ["orderly", "reset"])
@pytest.mark.parametrize("server", SERVERS)
def test_a_client_that_leaves_ends_its_listing_without_a_word(
    account: FakePlatform, server: str, how: str, tmp_path: Path
) -> None:
    fail_all(account)
    with served(server, account, tmp_path) as service:
        account.hold(page=5)
        with connected(service, "/failed.jsonl") as client:
            assert client.recv(20).startswith(b"HTTP/1.1 200 ")
            until_true(lambda: account.in_flight > 0)
            leave(client, how)
        until_true(lambda: account.in_flight == 0)
