#!/usr/bin/env bash
# aiohttp 3.14.5: whether `BodyPartReader.read_chunk` warns depends on how a form is cut into packets.
#
# Guess before the run: none of aiohttp's own calls of its deprecated `StreamReader.unread_data`
# lets the DeprecationWarning out, since the one that puts a boundary back hides it.
# Seen: where a few bytes of a file, fewer than its boundary has, come in a packet of their own, the
# next read is more than was asked for. What is too much is put back without hiding the warning. With
# warnings as errors, the same upload succeeds or is answered 500, depending on the network.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .venv
.venv/bin/pip install --quiet aiohttp==3.14.5

cat > packets.py <<'PROGRAM'
import asyncio
import warnings

from aiohttp import web

HEAD = (
    b"--a-boundary\r\n"
    b'Content-Disposition: form-data; name="video"; filename="v.mp4"\r\n\r\n'
)
BODY = bytes(300_000)
FOOT = b"\r\n--a-boundary--\r\n"
CHUNK = 65_536


async def take(request: web.Request) -> web.Response:
    size = 0
    async for part in await request.multipart():
        while chunk := await part.read_chunk(CHUNK):
            size += len(chunk)
    return web.Response(text=f"{size} bytes")


async def post(port: int, pieces: list[bytes]) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: multipart/form-data; boundary=a-boundary\r\n"
        b"Content-Length: %d\r\n\r\n" % sum(map(len, pieces))
    )
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.1)
    answer = (await reader.read()).decode()
    writer.close()
    return answer.rpartition("\r\n")[2]


async def main() -> None:
    app = web.Application(client_max_size=2**20)
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    cuts = {
        "two packets": [HEAD + BODY[:CHUNK], BODY[CHUNK:] + FOOT],
        "three bytes alone": [HEAD + BODY[:CHUNK], BODY[:3], BODY[CHUNK + 3 :] + FOOT],
    }
    for name, pieces in cuts.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            said = await post(port, pieces)
        kinds = sorted({warning.category.__name__ for warning in caught})
        print(f"{name}: {said}, warnings: {', '.join(kinds) or 'none'}")
    await runner.cleanup()


asyncio.run(main())
PROGRAM

expected='two packets: 300000 bytes, warnings: none
three bytes alone: 300000 bytes, warnings: DeprecationWarning'
seen=$(.venv/bin/python packets.py)
echo "$seen"
[ "$seen" = "$expected" ]
