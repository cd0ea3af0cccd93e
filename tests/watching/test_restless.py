"""Watches over real sockets of an account that changes, and fails, at any request."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web

from tests.watching.opening import opened
from twelvetasks import Task, TaskChange, TaskWatch, to_dict
from twelvetasks.testing import FakePlatform

STATUSES = ("ready", "failed", "indexing", "queued")

REQUESTS = 200
"""The most requests for each poll, with bursts of changes, failures, and a census in between."""
IDLE = 10_000
"""Turns of the loop in a row, of a millisecond or more, in which a watch makes a request."""

State = tuple[str, str, str]
"""A task's id, time and status as the platform wrote them."""


class Restless:
    """Changes an account, and fails, at every request, and knows every state there was."""

    def __init__(self, platform: FakePlatform, chance: random.Random) -> None:
        self.rate = 0.0
        self.failing = 0.0
        self.gone: set[str] = set()
        self._platform = platform
        self._chance = chance
        # Kept here, since to ask the platform for all tasks at each change costs most of the test.
        self._now = {task["_id"]: _state(task) for task in platform.tasks()}
        self.ever = set(self._now.values())
        platform.before_each(self._act)
        platform.respond(self._fail)

    def change(self) -> None:
        id, updated, _ = self._chance.choice(list(self._now.values()))  # noqa: A001
        match self._chance.randrange(5):
            case 0 | 1:
                self._note(self._platform.add(status=self._chance.choice(STATUSES)))
            case 2:
                self._platform.delete(id)
                self.gone.add(id)
                del self._now[id]
            case _:
                fields: dict[str, Any] = {"status": self._chance.choice(STATUSES)}
                newest = max(state[1] for state in self._now.values())
                if self._chance.random() < 0.3 and updated < newest:
                    fields["updated_at"] = newest
                self._note(self._platform.update(id, **fields))

    def _note(self, task: dict[str, Any]) -> None:
        self._now[task["_id"]] = state = _state(task)
        self.ever.add(state)

    def _act(self, platform: FakePlatform, request: web.Request) -> None:
        while self._chance.random() < self.rate / (1 + self.rate):
            self.change()
        if self.rate and self._chance.random() < 0.02:
            for _ in range(80):
                self.change()

    def _fail(self, request: web.Request) -> web.Response | None:
        if self._chance.random() >= self.failing:
            return None
        return web.Response(status=self._chance.choice((429, 500, 502, 503)))


def _state(task: dict[str, Any]) -> State:
    return task["_id"], task["updated_at"], task["status"]


def _seen(task: Task) -> State:
    return _state(to_dict(task))


async def read(
    platform: FakePlatform, watch: TaskWatch, changes: list[TaskChange], polls: int
) -> None:
    """Read until so many polls have been made; changes of the last one may be left unread.

    Its bounds are requests and turns of the loop, not seconds: a busy machine must fail no test.
    """
    most = len(platform.requests) + REQUESTS * polls
    polls += watch.polls
    idle = made = 0
    while watch.polls < polls:
        waiting = asyncio.ensure_future(anext(watch))
        while not waiting.done() and watch.polls < polls and idle < IDLE and made <= most:
            await asyncio.wait([waiting], timeout=0.001)
            idle = idle + 1 if len(platform.requests) == made else 0
            made = len(platform.requests)
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait([waiting])
        if not waiting.cancelled():
            changes.append(waiting.result())
        assert idle < IDLE
        assert made <= most


@pytest.mark.parametrize("deletions", [False, True])
async def test_each_change_is_delivered_once_and_in_order_over_the_wire(deletions: bool) -> None:
    for seed in range(6):
        chance = random.Random(seed)
        async with FakePlatform.demo(120, seed=seed) as platform:
            restless = Restless(platform, chance)
            changes: list[TaskChange] = []
            stored = None
            began = {_state(task) for task in platform.tasks()}
            for _ in range(1 if deletions else 4):
                async with opened(platform) as session:
                    watch = session.watch(resume=stored, deletions=deletions)
                    restless.rate, restless.failing = 0.0, 0.0
                    await read(platform, watch, changes, 2)
                    restless.rate = chance.choice((0.1, 1.0, 2.0))
                    restless.failing = chance.choice((0.0, 0.3, 0.7))
                    await read(platform, watch, changes, 15)
                    if deletions:
                        restless.rate, restless.failing = 0.0, 0.0
                        await read(platform, watch, changes, 60)
                    stored = str(watch.checkpoint)
            restless.rate, restless.failing = 0.0, 0.0
            async with opened(platform) as session:
                await read(platform, session.watch(resume=stored), changes, 2)

            states = [_seen(change.after) for change in changes if change.after]
            assert max(Counter(states).values(), default=1) == 1
            assert set(states) <= restless.ever - began
            assert {_state(task) for task in platform.tasks()} <= began | set(states)
            keys = [change.after.updated_at for change in changes if change.after]
            assert all(a <= b for a, b in pairwise(keys) if a and b)
            gone = [change.task.id for change in changes if change.after is None]
            assert len(set(gone)) == len(gone)
            seen = {state[0] for state in began} | {state[0] for state in states}
            assert set(gone) == (restless.gone & seen if deletions else set())
