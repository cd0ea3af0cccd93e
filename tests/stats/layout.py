"""What a page looks like in a real browser of some width: measured over its DevTools protocol."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from yarl import URL

from tests.stats.browser import CHROMIUM

MEASURE = """
(() => {
  const shown = e => e.checkVisibility() && e.getClientRects().length > 0;
  const box = e => e.getBoundingClientRect();
  const colour = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = rgb => rgb.map(c => c / 255).map(
    c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  ).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => {
    const [x, y] = [light(colour(a)), light(colour(b))].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const cards = [...document.querySelectorAll("section, .tile")];
  const texts = [...document.querySelectorAll("svg text")].filter(e => e.textContent && shown(e));
  const crossing = [];
  texts.forEach((a, i) => texts.slice(i + 1).forEach(b => {
    if (a.closest("svg") !== b.closest("svg")) return;
    const [p, q] = [box(a), box(b)];
    const across = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (across > 1 && down > 3) crossing.push([a.textContent, b.textContent]);
  }));
  const written = [...document.querySelectorAll("p, dt, dd, td, th, summary, svg text")];
  return {
    page: document.documentElement.scrollWidth,
    window: innerWidth,
    columns: new Set(
      [...document.querySelectorAll("main > section:not(.wide)")].map(e => Math.round(box(e).left))
    ).size,
    scrolling: [...document.querySelectorAll("main *")].filter(
      e => shown(e) && e.namespaceURI.endsWith("xhtml") && e.scrollWidth > e.clientWidth + 1
        && e.clientWidth > 0 && getComputedStyle(e).display !== "inline"
    ).map(e => e.outerHTML.slice(0, 60)),
    outside: [...texts, ...document.querySelectorAll("td, dd, svg")].filter(shown).filter(e => {
      const card = box(e.closest("section, .tile"));
      return box(e).right > card.right + 1 || box(e).left < card.left - 1;
    }).map(e => e.textContent.slice(0, 60)),
    crossing,
    smallest: Math.min(
      ...texts.map(e => box(e).height / (e.querySelectorAll("tspan").length || 1))
    ),
    contrast: Math.min(...written.filter(shown).map(e => contrast(
      e.namespaceURI.endsWith("svg") ? getComputedStyle(e).fill : getComputedStyle(e).color,
      getComputedStyle(e.closest("section, .tile") || document.body).backgroundColor
    ))),
    background: light(colour(getComputedStyle(document.body).backgroundColor)),
    text: document.body.innerText,
    labels: [...new Set([...document.querySelectorAll(".rows td:last-child")].map(
      e => getComputedStyle(e, "::before").content
    ))],
  };
})()
"""


@attrs.frozen(kw_only=True)
class Layout:
    """What was measured; lengths are in CSS pixels."""

    page: float
    """The width of what the page holds."""
    window: float
    columns: int
    """How many charts are side by side."""
    scrolling: list[str]
    """What is wider than its own place."""
    outside: list[str]
    """What goes beyond its card."""
    crossing: list[list[str]]
    """Labels of a chart that lie upon each other."""
    smallest: float | None
    """The height of the smallest label of a chart; None if there is no chart."""
    contrast: float
    """The least contrast of a text, as WCAG computes it."""
    background: float
    """The luminance of the page, from 0 to 1."""
    text: str
    labels: list[str]
    """What the style writes before the last cell of each row."""


@attrs.frozen
class View:
    """How somebody looks at a page."""

    width: int
    dark: bool = False


async def layouts(page: str, folder: Path, *views: View) -> list[Layout]:
    """Open a page in a browser, and measure it in each view."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    (folder / "page.html").write_text(page, "utf-8")
    browser = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-dev-shm-usage"),
        *("--remote-debugging-port=0", f"--user-data-dir={folder / 'profile'}", "about:blank"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert browser.stderr is not None
    try:
        async with asyncio.timeout(90):
            while b"DevTools listening on" not in (line := await browser.stderr.readline()):
                assert line, "the browser has ended"
            address = URL(line.split()[-1].decode()).with_scheme("http").with_path("/json/list")
            async with aiohttp.ClientSession() as client:
                async with client.get(address) as listed:
                    (tab,) = (one for one in await listed.json() if one["type"] == "page")
                async with client.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    tools = Tools(socket)
                    await tools.open((folder / "page.html").as_uri())
                    return [await tools.measured(view) for view in views]
    finally:
        browser.terminate()
        await browser.communicate()


@attrs.define
class Tools:
    """The DevTools of a tab."""

    _socket: aiohttp.ClientWebSocketResponse
    _asked: int = 0

    async def open(self, address: str) -> None:
        await self._ask("Page.enable")
        await self._ask("Page.navigate", url=address)
        while json.loads(await self._socket.receive_str()).get("method") != "Page.loadEventFired":
            pass

    async def measured(self, view: View) -> Layout:
        size = {"width": view.width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if view.dark else "light"}
        await self._ask("Emulation.setDeviceMetricsOverride", **size)
        await self._ask("Emulation.setEmulatedMedia", features=[scheme])
        measured = await self._ask("Runtime.evaluate", expression=MEASURE, returnByValue=True)
        return Layout(**measured["result"]["value"])

    async def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._asked += 1
        await self._socket.send_json({"id": self._asked, "method": method, "params": params})
        while (answer := json.loads(await self._socket.receive_str())).get("id") != self._asked:
            pass
        result: dict[str, Any] = answer["result"]
        return result
