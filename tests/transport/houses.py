"""What stands between a session and a platform: real proxies, and TLS with an authority of our own.

The proxies are Debian's tinyproxy (HTTP) and microsocks (SOCKS).
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import attrs
import trustme
from yarl import URL

__all__ = [
    "Authority",
    "House",
    "Way",
    "free_port",
    "microsocks",
    "moved_in",
    "secured",
    "tinyproxy",
]

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


@attrs.frozen(kw_only=True)
class House:
    """What the guide's programs go through."""

    http: Way
    socks: Way
    authority: Path
    """The file of the authority's certificate."""
    base_url: URL
    """The platform's address behind TLS."""
    plain: URL
    """Its address without."""

    def moved(self, source: str) -> str:
        """Let a program go through this house instead of the one that it names."""
        return (
            source.replace("proxy.example.com:3128", f"{HOST}:{self.http.port}")
            .replace("socks.example.com:1080", f"{HOST}:{self.socks.port}")
            .replace("/etc/ssl/company.pem", str(self.authority))
            # An address of this machine that does not look like one.
            .replace("sidecar:8080", f"0.0.0.0:{self.plain.port}")
        )

    def tunnels(self) -> bool:
        """Whether anything went through the HTTP proxy."""
        return self.http.passed("CONNECT") > 0


@contextlib.contextmanager
def moved_in(folder: Path, plain: URL) -> Iterator[House]:
    """Run a house in a thread, for programs with an event loop of their own."""
    authority = Authority(folder)
    made: list[House] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    leave = asyncio.Event()

    async def live() -> None:
        async with (
            tinyproxy(folder, "BasicAuth anna s3cret") as http,
            microsocks(folder, user="anna", password="s3cret") as socks,
            secured(plain, authority) as base_url,
        ):
            made.append(
                House(
                    http=http,
                    socks=socks,
                    authority=authority.file,
                    base_url=base_url,
                    plain=plain,
                )
            )
            ready.set()
            await leave.wait()

    def run() -> None:
        try:
            loop.run_until_complete(live())
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        yield made[0]
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join()
