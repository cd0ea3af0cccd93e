"""What a program prints that has configured no logging: nothing but its own words."""

from __future__ import annotations

import logging
import subprocess
import sys

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


def test_our_logger_has_no_handler() -> None:
    """Python's last resort then shows warnings, and only those, where nothing is configured."""
    assert logging.getLogger("twelvetasks").handlers == []
    assert logging.getLogger("twelvetasks").level == logging.NOTSET
