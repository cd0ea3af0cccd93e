"""Each example, run as its reader would run it, against the embedded platform."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.client import IncompleteRead
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.request import urlopen

import duckdb
import pytest
from aiohttp import web
from yarl import URL

from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory

EXAMPLES = Path(__file__).parents[1] / "examples"
KEY = "tlk_PLANTED0KEY0THAT0MUST0NEVER0SHOW"
WEBHOOK_SECRET = "whsec_PLANTED0SECRET0THAT0MUST0NEVER0SHOW"


@pytest.fixture
def account(fake_platform_factory: FakePlatformFactory) -> FakePlatform:
    return fake_platform_factory(1000, api_key=KEY)


def without_timings(printed: str) -> str:
    """Leave out what asyncio's debug mode says of a busy machine: that a callback took long."""
    return re.sub(r"^Executing <.*> took [\d.]+ seconds\n", "", printed, flags=re.MULTILINE)


def run(example: str, *arguments: str, key: str | None = KEY) -> subprocess.CompletedProcess[str]:
    """Run an example in a process of its own, in which every warning is an error."""
    environment = {
        name: value for name, value in os.environ.items() if name != "TWELVE_LABS_API_KEY"
    }
    if key is not None:
        environment["TWELVE_LABS_API_KEY"] = key
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", EXAMPLES / example, *arguments],
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert KEY not in ended.stdout + ended.stderr
    ended.stderr = without_timings(ended.stderr)
    return ended


def test_every_example_is_tested() -> None:
    tests = Path(__file__).read_text("utf-8")
    examples = [path.name for path in EXAMPLES.glob("*.py")]
    assert examples
    assert [name for name in examples if f'("{name}"' not in tests] == []


class TestScript:
    def test_it_reports_every_failed_task_in_the_order_of_its_update(
        self, account: FakePlatform
    ) -> None:
        ended = run("script.py", str(account.base_url))
        assert (ended.returncode, ended.stderr) == (0, "")
        failed = account.tasks(status="failed", sort_by="updated_at")
        lines = ended.stdout.splitlines()
        assert [line.split("  ")[1] for line in lines[: len(failed)]] == [
            task["_id"] for task in failed
        ]
        assert lines[len(failed)] == "40 of 1000 tasks failed"
        by_index = Counter(task["index_id"] for task in failed)
        assert [line.split(" in index ") for line in lines[len(failed) + 1 :]] == [
            [f"{count:4}", index_id] for index_id, count in by_index.most_common()
        ]

    def test_it_puts_a_dash_for_what_the_platform_does_not_know(
        self, fake_platform_factory: FakePlatformFactory
    ) -> None:
        account = fake_platform_factory(
            [{"_id": "a", "status": "failed", "updated_at": None}], api_key=KEY
        )
        ended = run("script.py", str(account.base_url))
        assert ended.stdout.startswith("-  a  -\n1 of 1 tasks failed\n")

    def test_it_ends_with_one_line_if_the_platform_refuses(self, account: FakePlatform) -> None:
        ended = run("script.py", str(account.base_url), key="tlk_another")
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.startswith("script.py: page 1: 401 api_key_invalid")
        assert ended.stderr.count("\n") == 1

    def test_it_ends_with_one_line_without_a_key(self, account: FakePlatform) -> None:
        ended = run("script.py", str(account.base_url), key=None)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "TWELVE_LABS_API_KEY" in ended.stderr
        assert account.requests == []

    def test_it_speaks_to_twelvelabs_unless_told_otherwise(
        self, account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "base_url" in run("script.py", "--help").stdout
        assert "https://" not in (EXAMPLES / "script.py").read_text("utf-8")  # the session knows
        monkeypatch.setenv("TWELVELABS_BASE_URL", str(account.base_url))
        assert run("script.py").stdout == run("script.py", str(account.base_url)).stdout != ""


class TestWarehouse:
    @staticmethod
    def rows(path: Path) -> list[tuple[object, ...]]:
        with duckdb.connect(path) as warehouse:
            return warehouse.execute(
                "select id, status, task ->> 'updated_at' from tasks order by updated_at, id"
            ).fetchall()

    @staticmethod
    def expected(account: FakePlatform) -> list[tuple[object, ...]]:
        return [
            (task["_id"], task["status"], task["updated_at"])
            for task in account.tasks(sort_by="updated_at", sort_option="asc")
        ]

    def test_each_run_brings_only_what_is_new_or_changed(
        self, account: FakePlatform, tmp_path: Path
    ) -> None:
        path = tmp_path / "tasks.duckdb"
        assert run("warehouse.py", str(path), str(account.base_url)).stdout.startswith("1000 ")
        assert run("warehouse.py", str(path), str(account.base_url)).stdout.startswith("0 ")
        account.add(status="pending")
        account.update(account.tasks()[500]["_id"], status="failed")
        assert run("warehouse.py", str(path), str(account.base_url)).stdout.startswith("2 ")
        assert self.rows(path) == self.expected(account)

    def test_a_run_that_fails_keeps_what_it_had_and_the_next_goes_on(
        self, account: FakePlatform, tmp_path: Path
    ) -> None:
        path = tmp_path / "tasks.duckdb"

        def expire(account: FakePlatform, request: web.Request) -> None:
            account.api_key = KEY if len(account.requests) < 5 else "tlk_another"

        account.before_each(expire)
        ended = run("warehouse.py", str(path), str(account.base_url))
        assert ended.returncode == 1
        assert "run it again to continue" in ended.stderr
        had = len(self.rows(path))
        assert 0 < had < 1000
        account.before_each(lambda account, request: setattr(account, "api_key", KEY))
        ended = run("warehouse.py", str(path), str(account.base_url))
        assert ended.stdout.startswith(f"{1000 - had} ")
        assert self.rows(path) == self.expected(account)


class TestService:
    @pytest.fixture
    def service(self, account: FakePlatform) -> Iterator[str]:
        """Start the service on a free port, as a user would; it has to end quietly on SIGTERM."""
        with self.serving(account) as address:
            yield address

    @staticmethod
    @contextmanager
    def serving(
        account: FakePlatform, *, complaint: str | None = None, **environment: str
    ) -> Iterator[str]:
        with started("service.py", str(account.base_url), "--port", "0", **environment) as process:
            assert process.stdout is not None
            address, printed = read_address(process.stdout)
            yield address
            process.terminate()
            assert process.wait(20) in (0, -signal.SIGTERM)
            printed += process.stdout.read()
            assert KEY not in printed
            assert WEBHOOK_SECRET not in printed
            printed = without_timings(printed)
            assert "Traceback" not in printed, printed
            assert "Error" not in printed, printed
            assert (complaint is None) or (complaint in printed), printed

    def test_it_streams_the_failed_tasks(self, account: FakePlatform, service: str) -> None:
        with urlopen(f"{service}/failed", timeout=20) as answer:
            tasks = [json.loads(line) for line in answer]
        assert [task["_id"] for task in tasks] == [
            task["_id"] for task in account.tasks(status="failed")
        ]

    def test_it_counts_each_status(self, account: FakePlatform, service: str) -> None:
        with urlopen(f"{service}/counts", timeout=20) as answer:
            assert json.load(answer) == Counter(task["status"] for task in account.tasks())
        assert len(account.requests) == 7

    def test_what_the_platform_refuses_is_an_answer_too(
        self, account: FakePlatform, service: str
    ) -> None:
        account.api_key = "tlk_another"
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{service}/failed", timeout=20)
        with refused.value as answer:
            assert answer.status == 502
            assert "keys expire" in json.load(answer)["error"]

    @pytest.mark.parametrize("how", ["orderly", "reset"])
    def test_a_client_that_leaves_ends_its_listing_without_a_word(
        self, account: FakePlatform, service: str, how: str
    ) -> None:
        fail_all(account)
        account.hold(page=5)
        with connected(service, "/failed") as client:
            assert client.recv(20).startswith(b"HTTP/1.1 200 OK")
            until_true(lambda: account.in_flight > 0)
            leave(client, how)
        # Without an answer of the platform: the request itself is given up.
        until_true(lambda: account.in_flight == 0)

    def test_a_client_may_leave_before_the_first_task(
        self, account: FakePlatform, service: str
    ) -> None:
        account.hold(page=1)
        with connected(service, "/failed"):
            until_true(lambda: account.in_flight > 0)
        until_true(lambda: account.in_flight == 0)

    def test_an_answer_that_cannot_be_completed_is_cut_off(self, account: FakePlatform) -> None:
        fail_all(account)
        with (
            self.serving(account, complaint="an answer was cut off: ") as service,
            urlopen(f"{service}/failed", timeout=20) as answer,
        ):
            hold = account.hold(page=5)
            assert json.loads(answer.readline())["status"] == "failed"
            account.api_key = "tlk_another"
            hold.release()
            with pytest.raises(IncompleteRead):
                answer.read()

    def test_it_shows_which_tasks_end_as_webhooks_and_its_watch_find_out(
        self, account: FakePlatform
    ) -> None:
        told, untold = account.tasks(status="indexing")[:2]
        with self.serving(account, TWELVE_LABS_WEBHOOK_SECRET=WEBHOOK_SECRET) as service:
            until_true(lambda: bool(account.requests and account.requests[0].status))
            webhook = account.add_webhook(f"{service}/webhooks", WEBHOOK_SECRET)
            webhook.disturb(copies=0)
            account.finish(untold["_id"], status="failed")
            account.finish(told["_id"])

            def ended() -> list[str]:
                with urlopen(f"{service}/ended", timeout=20) as answer:
                    return [task["_id"] for task in json.load(answer)]

            until_true(lambda: len(ended()) == 2)
            assert ended() == [told["_id"], untold["_id"]]
            until_true(lambda: len(account.deliveries) == 1)
            assert account.deliveries[0].status == 200
            account.add_webhook(f"{service}/webhooks", "guessed")
            account.add()
            until_true(lambda: 401 in {delivery.status for delivery in account.deliveries})

    def test_without_a_webhook_s_secret_it_takes_none(
        self, account: FakePlatform, service: str
    ) -> None:
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{service}/webhooks", data=b"{}", timeout=20)
        refused.value.close()
        assert refused.value.status == 404
        assert account.requests == []


class TestFastapiService:
    @pytest.fixture
    def service(self, account: FakePlatform) -> Iterator[str]:
        """Run it under uvicorn, as its docstring says; it has to end quietly on SIGTERM."""
        module = Path("fastapi_service.py").stem
        with running(
            *("-m", "uvicorn", "--app-dir", str(EXAMPLES), "--port", "0"),
            f"{module}:app",
            TWELVELABS_BASE_URL=str(account.base_url),
            TWELVE_LABS_WEBHOOK_SECRET=WEBHOOK_SECRET,
        ) as process:
            assert process.stdout is not None
            address, printed = read_address(process.stdout)
            # The watch's own first requests are not those of a test.
            until_true(lambda: bool(account.requests) and account.in_flight == 0)
            account.requests.clear()
            yield address
            process.terminate()
            assert process.wait(20) in (0, -signal.SIGTERM)
            printed += process.stdout.read()
            assert "Application shutdown complete" in printed
            assert KEY not in printed
            assert WEBHOOK_SECRET not in printed
            printed = without_timings(printed)
            for word in ("Traceback", "Error", "ERROR", "WARNING"):
                assert word not in printed, printed

    @pytest.fixture
    def all_failed(self, account: FakePlatform) -> None:
        """Before the service begins to watch: what it asks for must not be held."""
        fail_all(account)

    @staticmethod
    def get(url: str) -> Any:
        with urlopen(url, timeout=20) as answer:
            return json.load(answer)

    def test_a_cursor_leads_to_every_task_once_while_others_are_uploaded(
        self, account: FakePlatform, service: str
    ) -> None:
        expected = account.tasks(status="failed")
        found: list[Any] = []
        query = "status=failed&limit=7"
        answer = self.get(f"{service}/tasks?{query}")
        found += answer["tasks"]
        while answer["next"]:
            account.add(status="failed")
            answer = self.get(f"{service}/tasks?{query}&after={answer['next']}")
            found += answer["tasks"]
        assert found == expected

    def test_a_page_says_whether_there_is_more(self, account: FakePlatform, service: str) -> None:
        third = self.get(f"{service}/pages/3?limit=50")
        assert third == {"tasks": account.tasks()[100:150], "total": 1000, "more": True}
        assert [request.page for request in account.requests] == [3]
        last = self.get(f"{service}/pages/20?limit=50")
        assert (len(last["tasks"]), last["more"]) == (50, False)

    def test_one_task_is_shown_as_it_is(self, account: FakePlatform, service: str) -> None:
        task = account.tasks()[0]["_id"]
        assert self.get(f"{service}/tasks/{task}")["_id"] == task

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("tasks/unknown", 404),
            ("tasks?after=none", 422),
            ("tasks?status=misspelled", 422),
            ("tasks?limit=0", 422),
            ("pages/0", 422),
        ],
    )
    def test_what_cannot_be_answered_is_refused(self, service: str, path: str, status: int) -> None:
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{service}/{path}", timeout=20)
        with refused.value as answer:
            assert answer.status == status
            assert json.load(answer)

    def test_its_schema_describes_a_task(self, service: str) -> None:
        schemas = self.get(f"{service}/openapi.json")["components"]["schemas"]
        assert schemas["Task"]["required"] == ["_id"]
        assert schemas["Following"]["properties"]["tasks"]["items"] == {
            "$ref": "#/components/schemas/Task"
        }

    def test_it_streams_the_failed_tasks(self, account: FakePlatform, service: str) -> None:
        with urlopen(f"{service}/failed.jsonl", timeout=20) as answer:
            assert [json.loads(line) for line in answer] == account.tasks(status="failed")

    @pytest.mark.usefixtures("all_failed")
    @pytest.mark.parametrize("how", ["orderly", "reset"])
    def test_a_client_that_leaves_ends_its_listing_without_a_word(
        self, account: FakePlatform, service: str, how: str
    ) -> None:
        account.hold(page=5)
        with connected(service, "/failed.jsonl") as client:
            assert client.recv(20).startswith(b"HTTP/1.1 200 OK")
            until_true(lambda: account.in_flight > 0)
            leave(client, how)
        until_true(lambda: account.in_flight == 0)

    def test_an_answer_that_cannot_be_completed_ends_with_the_error(
        self, account: FakePlatform, service: str
    ) -> None:
        fail_all(account)

        def refuse(request: web.Request) -> web.Response | None:
            is_listing = request.query.getall("status", []) == ["failed"]  # the watch has two
            late = is_listing and request.query.get("page") == "5"
            return web.Response(status=403, text="{}") if late else None

        account.respond(refuse)
        with urlopen(f"{service}/failed.jsonl", timeout=20) as answer:
            *tasks, last = [json.loads(line) for line in answer]
        assert (len(tasks), list(last)) == (200, ["error"])

    def test_it_shows_which_tasks_end(self, account: FakePlatform, service: str) -> None:
        account.add_webhook(f"{service}/webhooks", WEBHOOK_SECRET)
        task = account.tasks(status="indexing")[0]["_id"]
        account.finish(task)
        until_true(lambda: [one["_id"] for one in self.get(f"{service}/ended")] == [task])
        assert [delivery.status for delivery in account.deliveries] == [200]


def read_address(output: IO[str]) -> tuple[str, str]:
    """Read what a server prints until it says where it listens; give both."""
    printed = ""
    while not (address := re.search(r"http://127\.0\.0\.1:\d+", printed)):
        line = output.readline()
        assert line, printed
        printed += line
    return address.group(), printed


def fail_all(account: FakePlatform) -> None:
    """Let every task have failed long ago: a watch that begins then reads no more than one page."""
    for task in account.tasks():
        account.update(task["_id"], status="failed", updated_at=task["updated_at"])


def connected(service: str, path: str) -> socket.socket:
    """Connect to a service, and ask for a path of it."""
    address = URL(service)
    client = socket.create_connection((address.host, address.port), timeout=20)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: {address.host}\r\n\r\n".encode())
    return client


def leave(client: socket.socket, how: str) -> None:
    if how == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def until_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def started(example: str, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Start an example that goes on until it is told to stop."""
    with running(str(EXAMPLES / example), *arguments, **environment) as process:
        yield process


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Start Python with these arguments."""
    with subprocess.Popen(
        [sys.executable, "-u", "-X", "dev", "-W", "error", *arguments],
        env=os.environ | {"TWELVE_LABS_API_KEY": KEY} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class Channel:
    """What the bot is given by `fetch_channel`: the seam at which discord.py's network begins."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, text: str) -> None:
        self.sent.append(text)


class TestBot:
    @pytest.fixture
    async def bot(
        self, account: FakePlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[tuple[Any, Channel]]:
        """The bot, logged in nowhere, with its handlers as they are."""
        bot_module = example("bot.py")
        channel = Channel()
        monkeypatch.setattr(bot_module.discord.abc, "Messageable", Channel)
        async with bot_module.TaskBot(
            1, tmp_path / "checkpoint", interval=0.01, api_key=KEY, base_url=account.base_url
        ) as bot:

            async def fetch_channel(channel_id: int) -> Channel:
                assert channel_id == 1
                return channel

            bot.fetch_channel = fetch_channel
            yield bot, channel

    async def test_it_announces_how_tasks_end_and_after_a_restart_goes_on(
        self, account: FakePlatform, bot: tuple[Any, Channel]
    ) -> None:
        client, channel = bot
        ending = account.tasks(status="indexing")[:3]
        await client.setup_hook()
        await until(lambda: len(account.requests) >= 1)
        account.update(ending[0]["_id"], status="ready", system_metadata={"filename": "a.mp4"})
        await until(lambda: len(channel.sent) == 1)
        client.announce.cancel()
        await until(lambda: not client.announce.is_running())

        account.update(ending[1]["_id"], status="failed", system_metadata={"filename": "b.mp4"})
        account.update(ending[2]["_id"], status="queued")
        client.announce.start()
        await until(lambda: len(channel.sent) == 2)
        assert channel.sent == ["✅ a.mp4 is ready", "❌ b.mp4 is failed"]

    async def test_its_loop_has_ended_when_it_is_closed(
        self, account: FakePlatform, bot: tuple[Any, Channel]
    ) -> None:
        client, _ = bot
        await client.setup_hook()
        await until(lambda: len(account.requests) >= 1)
        await client.close()
        assert client.announce.get_task().done()

    async def test_it_says_once_that_the_key_is_refused(
        self, account: FakePlatform, bot: tuple[Any, Channel], caplog: pytest.LogCaptureFixture
    ) -> None:
        client, channel = bot
        account.api_key = "tlk_another"
        await client.setup_hook()
        await until(lambda: "announcing stopped" in caplog.text)
        await until(lambda: not client.announce.is_running())
        assert "keys expire" in str(client.announce.get_task().exception())
        assert channel.sent == []
        assert caplog.text.count("announcing stopped") == 1


def example(name: str) -> Any:
    """Import an example as a module."""
    spec = importlib.util.spec_from_file_location(name.removesuffix(".py"), EXAMPLES / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        # What the libraries that it imports still use is not the example's to mend.
        warnings.simplefilter("ignore", DeprecationWarning)
        spec.loader.exec_module(module)
    return module


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another thread
            await asyncio.sleep(0.005)
