"""Programs that show the locals of tracebacks show no key: rich, and sentry-sdk as it is set up."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
import sentry_sdk
import sentry_sdk.envelope
from rich.console import Console
from rich.traceback import Traceback

from twelvetasks import TaskSession
from twelvetasks.testing import FakePlatform

KEY = f"tlk_{secrets.token_hex(50)}"


def by_rich(error: BaseException) -> str:
    out = io.StringIO()
    # The first frame is the test's own.
    trace = error.__traceback__
    assert trace is not None
    shown = Traceback.from_exception(type(error), error, trace.tb_next, show_locals=True)
    Console(file=out, width=1000).print(shown)
    return out.getvalue()


def by_sentry(error: BaseException) -> str:
    kept = Kept()
    client = sentry_sdk.Client(
        dsn="https://public@sentry.invalid/1",
        transport=kept,
        default_integrations=False,
        auto_enabling_integrations=False,
    )
    trace = error.__traceback__
    assert trace is not None
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(client)
        scope.capture_exception(error.with_traceback(trace.tb_next))
    assert kept.sent
    return json.dumps([item.payload.json for one in kept.sent for item in one.items])


class Kept(sentry_sdk.Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[sentry_sdk.envelope.Envelope] = []

    def capture_envelope(self, envelope: sentry_sdk.envelope.Envelope) -> None:
        self.sent.append(envelope)


async def of_a_wrong_type(_: FakePlatform) -> None:
    TaskSession(cast("str", KEY.encode()))


async def with_a_bad_argument(_: FakePlatform) -> None:
    TaskSession(KEY, concurrency=0)


async def of_a_list(_: FakePlatform) -> None:
    TaskSession(cast("str", [KEY]))


async def in_a_base_url(_: FakePlatform) -> None:
    TaskSession("key", base_url=f"https://user:{KEY}@[bad/#{KEY}")


async def in_a_proxy_that_is_none(_: FakePlatform) -> None:
    TaskSession("key", proxy=f"http://user:{KEY}@[bad/")


async def in_a_proxy_beside_a_bad_argument(_: FakePlatform) -> None:
    TaskSession("key", proxy=f"http://user:{KEY}@proxy.invalid:3128", concurrency=0)


async def in_a_proxy_of_the_environment(_: FakePlatform) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HTTPS_PROXY", f"http://user:{KEY}@[bad/")
        async with TaskSession("key", base_url="https://twelvetasks.invalid") as session:
            await session.tasks()


async def of_a_refused_request(platform: FakePlatform) -> None:
    platform.fail(status=400)
    async with TaskSession(KEY, base_url=platform.base_url) as session:
        await session.tasks()


@pytest.mark.parametrize("show", [by_rich, by_sentry])
@pytest.mark.parametrize(
    "fail",
    [
        of_a_wrong_type,
        of_a_list,
        with_a_bad_argument,
        of_a_refused_request,
        in_a_base_url,
        in_a_proxy_that_is_none,
        in_a_proxy_beside_a_bad_argument,
        in_a_proxy_of_the_environment,
    ],
)
async def test_no_key_is_shown(
    show: Callable[[BaseException], str], fail: Callable[[FakePlatform], Awaitable[None]]
) -> None:
    async with FakePlatform(api_key=KEY) as platform:
        with pytest.raises(Exception, match=r".") as caught:
            await fail(platform)
    # The second frame is the caller's, which had the key.
    trace = caught.value.__traceback__
    assert trace is not None
    shown = show(caught.value.with_traceback(trace.tb_next))
    assert "/twelvetasks/" in shown
    assert KEY[:40] not in shown
