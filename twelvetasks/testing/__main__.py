"""``python -m twelvetasks.testing``: a TwelveLabs for programs in any language, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress

from twelvetasks.testing.limits import RateLimit
from twelvetasks.testing.platform import FakePlatform


def options() -> argparse.ArgumentParser:
    """Return the options of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m twelvetasks.testing",
        description="Serve a TwelveLabs with living tasks, until Ctrl-C.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=8080, help="0 takes any free port (default: %(default)s)")
    add("--api-key", default="tlk_demo", help="the key to accept (default: %(default)s)")
    add("--tasks", type=int, default=1000, help="tasks at first (default: %(default)s)")
    add(
        "--indexing-time",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="seconds until an upload is ready (default: %(default)s)",
    )
    add(
        "--changes-per-minute",
        type=float,
        default=20.0,
        metavar="N",
        help="uploads, updates and deletions (default: %(default)s)",
    )
    add("--webhook", action="append", default=[], metavar="URL", help="send webhooks to URL")
    add("--webhook-secret", default="whs_demo", help="signs webhooks (default: %(default)s)")
    add("--rate-limit", type=int, metavar="N", help="answer 429 after N requests in a minute")
    add("--seed", type=int, default=0, help="decides tasks and changes (default: %(default)s)")
    return parser


async def serve(given: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM."""
    platform = FakePlatform.demo(
        given.tasks,
        seed=given.seed,
        living=True,
        changes_per_minute=given.changes_per_minute,
        indexing_time=given.indexing_time,
        api_key=given.api_key,
        rate_limit=None if given.rate_limit is None else RateLimit(given.rate_limit),
        cross_origin=True,
        host=given.host,
        port=given.port,
    )
    for url in given.webhook:
        platform.add_webhook(url, given.webhook_secret)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no signal handlers in its event loop; there Ctrl-C raises KeyboardInterrupt.
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stopped.set)
    async with platform:
        print(f"base URL: {platform.base_url}")
        print(f"API key:  {platform.api_key}")
        if given.webhook:
            print(f"webhooks: {', '.join(given.webhook)}, signed with {given.webhook_secret}")
        print("Press Ctrl-C to stop.", flush=True)
        await stopped.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = options()
    given = parser.parse_args(arguments)
    if given.tasks < 0 or given.changes_per_minute < 0 or given.indexing_time <= 0:
        parser.error("--tasks and --changes-per-minute must be at least 0, --indexing-time more")
    try:
        asyncio.run(serve(given))
    except OSError as error:
        parser.error(f"cannot listen on {given.host}:{given.port}: {error.strerror or error}")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
