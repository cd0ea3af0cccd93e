"""A real browser without a network: whatever it asks for, it asks a recorder on loopback."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


ITS_OWN_ERRANDS = re.compile(r"(?!fonts\.)[\w.-]+\.(google|googleapis|gvt1)\.com")
"""Where this browser looks for the time and for updates, whatever the page and the flags are."""


@attrs.define
class Document(HTMLParser):
    """What a browser has made of a page, element by element."""

    html: str
    elements: list[tuple[str, dict[str, str | None]]] = attrs.field(factory=list)
    texts: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        HTMLParser.__init__(self)
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


@attrs.frozen
class Visit:
    """What became of a page, what the browser complained of, and what it asked for."""

    document: Document
    console: list[str]
    requests: list[str]


@contextmanager
def _recorder() -> Iterator[tuple[str, list[str]]]:
    """Serve as a proxy that answers nothing and remembers what it was asked for."""
    requests: list[str] = []

    class Recorder(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_error(502)

        do_CONNECT = do_POST = do_HEAD = do_GET  # noqa: N815 - the names that the server calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the server's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _host(request: str) -> str:
    """Give the host of an address, or of the host and port of a tunnel."""
    return urlsplit(request if "//" in request else f"//{request}").hostname or ""


def visit(page: str, folder: Path) -> Visit:
    """Open a page from a file, and give what it became."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    place = folder / "page.html"
    place.write_text(page, "utf-8")
    with _recorder() as (proxy, requests):
        ended = subprocess.run(
            [
                CHROMIUM,
                *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
                *("--no-first-run", "--disable-background-networking", "--disable-sync"),
                *("--disable-component-update", "--disable-dev-shm-usage"),
                *(f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr"),
                *(f"--proxy-server={proxy}", "--proxy-bypass-list=<-loopback>"),
                *("--window-size=1200,2400", "--dump-dom", place.as_uri()),
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=90,
        )
    console = [line for line in ended.stderr.splitlines() if "CONSOLE" in line]
    asked = [request for request in requests if not ITS_OWN_ERRANDS.fullmatch(_host(request))]
    return Visit(Document(ended.stdout), console, asked)
