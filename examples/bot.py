"""A Discord bot that says in a channel when a task has become ready or has failed.

It reads DISCORD_TOKEN, DISCORD_CHANNEL (a channel's id) and TWELVE_LABS_API_KEY from the
environment. The watch keeps its checkpoint in a file: a restart misses no end of a task, and
repeats at most the one whose message was being sent.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import discord
from discord.ext import tasks

import twelvetasks

logger = logging.getLogger("bot")


class TaskBot(discord.Client):
    """Announces how tasks ended; everything it opens is closed with it."""

    def __init__(
        self, channel_id: int, place: Path, *, interval: float = 5.0, **session_options: Any
    ) -> None:
        super().__init__(intents=discord.Intents.none())
        self.channel_id = channel_id
        self.place = place
        self.interval = interval
        self.session_options = session_options

    async def setup_hook(self) -> None:
        """Begin to announce as soon as the bot is logged in."""
        self.announce.start()

    @tasks.loop(seconds=10)
    async def announce(self) -> None:
        """Announce every end of a task; begin again after an error, behind the last announced."""
        async with (
            twelvetasks.TaskSession(**self.session_options) as session,
            session.watch(
                status=["ready", "failed"],
                checkpoint_file=self.place,
                min_interval=self.interval,
            ) as watch,
        ):
            async for change in watch:
                if change.after is not None and change.after.status in ("ready", "failed"):
                    await self.say(change.after)

    @announce.error
    async def announce_error(self, error: BaseException) -> None:
        """Log what ended the loop, and let it begin again."""
        logger.error("announcing stopped: %s", error)
        if not isinstance(error, twelvetasks.AuthenticationError):
            self.announce.restart()

    async def say(self, task: twelvetasks.Task) -> None:
        """Send one message about a task."""
        name = (task.system_metadata and task.system_metadata.filename) or task.id
        sign = "\N{WHITE HEAVY CHECK MARK}" if task.status == "ready" else "\N{CROSS MARK}"
        channel = await self.fetch_channel(self.channel_id)
        if isinstance(channel, discord.abc.Messageable):
            await channel.send(f"{sign} {name} is {task.status}")

    async def close(self) -> None:
        """End the loop, and with it the watch and the session, before the bot."""
        announcing = self.announce.get_task()
        self.announce.cancel()
        if announcing is not None and announcing is not asyncio.current_task():
            await asyncio.wait([announcing])
        await super().close()


if __name__ == "__main__":
    TaskBot(int(os.environ["DISCORD_CHANNEL"]), Path("bot.checkpoint")).run(
        os.environ["DISCORD_TOKEN"]
    )
