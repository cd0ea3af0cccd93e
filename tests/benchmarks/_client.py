"""Runs one peer in a process of its own and measures it there.

Its argument is an `Order` as JSON; it prints a `Measured` as JSON. Started by
`tests.benchmarks._processes`. What a process takes for its imports and for its first listing, of a
small account, is not counted.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import orjson

from tests.benchmarks._peers import PEERS, Listing, Reading

BEAT = 0.001
"""Seconds from one heartbeat to the next."""


@attrs.frozen(kw_only=True)
class Order:
    """What a client process is to do."""

    peer: str
    reading: Reading
    warm_url: str
    """A small account, listed first."""
    repeats: int = 1
    want: str = "all"
    """`all` lists everything, `first` stops at the first task, `ids` gives the ids in order."""
    heartbeat: bool = False
    seconds: float | None = None
    """List again and again for so long, whatever `repeats` says; None for no such thing."""


@attrs.frozen(kw_only=True)
class Measured:
    """What a client process has found."""

    cpu: list[float]
    """Seconds of CPU, of user and system, for each repeat."""
    wall: list[float]
    """Seconds for each repeat, or until the first task."""
    base: int
    """The most memory that was resident before, in KiB."""
    peak: int
    """The most memory that was resident, in KiB."""
    held: int = 0
    """Bytes of the data frame that came last, if that was one."""
    failure: str | None = None
    """What ended it before its time."""
    ids: list[str] = attrs.field(factory=list)
    late: list[float] = attrs.field(factory=list)
    """Seconds that each heartbeat came too late."""
    busy: list[float] = attrs.field(factory=list)
    """How much of that, at most, the process itself was at work; the rest it was not let run."""
    collecting: float = 0.0
    """Seconds of the longest garbage collection."""


class _Enough(Exception):  # noqa: N818 - no error
    pass


class _Heart:
    """Beats every millisecond, and notes how late each beat comes."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.busy: list[float] = []
        self.collecting = 0.0
        self._collection_began = 0.0

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        gc.callbacks.append(self._collection)
        beats = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            beats.cancel()
            gc.callbacks.remove(self._collection)
            await asyncio.wait([beats])

    async def _beat(self) -> None:
        while True:
            began, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(BEAT)
            late = time.perf_counter() - began - BEAT
            self.late.append(late)
            self.busy.append(min(late, time.thread_time() - worked))

    def _collection(self, phase: str, info: dict[str, int]) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._collection_began = now
        else:
            self.collecting = max(self.collecting, now - self._collection_began)


async def _measured(order: Order) -> Measured:
    peer = PEERS[order.peer]
    last = deque[Any](maxlen=1)
    throw_away: Callable[[Any], None] = last.append
    async with peer(attrs.evolve(order.reading, base_url=order.warm_url)) as listing:
        await listing(throw_away)
        await listing(throw_away)
    async with peer(order.reading) as listing:
        if order.want == "ids":
            return await _ids(listing)
        if order.want == "first":
            return await _times_to_first(listing, order.repeats)
        measured = await _costs(listing, order, throw_away)
        return attrs.evolve(measured, held=getattr(last[0], "nbytes", 0) if last else 0)


async def _costs(listing: Listing, order: Order, take: Callable[[Any], None]) -> Measured:
    cpu: list[float] = []
    wall: list[float] = []
    heart = _Heart()
    gc.collect()
    base, failure = _peak_memory(), None
    ends = None if order.seconds is None else time.monotonic() + order.seconds
    try:
        async with asyncio.timeout_at(ends and ends - time.monotonic() + _loop_time()):
            while len(wall) < order.repeats or ends is not None:
                before, began = _cpu(), time.perf_counter()
                if order.heartbeat:
                    async with heart.beating():
                        await listing(take)
                else:
                    await listing(take)
                wall.append(time.perf_counter() - began)
                cpu.append(_cpu() - before)
    except TimeoutError:
        pass
    except Exception as error:  # noqa: BLE001 - a peer that gives up is a result
        failure = f"{type(error).__name__}: {error}"
    return Measured(
        cpu=cpu,
        wall=wall,
        base=base,
        peak=_peak_memory(),
        failure=failure,
        late=heart.late,
        busy=heart.busy,
        collecting=heart.collecting,
    )


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


async def _ids(listing: Listing) -> Measured:
    taken: list[Any] = []
    await listing(taken.append)
    ids = [
        task.get("_id") or task["id"] if isinstance(task, dict) else task.id
        for one in taken
        for task in _tasks_of(one)
    ]
    return Measured(cpu=[], wall=[], base=0, peak=_peak_memory(), ids=ids)


def _tasks_of(one: Any) -> list[Any]:
    """Give the tasks, or rows, of what a peer handed over: a task, a list or a data frame."""
    for rows_of in ("to_pylist", "to_dicts"):
        if hasattr(one, rows_of):
            return list(getattr(one, rows_of)())
    if hasattr(one, "itertuples"):
        return list(one.to_dict("records"))
    return one if isinstance(one, list) else [one]


async def _times_to_first(listing: Listing, repeats: int) -> Measured:
    came = 0.0

    def stop(_: object) -> None:
        nonlocal came
        came = time.perf_counter()
        raise _Enough

    wall = []
    for _ in range(repeats):
        began = time.perf_counter()
        with suppress(_Enough):
            await listing(stop)
        wall.append(came - began)
        # What was under way and given up has to be out of the way of the next.
        await asyncio.sleep(0.1)
    return Measured(cpu=[], wall=wall, base=0, peak=_peak_memory())


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_memory() -> int:
    """Give the most memory the process has had so far, in KiB, as Linux counts it.

    Not `ru_maxrss`: that begins with what the parent had.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def _main(argument: str) -> None:
    said = orjson.loads(argument)
    order = Order(**said | {"reading": Reading(**said["reading"])})
    measured = asyncio.run(_measured(order))
    sys.stdout.buffer.write(orjson.dumps(attrs.asdict(measured)))


if __name__ == "__main__":
    _main(sys.argv[1])
