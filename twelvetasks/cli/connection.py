"""The session of a command: its account, its options, and the event loop it runs in."""

from __future__ import annotations

import asyncio
import functools
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import attrs
import click
import stamina.instrumentation
from click.core import ParameterSource
from cloup import option_group
from yarl import URL

from twelvetasks.cli.api_key import asked_key
from twelvetasks.cli.command import PROFILE, Decorator, Option, combined, option
from twelvetasks.cli.ending import say
from twelvetasks.cli.option_types import Moment, as_positive_seconds
from twelvetasks.cli.output.notices import Notices
from twelvetasks.cli.output.progress import wait_progress
from twelvetasks.cli.profiles import Profile, complete_profiles, profile_named
from twelvetasks.cli.terminal import Console, is_terminal, settle_encoding
from twelvetasks.session import TaskSession
from twelvetasks.transport.base_url import DEFAULT_BASE_URL, chosen_base_url
from twelvetasks.transport.gate import Gate
from twelvetasks.transport.proxies import hidden_proxy
from twelvetasks.transport.refusals import host_of
from twelvetasks.transport.retries import RetryPolicy
from twelvetasks.values.secret import ApiKey

if TYPE_CHECKING:
    from twelvetasks.testing import FakePlatform


_DEMO_NOW = datetime(2025, 6, 30, 17, 42, 11, 348000, tzinfo=UTC)
"""The time in the demo account, so that its tasks and their ids are the same on each day."""

_DEMO_INDEXING = 10.0
"""Seconds until a video of the demo account is ready."""

_LARGE_DEMO = 50_000
"""Making this many tasks takes more than a second."""

DEMO_SIZE = 1000
"""Tasks in the made-up account, unless `--demo-size` says otherwise."""

_SETTINGS = ("concurrency", "timeout", "proxy", "insecure_http")
"""Options that are passed to the session."""


@attrs.frozen(kw_only=True)
class Connection:
    """The user's account, or a demo account that exists while the command runs."""

    demo: int | None
    """Tasks in the demo account; None for the user's account."""
    living: bool = False
    """Whether tasks of the demo account change while the command runs."""
    base_url: str | None
    profile: Profile | None = None
    options: dict[str, Any] = attrs.field(repr=False)
    """Arguments of the session. The proxy's address may hold a password."""

    @property
    def account(self) -> dict[str, Any]:
        """What identifies this account, apart from the key."""
        if self.demo is not None:
            return {"demo": self.demo}
        return {"base_url": chosen_base_url(self.base_url)[1]}

    @functools.cached_property
    def _key(self) -> ApiKey | None:
        """The key of the profile, or the one that the user typed; a command asks only once."""
        if self.demo is not None:
            return None
        return (self.profile and self.profile.key()) or asked_key()

    def run(self, use: Callable[[TaskSession], Awaitable[None]]) -> None:
        """Open a session, use it in a new event loop, and close both."""
        if sys.stdout is None:
            raise click.ClickException("There is no standard output to write to")
        settle_encoding()
        api_key = self._key
        # Outside the loop, Ctrl-C ends even a long computation at once.
        platform = None if self.demo is None else _demo_platform(self.demo, living=self.living)
        with _silent_retries():
            asyncio.run(self._use_session(platform, use, api_key))

    async def _use_session(
        self,
        platform: FakePlatform | None,
        use: Callable[[TaskSession], Awaitable[None]],
        api_key: str | ApiKey | None,
    ) -> None:
        async with AsyncExitStack() as opened:
            base_url: str | URL | None = self.base_url
            if platform is not None:
                await opened.enter_async_context(platform)
                api_key, base_url = platform.api_key, platform.base_url
            options = dict(self.options)
            gate, retry = Gate(self.options.get("concurrency", 8)), RetryPolicy()
            host = host_of(str(chosen_base_url(base_url)[1])) or ""
            notices = Notices(host=host, gate=gate, attempts=retry.attempts)
            traces = [notices.trace_config()]
            if platform is None:
                options["trace_configs"] = traces
            else:
                # The demo is inside this command: no proxy leads to it.
                options["proxy"] = None
                client = aiohttp.ClientSession(trace_configs=traces)
                options["client_session"] = await opened.enter_async_context(client)
            session = TaskSession(api_key, base_url=base_url, gate=gate, retry=retry, **options)
            await opened.enter_async_context(session)
            await opened.enter_async_context(notices.shown())
            await use(session)


def _demo_platform(count: int, *, living: bool) -> FakePlatform:
    """Make the demo account. Its tasks have the same ids whether it is living or not."""
    from twelvetasks.testing import FakePlatform  # noqa: PLC0415 - a server only the demo needs

    began = time.monotonic()

    def clock() -> datetime:
        return _DEMO_NOW + timedelta(seconds=time.monotonic() - began)

    life: dict[str, Any] = {}
    if living:
        life = {"living": True, "clock": clock, "indexing_time": _DEMO_INDEXING}
    if count < _LARGE_DEMO:
        return FakePlatform.demo(count, **life)
    if is_terminal(sys.stderr):
        say(f"making a demo account of {count:,} tasks")
    with wait_progress(Console()) as show:
        show("making the demo account")
        return FakePlatform.demo(count, **life)


@contextmanager
def _silent_retries() -> Iterator[None]:
    """Keep stamina from reporting each attempt: only what ends the command is worth a line."""
    hooks = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks(())
    try:
        yield
    finally:
        stamina.instrumentation.set_on_retry_hooks(hooks)


def connected(
    *options: Decorator, concurrent: bool = False, uploads: bool = False, living_demo: bool = False
) -> Decorator:
    """Add these options, and those that say where and how to connect, as one `Connection`.

    `concurrent` commands send several requests at once; one that `uploads` sends videos.
    """

    def decorate(command: Callable[..., None]) -> Any:
        @functools.wraps(command)
        def connect(
            *,
            demo: bool,
            demo_size: int | None,
            base_url: str | None,
            profile: Profile | None,
            **others: Any,
        ) -> None:
            size = DEMO_SIZE if demo and demo_size is None else demo_size
            size, base_url = _one_of(size, base_url)
            others["timeout"] = others.pop("request_timeout")
            settings = {name: others.pop(name) for name in _SETTINGS if name in others}
            connection = Connection(
                demo=size, living=living_demo, base_url=base_url, profile=profile, options=settings
            )
            if size is not None:
                others = {
                    name: value.as_of(_DEMO_NOW) if isinstance(value, Moment) else value
                    for name, value in others.items()
                }
            command(connection=connection, **others)

        concurrency = [_concurrency_option] if concurrent else []
        timeout = _timeout_option(uploads=uploads)
        own = (_demo_options, *concurrency, timeout, _way_options)
        return option_group("Connection", *options, *own)(connect)

    return decorate


def _one_of(demo: int | None, base_url: str | None) -> tuple[int | None, str | None]:
    """Decide between two platforms: what was typed comes before what a variable says."""
    if demo is None or base_url is None:
        return demo, base_url
    source = click.get_current_context().get_parameter_source
    if source("base_url") is not ParameterSource.COMMANDLINE:
        return demo, None
    if ParameterSource.COMMANDLINE not in (source("demo"), source("demo_size")):
        return None, base_url
    raise click.UsageError("--demo brings its own platform, so it takes no --base-url")


_demo_options: Decorator = combined(
    option(
        "--demo",
        is_flag=True,
        help="Use a made-up account inside this command, where it is 2025-06-30.",
    ),
    option(
        "--demo-size N",
        type=click.IntRange(min=0),
        help=f"Tasks in the made-up account; implies --demo.  [default: {DEMO_SIZE}]",
    ),
)

_concurrency_option: Decorator = option(
    "--concurrency N",
    type=click.IntRange(min=1),
    default=8,
    every=True,
    help="Requests under way at once.",
)


def _timeout_option(*, uploads: bool) -> Decorator:
    covers = (
        "; while uploading, of each piece of the video."
        if uploads
        else ", from connecting to the last byte."
    )
    return option(
        "--timeout DURATION",
        "request_timeout",
        type=as_positive_seconds,
        default="60s",
        every=True,
        help=f"Limit of one request{covers}",
    )


wait_timeout_option: Decorator = option(
    "--wait-timeout DURATION",
    type=as_positive_seconds,
    default="1h",
    help="Limit of the whole wait.",
)


def _as_profile(ctx: click.Context, _: click.Parameter, name: str | None) -> Profile | None:
    """Read a profile before the other options, which it may set."""
    if name is None:
        return None
    program = ctx.find_root().command
    commands = program.commands.values() if isinstance(program, click.Group) else [program]
    options = [option for command in commands for option in command.params]
    settings = {option.setting for option in options if isinstance(option, Option)}
    profile = profile_named(name, frozenset(settings - {"", "profile"}))
    ctx.meta[PROFILE] = profile
    return profile


_way_options: Decorator = combined(
    option(
        "--base-url URL",
        every=True,
        help=f"The API's address.  [default: {DEFAULT_BASE_URL}]",
    ),
    option(
        "--insecure-http",
        is_flag=True,
        every=True,
        flag_only=True,
        help="Allow an http address of another machine: anyone on the way can read the API key.",
    ),
    option(
        "--proxy URL",
        every=True,
        callback=lambda _, __, given: hidden_proxy(given),
        help="An http(s) or SOCKS proxy. If it needs a password, set TWELVETASKS_PROXY or "
        "HTTPS_PROXY instead: other users of this machine can read arguments.  [default: that of "
        "the environment]",
    ),
    option(
        "--profile NAME",
        is_eager=True,
        callback=_as_profile,
        shell_complete=complete_profiles,
        every=True,
        help="Use the settings and the key of this profile.",
    ),
)
