"""Starts what a benchmark measures: platforms in one process, each client in another."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import orjson

from tests import unmeasured
from tests.benchmarks._client import Measured, Order
from tests.benchmarks._peers import API_KEY, Reading
from tests.benchmarks._server import Account

ROOT = Path(__file__).parents[2]
WARM_UP = Account(250)


@attrs.define
class Platforms:
    """The platforms of one process, each with an account of its own."""

    urls: list[str]
    """Where they serve, in the order of their accounts."""
    warm_url: str
    """Where the account serves that is listed before anything is measured."""
    requests: list[list[tuple[float, int | None]]] = attrs.field(factory=list)
    """What each was asked, once all have stopped: when, on `time.monotonic`, and the status."""

    def measure(
        self,
        peer: str,
        *,
        account: int = 0,
        page_limit: int = 50,
        concurrency: int = 16,
        base_url: str | None = None,
        folder: Path = ROOT,
        **order: Any,
    ) -> Measured:
        """Run a peer in a process of its own against one of the accounts.

        `base_url`: where it is reached, if not directly; `folder`: which checkout's client runs.
        """
        wanted = Order(
            peer=peer,
            reading=Reading(
                base_url=base_url or self.urls[account],
                page_limit=page_limit,
                concurrency=concurrency,
            ),
            warm_url=self.warm_url,
            **order,
        )
        ended = subprocess.run(
            _command("_client", attrs.asdict(wanted)),
            check=True,
            cwd=folder,
            env=environment() | {"PYTHONPATH": str(folder)},
            stdout=subprocess.PIPE,
        )
        return Measured(**orjson.loads(ended.stdout))


@contextmanager
def platforms(*accounts: Account) -> Iterator[Platforms]:
    """Serve accounts from one new process, which ends with the block."""
    served = [*accounts, WARM_UP]
    process = subprocess.Popen(
        _command("_server", [attrs.asdict(account) for account in served]),
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            *urls, warm_url = orjson.loads(process.stdout.readline())
            running = Platforms(urls, warm_url)
            for url, account in zip(urls, accounts, strict=True):
                if account.per_minute is None:
                    _sort(url)
            yield running
        finally:
            process.stdin.close()
        running.requests = orjson.loads(process.stdout.readline())


def _sort(url: str) -> None:
    """Let a platform put its tasks into each order, as it does for the first who asks."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for sort_by in ("created_at", "updated_at"):
        asked = urllib.request.Request(
            f"{url}/tasks?page_limit=1&sort_by={sort_by}", headers={"x-api-key": API_KEY}
        )
        with direct.open(asked) as answer:
            answer.read()


def environment() -> dict[str, str]:
    """Give the environment without what would lead a client to another platform or to a proxy."""
    misleading = ("TWELVELABS_BASE_URL", "TWELVE_LABS_API_KEY", "PYTHONPROFILEIMPORTTIME")
    return {
        name: value
        for name, value in unmeasured.environment().items()
        if name not in misleading and not name.lower().endswith("_proxy")
    }


def _command(module: str, argument: Any) -> list[str]:
    said = orjson.dumps(argument).decode()
    return [sys.executable, "-m", f"tests.benchmarks.{module}", said]
