"""`RedisGate`: one limit and one pause for all processes, over a real Redis that comes and goes."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
import stamina
import trio
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis, RedisCluster
from redis.cluster import RedisCluster as SyncRedisCluster
from redis.exceptions import RedisError

from tests.test_session import within
from twelvetasks import (
    Gatekeeper,
    GatePolicy,
    InvalidArgumentError,
    RateLimitedError,
    RetryPolicy,
    SessionClosedError,
    TaskSession,
    TransportError,
)
from twelvetasks.fleet import RedisGate, redis_gate
from twelvetasks.testing import FakePlatform, RateLimit
from twelvetasks.transport.ratelimits import Allowance, RateReport

PASSWORD = "fleetSECRET0"
SERVER = shutil.which("redis-server")
PLENTY = 60_000
"""Requests in a minute that no test here comes near."""


@pytest.fixture(autouse=True)
def waits_are_on(retries_do_not_sleep: None) -> None:
    stamina.set_testing(False)


@attrs.define(eq=False)
class Server:
    """A Redis on loopback, which keeps its port over restarts and forgets all else."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self, *options: str) -> None:
        assert SERVER is not None, "there is no redis-server on this machine"
        self.process = subprocess.Popen(
            [
                *(SERVER, "--bind", "127.0.0.1", "--port", str(self.port)),
                *("--save", "", "--appendonly", "no", "--dir", str(self.folder)),
                *("--unixsocket", str(self.socket), "--requirepass", PASSWORD, *options),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    @property
    def socket(self) -> Path:
        return self.folder / "redis.sock"

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    async def restart(self) -> None:
        self.kill()
        self.start()
        await self.ready()

    def stall(self) -> None:
        """Let it take connections and questions, and answer none."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    async def ready(self) -> None:
        """Return once it answers, which it does soon unless something is wrong."""
        async with asyncio.timeout(20), Redis.from_url(self.url) as client:
            while True:
                with suppress(RedisError, OSError):
                    await client.exists("anything")
                    return
                await asyncio.sleep(0.01)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    if SERVER is None and not os.environ.get("CI"):  # pragma: no cover
        pytest.skip("there is no redis-server on this machine")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server = Server(tmp_path, unused.getsockname()[1])
    server.start()
    try:
        await server.ready()
        yield server
    finally:
        server.kill()


Fleet = Callable[..., RedisGate]


@pytest.fixture
async def fleet(server: Server) -> AsyncIterator[Fleet]:
    """Makes gates that share a name and a wide limit, as so many processes would."""
    async with AsyncExitStack() as stack:

        def make(redis: str | Redis = server.url, **options: Any) -> RedisGate:
            options.setdefault("requests", PLENTY)
            gate = RedisGate(redis, "acme", **options)
            stack.push_async_exit(gate)
            return gate

        yield make


@pytest.fixture
async def redis(server: Server) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url) as client:
        yield client


def session_of(platform: FakePlatform, gate: Gatekeeper, **options: Any) -> TaskSession:
    return TaskSession(platform.api_key, base_url=platform.base_url, gate=gate, **options)


def ids(platform: FakePlatform) -> list[str]:
    return [task["_id"] for task in platform.tasks()]


async def refused(gate: RedisGate, *, patience: float) -> RateLimitedError:
    with pytest.raises(RateLimitedError) as caught:
        async with within_passage(gate, patience=patience):
            pass
    return caught.value


def within_passage(gate: RedisGate, **options: Any) -> Any:
    class Bounded:
        def __init__(self) -> None:
            self.passage = gate.passage(**options)

        async def __aenter__(self) -> Any:
            return await within(self.passage.__aenter__())

        async def __aexit__(self, *exc_info: Any) -> None:
            await self.passage.__aexit__(*exc_info)

    return Bounded()


async def one_request(gate: RedisGate, **report: Any) -> None:
    report.setdefault("status", 200)
    async with within_passage(gate) as passage:
        passage.report(RateReport(**report))


LISTER = """
import asyncio, sys
from twelvetasks import TaskSession
from twelvetasks.fleet import RedisGate

base_url, api_key, redis_url, requests, per = sys.argv[1:]

async def main():
    async with (
        RedisGate(redis_url, "acme", requests=int(requests), per=int(per)) as gate,
        TaskSession(api_key, base_url=base_url, gate=gate) as session,
    ):
        async for task in session.tasks(page_limit=1):
            print(task.id)

asyncio.run(main())
"""


class TestFourProcesses:
    REQUESTS, PER, EACH = 120, 6, 62

    @pytest.fixture
    def crowded(self) -> Iterator[FakePlatform]:
        limit = RateLimit(self.REQUESTS, per=self.PER)
        with FakePlatform.demo(self.EACH, rate_limit=limit).run_in_thread() as platform:
            yield platform

    async def list_all(self, platform: FakePlatform, server: Server) -> str:
        """List all tasks in a process of its own, with one request for each."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", LISTER, str(platform.base_url), platform.api_key),
            *(server.url, str(self.REQUESTS), str(self.PER)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            printed, _ = await asyncio.wait_for(process.communicate(), 120)
        finally:
            if process.returncode is None:  # pragma: no cover
                process.kill()
                await process.wait()
        return printed.decode()

    async def test_together_they_use_the_limit_and_never_break_it(
        self, crowded: FakePlatform, server: Server
    ) -> None:
        listed = await asyncio.gather(*(self.list_all(crowded, server) for _ in range(4)))
        assert [one.split() for one in listed] == [ids(crowded)] * 4

        requests = crowded.requests
        assert {request.status for request in requests} == {200}
        # The first window begins with the burst that an idle fleet may make.
        arrivals = [request.started for request in requests]
        steady = [at for at in arrivals if at >= arrivals[0] + self.PER]
        seconds = steady[-1] - steady[0]
        used = (len(steady) - 1) / seconds / (self.REQUESTS / self.PER)
        print(f"{len(steady)} requests in {seconds:.2f} s: {used:.1%} of the limit")
        assert seconds > self.PER
        assert used >= 0.85


class TestTheLimit:
    async def test_is_that_of_all_gates_of_the_name(self, fleet: Fleet) -> None:
        gates = [fleet(requests=3, burst=3), fleet(requests=3, burst=3)]
        for gate in (*gates, gates[0]):
            await one_request(gate)
        for gate in gates:
            error = await refused(gate, patience=5)
            assert error.retry_after is not None
            assert 5 < error.retry_after <= 60
            assert "room again" in str(error)

    async def test_is_not_that_of_another_name(self, fleet: Fleet, server: Server) -> None:
        await one_request(fleet(requests=1))
        async with RedisGate(server.url, "another", requests=1) as another:
            await one_request(another)

    async def test_has_room_again_in_time(self, fleet: Fleet) -> None:
        gate = fleet(requests=20, per=1, burst=1)
        for _ in range(10):
            await one_request(gate)

    async def test_lets_those_nearest_the_reader_go_first(self, fleet: Fleet) -> None:
        gate = fleet(requests=4, per=1, burst=1)
        await one_request(gate)
        order: list[str] = []

        async def go(name: str, priority: float) -> None:
            async with within_passage(gate, priority=priority):
                order.append(name)

        tasks = []
        for name, priority in (("far", 9), ("near", 1), ("nearest", 0)):
            tasks.append(asyncio.create_task(go(name, priority)))
            await asyncio.sleep(0)
        await within(asyncio.gather(*tasks))
        # The first that came is asking for its turn already.
        assert order == ["far", "nearest", "near"]

    async def test_one_that_is_cancelled_gives_its_place_back(self, fleet: Fleet) -> None:
        gate = fleet(requests=1, concurrency=1)
        await one_request(gate)
        waiting = asyncio.create_task(one_request(gate))
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await refused(gate, patience=1)

    async def test_one_that_is_cancelled_while_redis_thinks_takes_no_answer_from_another(
        self, fleet: Fleet, server: Server
    ) -> None:
        gate = fleet()
        await one_request(gate)
        server.stall()
        asking = asyncio.create_task(one_request(gate))
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        server.go_on()
        await one_request(gate, status=429, retry_after=30.0)
        assert (await refused(gate, patience=5)).retry_after

    async def test_a_break_or_the_end_of_the_session_ends_the_waiting(
        self, platform: FakePlatform, fleet: Fleet
    ) -> None:
        gate = fleet(requests=2, burst=2)
        async with session_of(platform, gate) as session:
            async with session.tasks(page_limit=5) as stream:
                async for _ in stream:
                    break
            waiting = asyncio.ensure_future(within(session.tasks()))
            await asyncio.sleep(0.1)
        with pytest.raises(SessionClosedError):
            await within(waiting)
        assert len(platform.requests) <= 2

    async def test_is_not_waited_for_where_waits_are_off(self, fleet: Fleet) -> None:
        stamina.set_testing(True)
        gate = fleet(requests=1)
        for _ in range(3):
            await one_request(gate)


class TestThePause:
    async def test_a_429_to_one_process_holds_back_another(
        self, platform: FakePlatform, fleet: Fleet
    ) -> None:
        platform.fail(status=429, headers={"Retry-After": "1"})
        async with session_of(platform, fleet(), retry=RetryPolicy(attempts=1)) as unlucky:
            with pytest.raises(RateLimitedError):
                await unlucky.tasks()
        async with session_of(platform, fleet()) as held_back:
            assert [task.id for task in await within(held_back.tasks())] == ids(platform)
        first, second = platform.requests[:2]
        assert first.ended is not None
        assert second.started - first.ended > 0.9

    @pytest.mark.parametrize(
        "report",
        [
            {"status": 429, "retry_after": 30.0},
            {"allowances": (Allowance(name="", remaining=0, reset_after=30.0),)},
        ],
        ids=["refused", "nothing left"],
    )
    async def test_is_known_to_all_that_ask(self, fleet: Fleet, report: dict[str, Any]) -> None:
        await one_request(fleet(), **report)
        other = fleet()
        assert other.pause_left() == 0
        error = await refused(other, patience=5)
        assert error.retry_after is not None
        assert 5 < error.retry_after <= 30
        assert 5 < other.pause_left() <= 30

    async def test_a_shorter_one_does_not_end_it(self, fleet: Fleet, redis: Redis) -> None:
        first, second = fleet(), fleet()
        async with within_passage(second) as passage:
            await one_request(first, status=429, retry_after=30.0)
            passage.report(RateReport(status=429, retry_after=2.0))
        assert await redis.pttl("twelvetasks:v1:pause:acme") > 2000

    async def test_a_longer_one_prolongs_it(self, fleet: Fleet, redis: Redis) -> None:
        first, second = fleet(), fleet()
        async with within_passage(second) as passage:
            await one_request(first, status=429, retry_after=2.0)
            passage.report(RateReport(status=429, retry_after=30.0))
        assert await redis.pttl("twelvetasks:v1:pause:acme") > 2000

    async def test_is_no_longer_than_the_policy_of_the_gate_that_met_it(
        self, fleet: Fleet, redis: Redis
    ) -> None:
        gate = fleet(policy=GatePolicy(longest_pause=20))
        await one_request(gate, status=429, retry_after=1e9)
        assert 0 < await redis.pttl("twelvetasks:v1:pause:acme") <= 20_000

    async def test_a_request_that_succeeds_or_is_lost_makes_none(
        self, fleet: Fleet, redis: Redis
    ) -> None:
        gate = fleet()
        await one_request(gate)
        with pytest.raises(ZeroDivisionError):
            async with within_passage(gate):
                _ = 1 / 0
        assert not await redis.exists("twelvetasks:v1:pause:acme")

    async def test_is_not_waited_for_where_waits_are_off(self, fleet: Fleet) -> None:
        stamina.set_testing(True)
        await one_request(fleet(), status=429, retry_after=30.0)
        await one_request(fleet())

    @pytest.mark.parametrize("on_outage", ["fail", "local"])
    async def test_met_while_redis_is_away_is_told_by_the_next_that_comes(
        self,
        fleet: Fleet,
        server: Server,
        redis: Redis,
        on_outage: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(redis_gate, "ASK_AGAIN_AFTER", 0.0)
        gate = fleet(on_outage=on_outage)
        async with within_passage(gate) as passage:
            server.kill()
            passage.report(RateReport(status=429, retry_after=30.0))
        await server.restart()
        assert not await redis.exists("twelvetasks:v1:pause:acme")
        await refused(gate, patience=5)
        assert await redis.pttl("twelvetasks:v1:pause:acme") > 5000

    async def test_is_told_by_the_next_that_comes_if_the_first_is_cancelled_while_telling(
        self, fleet: Fleet, server: Server, redis: Redis
    ) -> None:
        gate = fleet()
        inside = asyncio.Event()

        async def meet_a_429() -> None:
            async with within_passage(gate) as passage:
                server.stall()
                passage.report(RateReport(status=429, retry_after=30.0))
                inside.set()

        meeting = asyncio.create_task(meet_a_429())
        await within(inside.wait())
        await asyncio.sleep(0.05)
        meeting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await meeting
        server.go_on()
        await refused(gate, patience=5)
        assert await redis.pttl("twelvetasks:v1:pause:acme") > 5000

    async def test_is_told_by_the_next_that_comes_if_what_met_it_has_failed(
        self, fleet: Fleet, redis: Redis
    ) -> None:
        gate = fleet()

        async def fail_after_a_429() -> None:
            async with within_passage(gate) as passage:
                passage.report(RateReport(status=429, retry_after=30.0))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail_after_a_429()
        await refused(gate, patience=5)
        assert await redis.pttl("twelvetasks:v1:pause:acme") > 5000


def stopped(server: Server) -> None:
    server.kill()


def stalled(server: Server) -> None:
    server.stall()


@pytest.mark.parametrize("away", [stopped, stalled])
class TestAnOutage:
    async def test_fails_the_listing_if_so_chosen(
        self, platform: FakePlatform, fleet: Fleet, server: Server, away: Callable[[Server], None]
    ) -> None:
        gate = fleet(timeout=0.3)
        listed: list[str] = []

        async def list_until_it_fails(session: TaskSession) -> None:
            async for task in session.tasks(page_limit=5):
                listed.append(task.id)
                if len(listed) == 10:
                    away(server)

        async with session_of(platform, gate) as session:
            with pytest.raises(TransportError) as caught:
                await within(list_until_it_fails(session))
        error = caught.value
        assert f"127.0.0.1:{server.port}" in str(error)
        assert 10 <= len(listed) < 230
        assert listed == ids(platform)[: len(listed)]

        await server.restart()
        async with session_of(platform, gate) as session:
            resumed = session.tasks(page_limit=5, resume=error.checkpoint)
            listed += [task.id for task in await within(resumed)]
        assert listed == ids(platform)

    async def test_leaves_the_listing_to_the_local_gate_if_so_chosen(
        self,
        platform: FakePlatform,
        fleet: Fleet,
        server: Server,
        redis: Redis,
        away: Callable[[Server], None],
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(redis_gate, "ASK_AGAIN_AFTER", 1.0)
        gate = fleet(timeout=0.3, on_outage="local")
        listed: list[str] = []
        caplog.set_level(logging.INFO, "twelvetasks")
        async with session_of(platform, gate) as session:
            async for task in session.tasks(page_limit=5):
                listed.append(task.id)
                if len(listed) == 10:
                    away(server)
            assert listed == ids(platform)
            (warning,) = caplog.records
            assert warning.levelno == logging.WARNING
            assert f"127.0.0.1:{server.port}" in warning.getMessage()

            await server.restart()
            async with asyncio.timeout(20):
                while len(caplog.records) == 1:
                    assert await session.tasks().first() is not None
        assert await redis.exists("twelvetasks:v1:gcra:acme")
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]

    async def test_does_not_hide_what_a_request_has_met(
        self, fleet: Fleet, server: Server, away: Callable[[Server], None]
    ) -> None:
        for on_outage in ("fail", "local"):
            gate = fleet(timeout=0.3, on_outage=on_outage)
            async with within_passage(gate) as passage:
                away(server)
                passage.report(RateReport(status=429, retry_after=30.0))
            assert gate.pause_left() > 0
            await server.restart()


class TestClusters:
    """They are refused before any request of the platform is made."""

    @pytest.mark.parametrize("kind", [RedisCluster, SyncRedisCluster])
    def test_a_client_of_one_is_refused(self, kind: Any) -> None:
        client = kind.__new__(kind)  # a synchronous one connects when it is made
        with pytest.raises(InvalidArgumentError, match=r"redis=.*Redis Cluster is not supported"):
            RedisGate(client, "acme", requests=60)

    @pytest.mark.parametrize("scheme", ["redis+cluster", "rediscluster", "redis-cluster"])
    def test_a_url_of_one_is_refused(self, scheme: str) -> None:
        url = f"{scheme}://:{PASSWORD}@127.0.0.1:7000"
        with pytest.raises(InvalidArgumentError, match="Redis Cluster is not supported") as caught:
            RedisGate(url, "acme", requests=60)
        assert PASSWORD not in "".join(traceback.format_exception(caught.value))

    @pytest.mark.parametrize("on_outage", ["fail", "local"])
    async def test_a_node_of_one_says_so_whatever_is_done_in_an_outage(
        self, server: Server, fleet: Fleet, on_outage: str
    ) -> None:
        server.kill()
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            bus = unused.getsockname()[1]
        server.start("--cluster-enabled", "yes", "--cluster-port", str(bus))
        async with asyncio.timeout(20), Redis.from_url(server.url) as client:
            while True:
                with suppress(RedisError, OSError):
                    await client.client_id()
                    break
                await asyncio.sleep(0.01)
        async with FakePlatform.demo(10) as platform:
            gate = fleet(on_outage=on_outage)
            async with TaskSession(
                platform.api_key, base_url=platform.base_url, gate=gate
            ) as session:
                with pytest.raises(TransportError, match="Redis Cluster is not supported"):
                    await session.tasks().count()
            assert not platform.requests


async def test_an_outage_is_logged_once_however_often_redis_is_asked(
    fleet: Fleet, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_gate, "ASK_AGAIN_AFTER", 0.0)
    gate = fleet(on_outage="local")
    for _ in range(2):
        server.kill()
        caplog.clear()
        for _ in range(3):
            await one_request(gate)
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        await server.restart()
        await one_request(gate)


class TestLifetime:
    async def test_a_client_of_the_callers_stays_open(self, fleet: Fleet, server: Server) -> None:
        async with Redis.from_url(server.url, decode_responses=True) as client:
            async with fleet(client) as gate:
                await one_request(gate, status=429, retry_after=30.0)
            assert gate.closed
            assert await client.pttl("twelvetasks:v1:pause:acme") > 0

    async def test_its_own_connection_is_closed_with_it(self, fleet: Fleet, redis: Redis) -> None:
        async with fleet() as gate:
            await one_request(gate)
            assert len(await redis.client_list()) == 2
        async with asyncio.timeout(20):
            while len(await redis.client_list()) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    @pytest.mark.parametrize("pause", [0, 0.2])
    async def test_nothing_passes_a_closed_gate(self, fleet: Fleet, pause: float) -> None:
        gate = fleet(requests=1)
        async with within_passage(gate) as passage:
            waiting = asyncio.create_task(one_request(gate))
            await asyncio.sleep(pause)
            await gate.aclose()
            passage.report(RateReport(status=429, retry_after=30.0))
        with pytest.raises(SessionClosedError):
            await within(waiting)
        with pytest.raises(SessionClosedError):
            await one_request(gate)
        with pytest.raises(SessionClosedError):
            async with gate:
                pass

    async def test_it_belongs_to_one_event_loop(self, fleet: Fleet) -> None:
        gate = fleet()
        await one_request(gate)
        for use in (one_request(gate), gate.aclose()):
            with pytest.raises(SessionClosedError, match="another event loop"):
                await asyncio.to_thread(asyncio.run, use)
        await one_request(gate)

    def test_one_whose_loop_is_closed_can_be_closed(self, server: Server) -> None:
        gate = RedisGate(server.url, "acme", requests=60)

        async def use() -> None:
            await one_request(gate)
            await gate._client.aclose()  # Then no connection is left open in a closed loop.

        asyncio.run(use())
        with pytest.raises(SessionClosedError, match="another event loop"):
            asyncio.run(one_request(gate))
        asyncio.run(gate.aclose())
        assert gate.closed

    def test_one_that_was_never_used_can_be_closed_under_trio(self) -> None:
        gate = RedisGate("redis://127.0.0.1:1", "acme", requests=60)
        trio.run(gate.aclose)
        assert gate.closed

    def test_it_is_a_gatekeeper_that_cannot_be_pickled(self, server: Server) -> None:
        gate = RedisGate(server.url, "acme", requests=1)
        assert isinstance(gate, Gatekeeper)
        with pytest.raises(TypeError, match="cannot be pickled"):
            gate.__reduce_ex__(4)


class TestArguments:
    @pytest.mark.parametrize(
        ("parameter", "value"),
        [
            ("redis", "http://127.0.0.1"),
            ("redis", "redis://127.0.0.1/0?unknown=1"),
            ("redis", "redis://127.0.0.1:port"),
            ("redis", None),
            ("name", ""),
            ("name", 1),
            ("requests", 0),
            ("per", 0.5),
            ("burst", 61),
            ("concurrency", 0),
            ("policy", "none"),
            ("on_outage", "ignore"),
            ("timeout", 0),
            ("timeout", True),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, parameter: str, value: Any) -> None:
        arguments: dict[str, Any] = {"redis": "redis://localhost", "name": "acme", "requests": 60}
        arguments[parameter] = value
        with pytest.raises(InvalidArgumentError, match=f"^{parameter}="):
            RedisGate(**arguments)

    def test_what_is_not_given(self) -> None:
        gate = RedisGate("redis://localhost", "acme", requests=60)
        assert (gate.per, gate.burst, gate.concurrency, gate.on_outage) == (60, 3, 8, "fail")
        assert gate.policy == GatePolicy()
        assert RedisGate("redis://localhost", "acme", requests=5).burst == 1

    @given(st.data(), st.integers(1, 10**6))
    def test_a_burst_and_what_follows_it_are_no_more_than_any_limit(
        self, data: st.DataObject, requests: int
    ) -> None:
        burst = data.draw(st.none() | st.integers(1, requests))
        gate = RedisGate("redis://localhost", "acme", requests=requests, burst=burst)
        assert gate.steady >= 1
        assert gate.burst + gate.steady - 1 <= requests
        if burst is None:
            assert gate.burst + gate.steady - 1 == requests - requests // 20
            assert gate.steady >= 0.9 * requests


class TestThePassword:
    def test_is_in_no_repr(self, server: Server) -> None:
        gate = RedisGate(server.url, "acme", requests=60)
        at = f"the Redis at 127.0.0.1:{server.port}"
        assert repr(gate) == f"<RedisGate 'acme', 60 requests in 60 s, {at}>"
        assert PASSWORD not in repr(vars(gate))

    async def test_is_in_no_error(self, server: Server, fleet: Fleet) -> None:
        gate = fleet(server.url.replace(PASSWORD, f"{PASSWORD}x"))
        with pytest.raises(TransportError, match="AuthenticationError") as caught:
            await one_request(gate)
        assert PASSWORD not in shown(caught.value)

    def test_is_in_no_refusal(self) -> None:
        for url in (f"http://:{PASSWORD}@localhost", f"redis://localhost:{PASSWORD}"):
            with pytest.raises(InvalidArgumentError) as caught:
                RedisGate(url, "acme", requests=60)
            error = caught.value
            del url
            assert PASSWORD not in shown(error)

    async def test_lets_in_through_a_unix_socket(self, server: Server, fleet: Fleet) -> None:
        gate = fleet(f"unix://{server.socket}?password={PASSWORD}")
        await one_request(gate)
        assert repr(gate).endswith(f"the Redis at {server.socket}>")

    def test_is_not_looked_for_where_no_address_is_known(self) -> None:
        assert repr(RedisGate("redis://", "acme", requests=1)).endswith(", the Redis>")


def shown(error: BaseException) -> str:
    """Give all that an error shows below this test, locals included."""
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    whole.stack = traceback.StackSummary.from_list(
        [frame for frame in whole.stack if "/tests/" not in frame.filename]
    )
    return "".join(whole.format())


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


class TestTheExtra:
    def test_is_not_imported_by_the_core(self) -> None:
        ended = run(
            "import sys, twelvetasks\n"
            "print({'redis', 'throttled', 'twelvetasks.fleet'} & set(sys.modules))"
        )
        assert (ended.stdout, ended.stderr) == ("set()\n", "")

    @pytest.mark.parametrize("lacking", ["redis", "throttled"])
    def test_is_named_where_it_is_missing(self, lacking: str) -> None:
        ended = run(f"import sys; sys.modules['{lacking}'] = None; import twelvetasks.fleet")
        assert ended.returncode == 1
        last = ended.stderr.splitlines()[-1]
        assert last == (
            "ImportError: twelvetasks.fleet needs its extra: pip install 'twelvetasks[redis]'"
        )
