"""`TaskSession`: holds the key and the connection, and hands out listings.

Everything that runs on a session's behalf is started here, so that closing it ends all of it.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Coroutine
from datetime import datetime
from ipaddress import ip_address
from typing import Any, NoReturn, Self, SupportsIndex

import aiohttp
from yarl import URL

from twelvetasks.checkpoint import Checkpoint
from twelvetasks.convert import read_json
from twelvetasks.errors import AuthenticationError, ResponseError, SessionClosedError
from twelvetasks.listing import Plan, TaskListing
from twelvetasks.models import SortBy, SortOption, TaskPage
from twelvetasks.query import MAX_PAGE_LIMIT, StatusFilter, TaskQuery, refuse, whole_number
from twelvetasks.reads import Read
from twelvetasks.secret import ApiKey
from twelvetasks.transport import Transport
from twelvetasks.trust import check_page

__all__ = ["API_KEY_VARIABLE", "DEFAULT_BASE_URL", "TaskSession"]

API_KEY_VARIABLE = "TWELVE_LABS_API_KEY"
"""The environment variable that the official SDK reads, too."""

DEFAULT_BASE_URL = URL("https://api.twelvelabs.io/v1.3")


class TaskSession:
    """A connection to one TwelveLabs account. Use it as an async context manager.

    `api_key`: the key; without it, the environment's ``TWELVE_LABS_API_KEY``.
    `base_url`: the API's address with its version; https, except on this machine itself.
    `concurrency`: how many requests may be under way at once, and how many pages a listing may
    fetch or hold ahead of its reader.
    `timeout`: seconds for one request, from connecting to the last byte.
    `client_session`: an `aiohttp.ClientSession` to send through (for proxies, TLS, tracing). It
    stays the caller's to close, and the key is never stored on it.

    Raises AuthenticationError if there is no key, InvalidArgumentError for an argument out of
    range.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | URL = DEFAULT_BASE_URL,
        concurrency: int = 8,
        timeout: float = 60.0,
        client_session: aiohttp.ClientSession | None = None,
    ) -> None:
        # Rebound before anything is refused: a traceback that shows locals must not show the key.
        api_key = _found_api_key(api_key)
        _check_characters(api_key)
        self._base_url = _checked_base_url(base_url)
        whole_number("concurrency", concurrency, least=1)
        transport = Transport(
            api_key=api_key,
            timeout=_checked_timeout(timeout),
            concurrency=concurrency,
            client_session=client_session,
        )
        self._requests = _Requests(transport, self._base_url, concurrency)

    @property
    def base_url(self) -> URL:
        """The API's address."""
        return self._base_url

    @property
    def concurrency(self) -> int:
        """How many requests may be under way at once."""
        return self._requests.concurrency

    @property
    def closed(self) -> bool:
        """Whether the session, and with it every listing of it, has been closed."""
        return self._requests.closed

    def __repr__(self) -> str:
        if not hasattr(self, "_requests"):
            # A traceback that shows locals meets it while its arguments are being refused.
            return "<TaskSession>"
        state = ", closed" if self.closed else ""
        return f"<TaskSession {self._base_url}, concurrency={self.concurrency}{state}>"

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError("a TaskSession cannot be pickled: it holds a connection and the API key")

    async def __aenter__(self) -> Self:
        if self.closed:
            raise SessionClosedError("the session is closed", advice="Make a new TaskSession")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End every listing, wait until its requests have ended, and close the connection."""
        await self._requests.close()

    def tasks(
        self,
        *,
        index_id: str | None = None,
        status: StatusFilter | None = None,
        filename: str | None = None,
        duration: float | None = None,
        width: int | None = None,
        height: int | None = None,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
        sort_by: SortBy | str = SortBy.CREATED_AT,
        sort_option: SortOption | str = SortOption.DESC,
        page_limit: int = MAX_PAGE_LIMIT,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | str | None = None,
    ) -> TaskListing:
        """List the tasks that match. Sends no request until the listing is iterated or awaited.

        `status` takes one status or many; `duration` is in seconds, `width` and `height` in pixels;
        `created_at` and `updated_at` are aware datetimes; `max_items` ends the listing early. The
        filters mean what `TaskQuery` says of them.

        Raises InvalidArgumentError for whatever the endpoint could not take.
        """
        query = TaskQuery(
            index_id=index_id,
            status=status,
            filename=filename,
            duration=duration,
            width=width,
            height=height,
            created_at=created_at,
            updated_at=updated_at,
            sort_by=sort_by,
            sort_option=sort_option,
            page_limit=page_limit,
        )
        if max_items is not None:
            whole_number("max_items", max_items, least=0)
        if not isinstance(exact, bool):
            refuse("exact", exact, "must be True or False")
        place = Checkpoint.parse(resume) if isinstance(resume, str) else resume
        if place is not None:
            place.check(query)
        plan = Plan(query=query, max_items=max_items, exact=exact, resume=place)
        return TaskListing(self._requests, plan)


class _Requests:
    """What a session's listings make their requests with; it outlives none of them."""

    def __init__(self, transport: Transport, base_url: URL, concurrency: int) -> None:
        self.concurrency = concurrency
        self._transport = transport
        self._base_url = base_url
        self._fetches: set[asyncio.Task[TaskPage]] = set()

    @property
    def closed(self) -> bool:
        return self._transport.closed

    async def read_page(self, query: TaskQuery, read: Read) -> TaskPage:
        """Fetch one page of a query: one request, and its retries."""
        url = query.url(self._base_url, page=read.page, page_limit=read.page_limit)
        answer = await self._transport.get(url, page=read.page)
        try:
            page = read_json(answer.body, TaskPage, page=read.page)
            check_page(page, query, read)
        except ResponseError as error:
            fault = self._transport.malformed(answer, error)
        else:
            return page
        # Out here the decoder's own error, which quotes the body, is not its context.
        raise fault

    def spawn(self, fetch: Coroutine[Any, Any, TaskPage]) -> asyncio.Task[TaskPage]:
        """Run a fetch as a task that ends, at the latest, when the session is closed."""
        task = asyncio.get_running_loop().create_task(fetch)
        self._fetches.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """End every fetch, wait until it has ended, and close the connection."""
        await self._transport.close()
        if self._fetches:
            await asyncio.wait(self._fetches)

    def _ended(self, fetch: asyncio.Task[TaskPage]) -> None:
        self._fetches.discard(fetch)
        if not fetch.cancelled():
            # Marks the error as seen: asyncio complains of a page that nobody came to read.
            fetch.exception()


def _found_api_key(given: Any) -> ApiKey:
    key = os.environ.get(API_KEY_VARIABLE, "") if given is None else given
    if not isinstance(key, str):
        raise AuthenticationError(f"api_key must be a string, not {type(key).__name__}")
    if not key:
        raise AuthenticationError(
            "there is no API key",
            advice=f"Pass api_key=... or set the environment variable {API_KEY_VARIABLE}",
        )
    return ApiKey(key)


def _check_characters(api_key: ApiKey) -> None:
    if not all("!" <= character <= "~" for character in api_key):
        raise AuthenticationError(
            "the API key has a character that no key has, perhaps a space or a line break",
            advice=f"Check api_key or the environment variable {API_KEY_VARIABLE}",
        )


def _checked_base_url(base_url: str | URL) -> URL:
    try:
        url = URL(base_url)
        # As the name lookup will: a label may be empty or too long for it.
        (url.raw_host or "").encode("idna")
    except (TypeError, ValueError):
        refuse("base_url", base_url, "must be a URL")
    shown = str(_without_secrets(url))
    if url.user is not None or url.password is not None:
        refuse("base_url", shown, "must not hold a user or a password")
    if url.scheme not in ("https", "http") or not url.host or url.query_string or url.fragment:
        refuse("base_url", shown, "must be an http(s) address without query and fragment")
    if url.scheme == "http" and not _is_this_machine(url.host):
        refuse("base_url", shown, "must be https: the API key would travel in the clear")
    return url


def _without_secrets(url: URL) -> URL:
    if url.absolute:
        url = url.with_user(None)
    return url.with_query("***") if url.query_string else url


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked_timeout(timeout: Any) -> float:
    number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not number or not math.isfinite(timeout) or timeout <= 0:
        refuse("timeout", timeout, "must be a positive, finite number of seconds")
    return float(timeout)
