#!/usr/bin/env bash
# aiohttp 3.14.5 on CPython with glibc: each answer costs page faults, until one large block is freed.
#
# Guess before the run: after the first answers, the allocator gives every read a block that was
# used before, so that an answer of 16 KB costs no page fault, whatever else the program does.
# Seen: asyncio makes 256 KiB of room for each read from a socket, and cuts the block to what came.
# glibc maps a block of that size afresh. It stops doing so once a mapped block of the size is freed,
# but these are freed when they have been cut, so it never learns. Each answer is an mmap, an
# mremap, an munmap and about five page faults. A single `bytes(512 * 1024)`, made and freed at any
# time before, ends that for the rest of the process.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .venv
.venv/bin/pip install --quiet aiohttp==3.14.5

cat > server.py <<'PROGRAM'
import asyncio

from aiohttp import web


async def answer(_: web.Request) -> web.Response:
    return web.Response(body=bytes(16_000))


async def main() -> None:
    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
PROGRAM

cat > client.py <<'PROGRAM'
import asyncio
import resource
import subprocess
import sys

import aiohttp

ANSWERS = 500


async def faults_an_answer(session: aiohttp.ClientSession, url: str) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(ANSWERS):
        async with session.get(url) as response:
            await response.read()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / ANSWERS


async def main() -> None:
    server = subprocess.Popen([sys.executable, "server.py"], stdout=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{server.stdout.readline().strip()}/"
    async with aiohttp.ClientSession() as session:
        await faults_an_answer(session, url)
        at_first = await faults_an_answer(session, url)
        bytes(512 * 1024)
        later = await faults_an_answer(session, url)
    server.kill()
    print("at first:", "three or more" if at_first >= 3 else "fewer", "page faults an answer")
    print("after a large block was freed:", "none" if later < 0.1 else "some")


asyncio.run(main())
PROGRAM

expected='at first: three or more page faults an answer
after a large block was freed: none'
seen=$(.venv/bin/python client.py)
echo "$seen"
[ "$seen" = "$expected" ]
