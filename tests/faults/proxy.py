"""A TCP proxy that mistreats what passes through it: ``python -m tests.faults.proxy``.

It is a process of its own, so that real sockets are reset and stalled. It does what each line of
JSON on its standard input says, answers each with a line, and ends when its input does: so it never
outlives the tests that started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import sys
from collections import Counter
from typing import Any

from tests.faults.schedule import Fault, Schedule, Toxics

__all__ = ["Proxy"]

HOST = "127.0.0.1"


class Proxy:
    """One listening port, and the network behind it."""

    def __init__(self, schedule: Schedule, upstream: int) -> None:
        self._schedule = schedule
        self._upstream = upstream
        self._listener: asyncio.Server | None = None
        self._open: set[asyncio.Task[Any]] = set()
        self._connections = 0
        self._enacted: Counter[str] = Counter()

    async def listen(self) -> int:
        """Give the port that it listens at."""
        self._listener = await asyncio.start_server(self._serve, HOST, 0)
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    def status(self) -> dict[str, Any]:
        """Count the connections so far, those still open, and the faults that they have met."""
        return {
            "connections": self._connections,
            "open": len(self._open),
            "enacted": dict(self._enacted),
        }

    async def close(self) -> None:
        """End every connection."""
        if self._listener is not None:
            self._listener.close()
        for connection in self._open:
            connection.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        if connection is None:
            raise AssertionError("asyncio serves each connection in a task")
        self._open.add(connection)
        self._connections += 1
        toxics = self._schedule.toxics(self._connections)
        upstream = None
        try:
            from_platform, upstream = await asyncio.open_connection(HOST, self._upstream)
            answers, requests = _Pump(toxics, to_platform=False), _Pump(toxics, to_platform=True)
            pumps = [
                asyncio.create_task(requests.run(reader, upstream)),
                asyncio.create_task(answers.run(from_platform, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
            enacted = answers.enacted or requests.enacted
            if enacted is not None:
                self._enacted[enacted] += 1
            if enacted is Fault.RESET:
                _reset(writer)
        except OSError:
            _reset(writer)
        finally:
            self._open.discard(connection)
            if upstream is not None:
                upstream.transport.abort()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class _Pump:
    """One direction of a connection."""

    def __init__(self, toxics: Toxics, *, to_platform: bool) -> None:
        self.enacted: Fault | None = None
        """The fault that has been met here."""
        self._toxics = toxics
        self._fault = toxics.fault if toxics.to_platform is to_platform else None
        self._left = toxics.after

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes, up to the fault or the end; a hangup is an end like any other."""
        with contextlib.suppress(OSError):
            while piece := await reader.read(self._toxics.piece):
                if self._toxics.delay:
                    await asyncio.sleep(self._toxics.delay)
                if self.enacted is Fault.STALL:
                    # Read on, for the end of the connection has to be seen.
                    continue
                if self._fault is not None and self.enacted is None and self._left < len(piece):
                    self.enacted = self._fault
                    piece = _damaged(piece, self._left, self._fault)
                self._left -= len(piece)
                writer.write(piece)
                await writer.drain()
                if self.enacted in (Fault.RESET, Fault.CUT):
                    return


def _damaged(piece: bytes, place: int, fault: Fault) -> bytes:
    if fault is Fault.CORRUPT:
        return piece[:place] + bytes([piece[place] | 0x80]) + piece[place + 1 :]
    return piece[:place]


def _reset(writer: asyncio.StreamWriter) -> None:
    if writer.transport.is_closing():
        return
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def _main() -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    proxies: dict[int, Proxy] = {}
    while line := await orders.readline():
        match json.loads(line):
            case {"open": schedule, "upstream": upstream}:
                proxy = Proxy(Schedule(**schedule), upstream)
                port = await proxy.listen()
                proxies[port] = proxy
                answer = {"port": port}
            case {"status": port}:
                answer = proxies[port].status()
            case {"close": port}:
                await proxies[port].close()
                answer = proxies.pop(port).status()
            case order:
                raise ValueError(f"no such order: {order}")
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()
    for proxy in proxies.values():
        await proxy.close()


if __name__ == "__main__":
    asyncio.run(_main())
