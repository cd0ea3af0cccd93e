"""What stands between a session and a platform: real proxies, and TLS with an authority of our own.

The proxies are Debian's tinyproxy (HTTP) and microsocks (SOCKS).
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import trustme
from yarl import URL

__all__ = ["Authority", "Way", "free_port", "microsocks", "secured", "tinyproxy"]

HOST = "127.0.0.1"


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@attrs.frozen
class Way:
    """A proxy that runs."""

    port: int
    log: Path

    def address(self, scheme: str = "http", login: str = "") -> str:
        return f"{scheme}://{login}{'@' if login else ''}{HOST}:{self.port}"

    def passed(self, method: str) -> int:
        """Give how many requests with this method have come, as the proxy's log has it."""
        return self.log.read_text().count(f": {method} ")


@contextlib.asynccontextmanager
async def _running(port: int, log: Path, *arguments: str) -> AsyncIterator[Way]:
    program = shutil.which(arguments[0])
    assert program is not None, f"Debian's package {arguments[0]} is needed"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            program, *arguments[1:], stdout=output, stderr=output
        )
        try:
            async with asyncio.timeout(20):
                while True:
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_connection(HOST, port)
                        writer.close()
                        await writer.wait_closed()
                        break
                    await asyncio.sleep(0.01)
            yield Way(port, log)
        finally:
            process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def tinyproxy(folder: Path, *settings: str) -> AsyncIterator[Way]:
    """Run an HTTP proxy with these lines in its configuration."""
    port = free_port()
    lines = (f"Port {port}", f"Listen {HOST}", "Timeout 60", "LogLevel Connect", *settings)
    configuration = folder / "tinyproxy.conf"
    configuration.write_text("\n".join(lines) + "\n")
    arguments = ("tinyproxy", "-d", "-c", str(configuration))
    async with _running(port, folder / "tinyproxy.log", *arguments) as way:
        yield way


@contextlib.asynccontextmanager
async def microsocks(folder: Path, *, user: str, password: str) -> AsyncIterator[Way]:
    """Run a SOCKS5 proxy that asks for a password."""
    port = free_port()
    arguments = ("microsocks", "-i", HOST, "-p", str(port), "-u", user, "-P", password)
    async with _running(port, folder / "microsocks.log", *arguments) as way:
        yield way


class Authority:
    """An authority that no system trusts, and its certificate in a file."""

    def __init__(self, folder: Path) -> None:
        self._made = trustme.CA()
        self.file: Path = folder / "authority.pem"
        self._made.cert_pem.write_to_path(self.file)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._made.issue_cert(HOST, "localhost").configure_cert(context)
        return context


@contextlib.asynccontextmanager
async def secured(base_url: URL, authority: Authority) -> AsyncIterator[URL]:
    """Put TLS before a platform, as the real one has it."""
    handlers: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        assert handler is not None
        handlers.add(handler)
        inner, outer = await asyncio.open_connection(base_url.host, base_url.port)
        try:
            await asyncio.gather(pump(reader, outer), pump(inner, writer))
        finally:
            for each in (writer, outer):
                each.transport.abort()

    server = await asyncio.start_server(serve, HOST, 0, ssl=authority.server_context())
    try:
        yield base_url.with_scheme("https").with_port(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await server.wait_closed()
