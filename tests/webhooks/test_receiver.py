"""What a receiver hands over, to whom, and what it asks the platform to send again."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import subprocess
import sys
from typing import Any

import pytest

from tests.webhooks.signing import NOW, SECRET, body_of, signed
from twelvetasks import InvalidArgumentError, WebhookError
from twelvetasks.webhooks import Event, Receiver, Refusal, TaskReady, UnknownEvent


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Watch:
    """What a receiver sees of a watch."""

    def __init__(self) -> None:
        self.announced: list[Event] = []

    def announce(self, event: Event) -> None:
        self.announced.append(event)


async def receive(receiver: Receiver, body: bytes, at: int = NOW) -> Event:
    return await receiver.receive(body, signed(body, SECRET, at))


async def refusal(receiver: Receiver, body: bytes, at: int = NOW) -> Refusal:
    with pytest.raises(WebhookError) as caught:
        await receive(receiver, body, at)
    return caught.value.refusal


async def test_an_event_is_handed_over_once_to_a_function(clock: Clock) -> None:
    told: list[Event] = []
    receiver = Receiver(SECRET, told.append, clock=clock)
    event = await receive(receiver, body_of())
    assert told == [event]
    assert isinstance(event, TaskReady)
    assert await refusal(receiver, body_of()) is Refusal.REPLAYED
    assert await receive(receiver, body_of(), NOW + 5) == event
    assert await refusal(receiver, body_of(), NOW + 5) is Refusal.REPLAYED
    assert told == [event]


async def test_a_coroutine_function_is_awaited(clock: Clock) -> None:
    told: list[Event] = []

    async def on_event(event: Event) -> None:
        await asyncio.sleep(0)
        told.append(event)

    event = await receive(Receiver(SECRET, on_event, clock=clock), body_of())
    assert told == [event]


async def test_what_it_raises_is_raised_and_the_event_is_not_done(clock: Clock) -> None:
    told: list[Event] = []

    def on_event(event: Event) -> None:
        told.append(event)
        if len(told) < 3:
            raise ValueError("no")

    receiver = Receiver(SECRET, on_event, clock=clock)
    for at in (NOW, NOW + 1):
        with pytest.raises(ValueError, match="no"):
            await receive(receiver, body_of(), at)
    await receive(receiver, body_of(), NOW + 1)
    assert len(told) == 3
    assert await refusal(receiver, body_of(), NOW) is Refusal.REPLAYED


async def test_an_event_that_is_being_handed_over_is_not_handed_over_beside_that(
    clock: Clock,
) -> None:
    entered, released = asyncio.Event(), asyncio.Event()

    async def on_event(event: Event) -> None:
        entered.set()
        await released.wait()

    receiver = Receiver(SECRET, on_event, clock=clock)
    first = asyncio.ensure_future(receive(receiver, body_of()))
    await entered.wait()
    assert await refusal(receiver, body_of(), NOW + 1) is Refusal.BUSY
    first.cancel()
    await asyncio.wait([first])
    released.set()
    assert isinstance(await receive(receiver, body_of(), NOW + 1), TaskReady)


async def test_watches_are_told_as_long_as_there_are_any(clock: Clock) -> None:
    receiver = Receiver(SECRET, clock=clock)
    assert await refusal(receiver, body_of()) is Refusal.UNHEARD
    one, other = Watch(), Watch()
    receiver.attach(one)
    receiver.attach(other)
    event = await receive(receiver, body_of())
    assert one.announced == other.announced == [event]
    receiver.detach(one)
    assert isinstance(await receive(receiver, body_of("whe_2", type="new")), UnknownEvent)
    assert (len(one.announced), len(other.announced)) == (1, 2)
    del other
    gc.collect()
    assert await refusal(receiver, body_of("whe_3")) is Refusal.UNHEARD


async def test_watches_are_told_even_if_the_function_fails(clock: Clock) -> None:
    def on_event(event: Event) -> None:
        raise ValueError("no")

    receiver, watch = Receiver(SECRET, on_event, clock=clock), Watch()
    receiver.attach(watch)
    with pytest.raises(ValueError, match="no"):
        await receive(receiver, body_of())
    assert len(watch.announced) == 1


async def test_its_own_clock_and_tolerance_count(clock: Clock) -> None:
    receiver = Receiver([SECRET, "other"], lambda event: None, tolerance=10, clock=clock)
    for away in (-11, 11):
        assert await refusal(receiver, body_of(), NOW + away) is Refusal.STALE
    clock.now += 20
    await receive(receiver, body_of(), NOW + 11)


async def test_what_is_no_event_is_refused_with_its_place(clock: Clock) -> None:
    receiver = Receiver(SECRET, lambda event: None, clock=clock)
    with pytest.raises(WebhookError) as caught:
        await receive(receiver, body_of(data={}))
    assert (caught.value.refusal, caught.value.json_path) == (Refusal.MALFORMED, "$.data.id")


@pytest.mark.parametrize(
    ("parameter", "arguments"),
    [
        ("on_event", {"on_event": "print"}),
        ("tolerance", {"tolerance": -1}),
        ("tolerance", {"tolerance": None}),
        ("max_bytes", {"max_bytes": 0}),
        ("max_bytes", {"max_bytes": 1.5}),
    ],
)
def test_nonsense_is_refused(parameter: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{parameter}="):
        Receiver(SECRET, **arguments)


async def test_the_secret_is_not_shown(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    receiver = Receiver(SECRET, lambda event: None, clock=clock)
    await receive(receiver, body_of())
    await refusal(receiver, body_of())
    assert SECRET not in repr(receiver) + repr(vars(receiver)) + caplog.text
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(receiver._secrets)


def test_nothing_is_imported_that_is_not_needed() -> None:
    program = (
        "import sys, twelvetasks\n"
        "print({'aiohttp.web', 'twelvetasks.webhooks'} & set(sys.modules))\n"
        "import twelvetasks.webhooks\n"
        "print({'starlette', 'fastapi', 'uvicorn'} & set(sys.modules))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, encoding="utf-8"
    )
    assert ended.stdout == "set()\nset()\n"
