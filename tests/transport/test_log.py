"""What is logged: nothing that a program prints by itself, and each request if it is asked for."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys

import pytest

from tests.transport.raw import KEY, answer, raw
from twelvetasks import InvalidArgumentError, RetryPolicy, TaskSession, TwelveTasksError
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory

PROGRAM = """
import asyncio, sys
import stamina, twelvetasks

stamina.instrumentation.set_on_retry_hooks([])

async def main(key, base_url):
    retry = twelvetasks.RetryPolicy(wait_initial=0.01, wait_jitter=0)
    async with twelvetasks.TaskSession(key, base_url=base_url, retry=retry) as session:
        print(len(await session.tasks()))
        async for task in session.tasks():
            break

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_listing_with_retries_and_a_break_is_quiet(
    fake_platform_factory: FakePlatformFactory,
) -> None:
    platform = fake_platform_factory(230)
    platform.fail(status=503, page=2)
    platform.fail(disconnect=True, page=3)
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, platform.api_key, str(platform.base_url)],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "230\n", "")
    assert 503 in [request.status for request in platform.requests]


LINE = re.compile(
    r"(GET|POST|DELETE) (\S+?)(, page \d+)?: (\d{3}|no answer: .+) in \d+ ms "
    r"\(attempt (\d+), request id (\S+)\)"
)


def requests_in(caplog: pytest.LogCaptureFixture) -> list[tuple[str | None, ...]]:
    records = [record for record in caplog.records if record.levelno == logging.DEBUG]
    lines = [record.getMessage() for record in records if record.name == "twelvetasks"]
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found)
    return [line.groups() for line in found if line is not None]


async def test_each_attempt_is_logged_at_debug(
    caplog: pytest.LogCaptureFixture, platform: FakePlatform, session: TaskSession
) -> None:
    caplog.set_level(logging.DEBUG, "twelvetasks")
    platform.fail(disconnect=True, page=1)
    platform.fail(status=503, page=1)
    await session.tasks().count()
    task = platform.tasks(status="ready")[0]["_id"]
    await session.delete(task)
    logged = requests_in(caplog)
    assert [line[:4] for line in logged[1:]] == [
        ("GET", "/v1.3/tasks", ", page 1", "503"),
        ("GET", "/v1.3/tasks", ", page 1", "200"),
        ("DELETE", f"/v1.3/tasks/{task}", None, "204"),
    ]
    assert (logged[0][3] or "").startswith("no answer: the connection failed")
    assert [line[4] for line in logged] == ["1", "2", "3", "1"]
    assert logged[0][5] == "none"
    assert len({line[5] for line in logged}) == 4
    assert platform.api_key not in caplog.text


async def test_nothing_of_a_request_but_its_path_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "twelvetasks")
    words = f'{{"code": "c", "message": "{KEY}"}}'.encode()
    once = RetryPolicy(attempts=1)
    headers = {"Authorization": "Bearer t0ken"}
    async with raw(answer("400 Bad Request", f"X-Request-Id: {KEY}", body=words)) as server:
        session = TaskSession(KEY, base_url=server.base_url, retry=once, headers=headers)
        async with session:
            with pytest.raises(TwelveTasksError):
                await session.tasks(filename="private.mp4").count()
    assert len(requests_in(caplog)) == 1
    assert not any(secret in caplog.text for secret in (KEY, "t0ken", "private"))


LOGGED = """
import asyncio, sys
import twelvetasks

async def main(key, base_url):
    async with twelvetasks.TaskSession(key, base_url=base_url) as session:
        await session.tasks().count()
    async with twelvetasks.TaskSession(key, base_url=base_url) as session:
        await session.tasks().count()

asyncio.run(main(*sys.argv[1:]))
"""

CONFIGURED = f"""
import logging, sys
logging.basicConfig(stream=sys.stdout, format="mine: %(message)s")
{LOGGED}
"""


def run(platform: FakePlatform, level: str, *code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *code],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env=os.environ
        | {
            "TWELVETASKS_LOG": level,
            "TWELVE_LABS_API_KEY": platform.api_key,
            "TWELVETASKS_BASE_URL": str(platform.base_url),
        },
    )


@pytest.mark.parametrize("level", ["debug", "DEBUG"])
def test_the_variable_shows_requests_on_stderr_once_each(
    fake_platform_factory: FakePlatformFactory, level: str
) -> None:
    platform = fake_platform_factory(230)
    arguments = (platform.api_key, str(platform.base_url))
    ended = run(platform, level, "-c", LOGGED, *arguments)
    assert (ended.returncode, ended.stdout) == (0, "")
    lines = ended.stderr.splitlines()
    assert len(lines) == len(platform.requests) == 2
    assert all(" DEBUG twelvetasks: GET /v1.3/tasks, page 1: 200 in " in line for line in lines)
    assert platform.api_key not in ended.stderr


@pytest.mark.parametrize("level", ["info", "warning", "error", ""])
def test_other_levels_show_no_requests(
    fake_platform_factory: FakePlatformFactory, level: str
) -> None:
    platform = fake_platform_factory(230)
    ended = run(platform, level, "-c", LOGGED, platform.api_key, str(platform.base_url))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_program_that_logs_gets_the_records_in_its_own_way(
    fake_platform_factory: FakePlatformFactory,
) -> None:
    platform = fake_platform_factory(230)
    ended = run(platform, "debug", "-c", CONFIGURED, platform.api_key, str(platform.base_url))
    assert (ended.returncode, ended.stderr) == (0, "")
    ours = [line for line in ended.stdout.splitlines() if line.startswith("mine: GET /v1.3/tasks")]
    assert len(ours) == 2


def test_the_command_shows_its_requests_too(fake_platform_factory: FakePlatformFactory) -> None:
    platform = fake_platform_factory(230)
    ended = run(platform, "debug", "-m", "twelvetasks", "count")
    assert (ended.returncode, ended.stdout) == (0, "230\n")
    assert ended.stderr.count(" DEBUG twelvetasks: GET /v1.3/tasks, page 1: 200 in ") == 1
    assert platform.api_key not in ended.stderr


def test_what_is_no_level_is_refused_by_name(
    fake_platform_factory: FakePlatformFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWELVETASKS_LOG", "loud")
    with pytest.raises(InvalidArgumentError, match="TWELVETASKS_LOG='loud': must be one of debug"):
        TaskSession(KEY)
    ended = run(fake_platform_factory(230), "loud", "-m", "twelvetasks", "count")
    assert ended.returncode == 2
    assert "TWELVETASKS_LOG='loud': must be one of debug" in ended.stderr


def test_our_logger_has_no_handler() -> None:
    """Python's last resort then shows warnings, and only those, where nothing is configured."""
    assert logging.getLogger("twelvetasks").handlers == []
    assert logging.getLogger("twelvetasks").level == logging.NOTSET
