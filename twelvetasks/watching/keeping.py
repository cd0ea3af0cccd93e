"""Where a watch keeps its checkpoint, so that a restart continues where it stopped.

It is saved after the first poll, and after each change once the caller asks for the next one: a
process that is killed in between delivers at most that one change again, and misses none.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import attrs

from twelvetasks.streams.requests import all_ended
from twelvetasks.values.atomic_write import mode_of, replace_text
from twelvetasks.values.checkpoint import Checkpoint, Identified
from twelvetasks.values.checks import content, refuse
from twelvetasks.values.errors import InvalidArgumentError

logger: logging.Logger = logging.getLogger("twelvetasks.watch")


class CheckpointStore(Protocol):
    """Where the checkpoint of a watch is kept: pass it as `checkpoint_file`.

    Both methods may be sync, then they run in the event loop, or async. What they raise ends the
    watch and is raised as it is. ::

        class RedisStore:
            async def load(self) -> str | None:
                return await redis.get("watch")  # with decode_responses=True

            async def save(self, checkpoint: str) -> None:
                await redis.set("watch", checkpoint)
    """

    def load(self) -> str | Awaitable[str | None] | None:
        """Return what was saved last; None if nothing was."""
        ...

    def save(self, checkpoint: str, /) -> Awaitable[None] | None:
        """Save a line of JSON in place of the last one, wholly or not at all."""
        ...


@attrs.frozen
class CheckpointFile:
    """A file that is replaced atomically; a new one is for this user alone (mode 0600)."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    async def load(self) -> str | None:
        """Read the file in a thread; None if there is none."""
        return await asyncio.to_thread(self._read)

    async def save(self, checkpoint: str) -> None:
        """Replace the file in a thread."""
        await asyncio.to_thread(self._write, checkpoint)

    def _read(self) -> str | None:
        path = self.path.resolve()
        if path.is_dir():
            refuse("checkpoint_file", str(self), "must be a file, not a folder")
        if not path.parent.is_dir():
            refuse("checkpoint_file", str(self), "must be in a folder that exists")
        with suppress(FileNotFoundError):
            return path.read_text("utf-8", errors="replace")
        return None

    def _write(self, checkpoint: str) -> None:
        path = self.path.resolve()
        mode = mode_of(path)
        replace_text(path, f"{checkpoint}\n", 0o600 if mode is None else mode)


def as_store(value: Any) -> Any:
    """Return the store that the parameter `checkpoint_file` names; None for none."""
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if isinstance(path, str) and path and "\0" not in path:
        return CheckpointFile(Path(content(path)))
    is_store = all(callable(getattr(value, name, None)) for name in ("load", "save"))
    if value is not None and not is_store:
        refuse("checkpoint_file", value, "must be a path, or a store with `load` and `save`")
    return value


class Keeping:
    """Loads and saves the checkpoint of one watch. A cancelled call can be made again."""

    def __init__(self, store: CheckpointStore) -> None:
        self.loaded: bool = False
        """Whether the checkpoint has been read, so that it may be replaced."""
        self._store = store
        self._work: asyncio.Task[Any] | None = None
        self._saving: Checkpoint | None = None
        self._saved: Checkpoint | None = None

    async def load(self, watch: Identified) -> Checkpoint | None:
        """Return the checkpoint of this watch; None if there is none yet.

        Raises InvalidArgumentError for anything else, which is left as it is.
        """
        text = await self._finish(self._store.load)
        if text is not None and not isinstance(text, str):
            demand = f"its load() must return a str or None, not {type(text).__name__}"
            refuse("checkpoint_file", self._store, demand)
        if text and text.strip(" \t\r\n\0"):
            self._saved = self._checkpoint_in(text.strip(), watch)
        elif text is not None:
            logger.warning(
                "%s is empty: the watch starts again, and what changed since it was last saved is "
                "not delivered",
                self._store,
            )
        self.loaded = True
        return self._saved

    async def save(self, place: Checkpoint) -> None:
        """Save the checkpoint, unless it is the one saved last or the watch has not begun."""
        while place.key is not None and place != self._saved:
            if self._work is None:
                self._saving = place
            await self._finish(self._store.save, str(place))
            self._saved = self._saving

    async def aclose(self) -> None:
        """Wait for what is being saved: it is of a change that has been handled."""
        if self._work is not None:
            await asyncio.wait([self._work])

    async def _finish(self, call: Any, *arguments: Any) -> Any:
        """Await a call of the store; or the last one, if its caller was cancelled."""
        if self._work is None:
            self._work = asyncio.create_task(_result_of(call, *arguments))
        work = self._work
        await all_ended([work])
        if self._work is work:
            self._work = None
        return work.result()

    def _checkpoint_in(self, text: str, watch: Identified) -> Checkpoint:
        fault = "does not hold the checkpoint of a watch"
        with suppress(ValueError):
            place = Checkpoint.parse(text)
            try:
                place.check(watch)
            except ValueError as error:
                fault = str(error)
            else:
                return place
        raise InvalidArgumentError(
            "checkpoint_file",
            str(self._store),
            fault,
            advice="Watch with the same filters, or choose another file; this one is left as it is",
        )


async def _result_of(call: Any, *arguments: Any) -> Any:
    result = call(*arguments)
    return await result if inspect.isawaitable(result) else result
