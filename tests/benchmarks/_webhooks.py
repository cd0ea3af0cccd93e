"""Serves a webhook receiver in a process of its own, until its standard input ends.

It prints its port, and for each line that it reads the bytes that Python holds. Started by
`tests.benchmarks.flood`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import tracemalloc

from aiohttp import web

from twelvetasks.webhooks import Receiver, aiohttp_handler


async def _serve() -> None:
    app = web.Application()
    app.router.add_post("/", aiohttp_handler(Receiver("whsec_flooded", print)))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        gc.collect()
        print(tracemalloc.get_traced_memory()[0], flush=True)
    await runner.cleanup()


if __name__ == "__main__":
    logging.getLogger("twelvetasks").setLevel(logging.ERROR)  # Else a line for each request.
    tracemalloc.start()
    asyncio.run(_serve())
