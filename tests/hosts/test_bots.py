"""Bots that list and watch in the loop of their library, which speaks to a server of this test.

discord.py is in `tests.test_examples`, with the whole example.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from twelvetasks import TaskSession
from twelvetasks.testing import FakePlatform

SIGNING_SECRET = "signing secret"


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Telegram:
    """As much of Telegram's Bot API as a bot needs that polls and answers."""

    def __init__(self) -> None:
        self.app = web.Application()
        self.app.router.add_route("*", "/bot{token}/{method}", self.answer)
        self.updates: list[dict[str, Any]] = []
        self.sent: list[str] = []

    def write(self, text: str) -> None:
        """Write to the bot."""
        number = len(self.updates) + 1
        user = {"id": 5, "is_bot": False, "first_name": "A"}
        message = {"message_id": number, "date": 0, "chat": {"id": 5, "type": "private"}}
        self.updates.append(
            {"update_id": number, "message": message | {"from": user, "text": text}}
        )

    async def answer(self, request: web.Request) -> web.Response:
        given = dict(await request.post())
        result: Any = True
        match request.match_info["method"]:
            case "getMe":
                result = {"id": 1, "is_bot": True, "first_name": "B", "username": "b"}
            case "getUpdates":
                offset = int(str(given.get("offset") or 0))
                result = [one for one in self.updates if one["update_id"] >= offset]
                await asyncio.sleep(0 if result else 0.02)
            case "sendMessage":
                self.sent.append(str(given["text"]))
                result = {"message_id": 9, "date": 0, "chat": {"id": 5, "type": "private"}}
        return web.json_response({"ok": True, "result": result})


async def test_aiogram_answers_from_a_listing_and_announces_from_a_watch() -> None:
    telegram = Telegram()
    async with (
        asyncio.timeout(30),
        FakePlatform.demo(200) as platform,
        serving(telegram.app) as address,
    ):
        api = TelegramAPIServer.from_base(address)
        bot, dispatcher = Bot("1:token", session=AiohttpSession(api=api)), Dispatcher()

        async def announce(tasks: TaskSession) -> None:
            async with tasks.watch(status="failed", min_interval=0.05) as watch:
                async for change in watch:
                    await bot.send_message(5, f"{change.task.id} has failed")

        session = TaskSession(platform.api_key, base_url=platform.base_url)
        dispatcher["tasks"] = session
        announcing: list[asyncio.Task[None]] = []

        @dispatcher.startup()
        async def start(tasks: TaskSession) -> None:
            announcing.append(asyncio.create_task(announce(tasks)))

        @dispatcher.shutdown()
        async def stop(tasks: TaskSession) -> None:
            announcing[0].cancel()
            await asyncio.wait(announcing)
            await tasks.aclose()

        @dispatcher.message()
        async def count(message: Message, tasks: TaskSession) -> None:
            await message.answer(f"{len(await tasks.tasks(status='failed'))} tasks have failed")

        polling = asyncio.create_task(dispatcher.start_polling(bot, handle_signals=False))
        telegram.write("/failed")
        while not telegram.sent:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        failed = len(platform.tasks(status="failed"))
        assert telegram.sent == [f"{failed} tasks have failed"]
        task = platform.tasks(status="indexing")[0]["_id"]
        platform.finish(task, status="failed")
        while len(telegram.sent) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert telegram.sent[1] == f"{task} has failed"
        await dispatcher.stop_polling()
        await polling
        assert platform.in_flight == 0


async def test_slack_bolt_answers_a_command_from_a_listing() -> None:
    said: list[str] = []

    async def slack_api(request: web.Request) -> web.Response:
        if request.path == "/api/auth.test":
            return web.json_response({"ok": True, "bot_id": "B1", "user_id": "U1", "team_id": "T1"})
        said.append((await request.json())["text"])
        return web.Response(text="ok")

    slack = web.Application()
    slack.router.add_route("*", "/{path:.*}", slack_api)
    async with (
        asyncio.timeout(30),
        FakePlatform.demo(200) as platform,
        TaskSession(platform.api_key, base_url=platform.base_url) as session,
        serving(slack) as slack_address,
    ):
        client = AsyncWebClient("xoxb-token", base_url=f"{slack_address}/api/")
        bot = AsyncApp(client=client, signing_secret=SIGNING_SECRET)

        @bot.command("/failed")
        async def count(ack: Any, respond: Any) -> None:
            await ack()
            await respond(f"{len(await session.tasks(status='failed'))} tasks have failed")

        async with serving(bot.web_app()) as address, aiohttp.ClientSession() as http:
            command = {"command": "/failed", "response_url": f"{slack_address}/respond"}
            body = urlencode(command | {"team_id": "T1", "user_id": "U2", "token": "t"})
            now = str(int(time.time()))
            made = hmac.new(SIGNING_SECRET.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256)
            headers = {
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Slack-Request-Timestamp": now,
                "X-Slack-Signature": f"v0={made.hexdigest()}",
            }
            async with http.post(f"{address}/slack/events", data=body, headers=headers) as answer:
                assert answer.status == 200
            while not said:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        failed = len(platform.tasks(status="failed"))
        assert said == [f"{failed} tasks have failed"]
