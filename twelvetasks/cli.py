"""The `twelvetasks` command (extra `cli`): click for its options, rich for colours and progress.

It is a user of the library like any other. Results go to stdout, everything else to stderr: a table
where stdout is a terminal, JSON Lines where it is not. Whatever ends a command passes through
`_ending`, which alone decides what is said and with which exit code.
"""

from __future__ import annotations

import asyncio
import functools
import io
import json
import logging
import math
import os
import re
import stat
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager, redirect_stdout, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import attrs
import click
import stamina.instrumentation
from rich.cells import set_cell_size
from rich.console import Console, OverflowMethod
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from twelvetasks.checkpoint import Checkpoint
from twelvetasks.convert import to_dict, to_json
from twelvetasks.errors import (
    ApiError,
    AuthenticationError,
    InvalidArgumentError,
    TwelveTasksError,
)
from twelvetasks.listing import PageStream
from twelvetasks.models import SortBy, SortOption, Task, TaskStatus
from twelvetasks.query import MAX_PAGE_LIMIT
from twelvetasks.report import ListingReport
from twelvetasks.session import API_KEY_VARIABLE, DEFAULT_BASE_URL, TaskSession
from twelvetasks.single import checked_id
from twelvetasks.timestamps import parse_timestamp
from twelvetasks.watching import TaskChange

if TYPE_CHECKING:
    from twelvetasks.testing import FakePlatform

__all__ = ["cli", "run"]

LONG_LISTING = 200
"""Tasks from which on a listing shows its progress."""

LONGEST_WAIT = 3600.0
"""Seconds that a command waits for tasks to end, unless it is told otherwise."""

FAILED, MISUSED, INTERRUPTED, PIPE_CLOSED = 1, 2, 130, 141

F = TypeVar("F", bound=Callable[..., Any])

Decorator = Callable[[Any], Any]
"""What adds options to a command."""


class _Program(click.Group):
    """A group whose commands all end in `_ending`, before click ends them in its own way."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _ending():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _ending():
            return super().invoke(ctx)


@contextmanager
def _ending() -> Iterator[None]:
    """Turn what ends a command early into its exit code and at most one line on stderr."""
    try:
        yield
    except (
        *(click.ClickException, click.Abort, TwelveTasksError, OSError, KeyboardInterrupt),
    ) as error:
        code, said = _verdict(error)
        with suppress(OSError):  # Where nobody can be told any more, the code still says it.
            if said is not None:
                _say(said)
            elif code == INTERRUPTED and _is_terminal(sys.stderr):
                click.echo(err=True)  # The terminal has shown ^C: the prompt needs its own line.
        raise click.exceptions.Exit(code) from None


def _say(message: str) -> None:
    """Write one line to stderr."""
    click.echo(f"twelvetasks: {' '.join(_printable(message).split())}", err=True)


def _verdict(error: BaseException) -> tuple[int, str | None]:
    """Give the exit code and what to say; None for nothing."""
    match error:
        case click.ClickException():
            return error.exit_code, _with_usage_hint(error)
        case InvalidArgumentError():
            return MISUSED, _in_flags(str(error))
        case AuthenticationError(status=None):
            advice = f"Set the environment variable {API_KEY_VARIABLE}, or try --demo"
            return MISUSED, f"{error.reason}. {advice}"
        case TwelveTasksError():
            return FAILED, _in_flags(str(error))
        case BrokenPipeError():
            return PIPE_CLOSED, None
        case OSError():
            fault = error.strerror or str(error)
            return FAILED, f"{error.filename}: {fault}" if error.filename else fault
    return INTERRUPTED, None


def _with_usage_hint(error: click.ClickException) -> str:
    said = error.format_message()
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return said
    return f"{said}{'' if said.endswith(('.', '?')) else '.'} See {error.ctx.command_path} -h"


def _in_flags(message: str) -> str:
    """Say with the command's flags what the library says with its arguments and methods."""
    message = message.replace("see TaskSession.wait", "see twelvetasks wait -h")
    message = message.replace("a longer `timeout`", "a longer `twelvetasks wait --timeout`")
    message = re.sub(r"\bvideo_(file|url)\b", r"--\1", message)
    message = re.sub(r"^user_(?=metadata=)", "", message)
    return re.sub(
        r"^(\w+)(?==)|the session's `(\w+)`",
        lambda named: f"--{(named[1] or named[2]).replace('_', '-')}",
        message,
    )


def _options(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Make one decorator of several options, which `--help` shows in this order."""

    def decorate(command: F) -> F:
        return functools.reduce(lambda decorated, option: option(decorated), options[::-1], command)

    return decorate


def _timestamp(text: str) -> datetime:
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds <= 0:
        raise click.BadParameter(f"{text!r} is not a positive number of seconds")
    return seconds


def _task_id(text: str) -> str:
    try:
        return checked_id(text)
    except InvalidArgumentError:
        raise click.BadParameter(f"{text!r} is not the id of a task") from None


def _metadata(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any]:
    """Merge what is given as a JSON object with what is given as KEY=VALUE."""
    metadata: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if text.lstrip().startswith("{"):
            try:
                metadata |= json.loads(text)
            except (ValueError, RecursionError):
                raise click.BadParameter(f"{text!r} is not a JSON object") from None
        elif name and equals:
            metadata[name] = value
        else:
            raise click.BadParameter(f"{text!r} is neither KEY=VALUE nor a JSON object")
    return metadata


watch_options: Decorator = _options(
    click.option("--index-id", metavar="ID", help="Only the tasks of this index."),
    click.option(
        "--status",
        multiple=True,
        type=click.Choice([status.value for status in TaskStatus]),
        help="Only tasks in this state; repeat it for several.",
    ),
    click.option("--filename", metavar="NAME", help="Only the video with this file name."),
    click.option("--duration", type=float, metavar="SECONDS", help="Only videos of this duration."),
    click.option("--width", type=int, metavar="PIXELS", help="Only videos of this width."),
    click.option("--height", type=int, metavar="PIXELS", help="Only videos of this height."),
    click.option(
        "--created-at",
        type=_timestamp,
        metavar="TIME",
        help="Only tasks created on this date at or after this time, as 2024-05-01T00:00:00Z.",
    ),
)

filter_options: Decorator = _options(
    watch_options,
    click.option(
        "--updated-at",
        type=_timestamp,
        metavar="TIME",
        help="Only tasks updated on this date at or after this time.",
    ),
)

order_options: Decorator = _options(
    click.option(
        "--sort-by",
        type=click.Choice([field.value for field in SortBy]),
        default=SortBy.CREATED_AT.value,
        show_default=True,
        help="What to order by.",
    ),
    click.option(
        "--sort-option",
        type=click.Choice([direction.value for direction in SortOption]),
        default=SortOption.DESC.value,
        show_default=True,
        help="Newest first (desc) or oldest first (asc).",
    ),
)

layout_option: Decorator = click.option(
    "--format",
    "layout",
    type=click.Choice(["table", "jsonl"]),
    help="How to print them.  [default: table in a terminal, else jsonl]",
)


@attrs.frozen(kw_only=True)
class Connection:
    """With whom a command speaks: the user's account, or a demo platform that lives as long."""

    demo: int | None
    base_url: str | None
    options: dict[str, Any]

    def run(self, use: Callable[[TaskSession], Awaitable[None]]) -> None:
        """Open a session, use it in an event loop of its own, and leave nothing behind."""
        if sys.stdout is None:
            raise click.ClickException("There is no standard output to write to")
        _settle_encoding()
        # Made outside the loop, where Ctrl-C ends even a long computation at once.
        platform = None if self.demo is None else _demo_platform(self.demo)
        with _silent_retries():
            asyncio.run(self._use_session(platform, use))

    async def _use_session(
        self, platform: FakePlatform | None, use: Callable[[TaskSession], Awaitable[None]]
    ) -> None:
        async with AsyncExitStack() as opened:
            api_key, base_url = None, self.base_url or DEFAULT_BASE_URL
            if platform is not None:
                await opened.enter_async_context(platform)
                api_key, base_url = platform.api_key, platform.base_url
            session = TaskSession(api_key, base_url=base_url, **self.options)
            await use(await opened.enter_async_context(session))


def _demo_platform(count: int) -> FakePlatform:
    from twelvetasks.testing import FakePlatform  # noqa: PLC0415 - a server only the demo needs

    return FakePlatform.demo(count)


@contextmanager
def _silent_retries() -> Iterator[None]:
    """Keep stamina from reporting each attempt: only what ends the command is worth a line."""
    hooks = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks(())
    try:
        yield
    finally:
        stamina.instrumentation.set_on_retry_hooks(hooks)


def _connected(
    *options: Callable[[Any], Any],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that say where and how to connect, as one `Connection`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def connected(*, base_url: str | None, demo: int | None = None, **others: Any) -> None:
            if demo is not None and base_url is not None:
                raise click.UsageError("--demo brings its own platform, so it takes no --base-url")
            settings = {
                setting: others.pop(name) for name, setting in _SETTINGS.items() if name in others
            }
            command(connection=Connection(demo=demo, base_url=base_url, options=settings), **others)

        decorated: Callable[..., None] = _options(*options, _base_url_option)(connected)
        return decorated

    return decorate


_SETTINGS = {"concurrency": "concurrency", "request_timeout": "timeout"}
"""The parameters of a command that are a session's, and what they are called there."""

_demo_option = click.option(
    "--demo",
    is_flag=False,
    flag_value=1000,
    type=click.IntRange(min=0),
    metavar="[N]",
    help="Use a made-up account of N tasks (1000 if not given) inside this command.",
)

_concurrency_option = click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    metavar="N",
    help="Requests under way at once.",
)

_timeout_option = click.option(
    "--timeout",
    "request_timeout",
    type=float,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For one request, from connecting to the last byte.",
)

_upload_timeout_option = click.option(
    "--timeout",
    "request_timeout",
    type=float,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For each piece of the video, and for the answer.",
)

_request_timeout_option = click.option(
    "--request-timeout",
    type=_seconds,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For one request, from connecting to the last byte.",
)

_base_url_option = click.option(
    "--base-url", metavar="URL", help=f"The API's address.  [default: {DEFAULT_BASE_URL}]"
)

connection_options: Decorator = _connected(_demo_option, _concurrency_option, _timeout_option)
single_request_options: Decorator = _connected(_demo_option, _timeout_option)


@click.group(
    cls=_Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="twelvetasks")
@click.pass_context
def cli(context: click.Context) -> None:
    """TwelveLabs' video indexing tasks: every one that matches, once, in order.

    The API key is read from the environment variable TWELVE_LABS_API_KEY.

    Exit codes: 0 done; 1 the platform, the network, the output or a task waited for failed; 2 the
    command was misused or has no API key; 130 Ctrl-C; 141 the reader of the output went away.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(MISUSED)


@cli.command("list")
@filter_options
@order_options
@click.option(
    "--page-limit",
    type=click.IntRange(1, MAX_PAGE_LIMIT),
    default=MAX_PAGE_LIMIT,
    show_default=True,
    metavar="N",
    help="Tasks to ask for in one request.",
)
@click.option("--max-items", type=click.IntRange(min=0), metavar="N", help="Stop after N tasks.")
@click.option(
    "--exact", is_flag=True, help="Prove that nothing is missed, whatever changes meanwhile."
)
@click.option("--report", is_flag=True, help="Say on stderr what the listing did.")
@layout_option
@connection_options
def list_tasks(
    connection: Connection,
    layout: str | None,
    status: tuple[str, ...],
    *,
    report: bool,
    **choices: Any,
) -> None:
    """List tasks: a table in a terminal, one JSON object a line in a pipe."""

    async def list_them(session: TaskSession) -> None:
        async with session.tasks(status=status or None, **choices).pages() as pages:
            try:
                await _print(pages, layout)
            finally:
                if report:
                    click.echo(_sentence(pages.report), err=True)

    connection.run(list_them)


@cli.command("count")
@filter_options
@single_request_options
def count_tasks(connection: Connection, status: tuple[str, ...], **filters: Any) -> None:
    """Count tasks: one small request, one number."""

    async def count_them(session: TaskSession) -> None:
        click.echo(await session.tasks(status=status or None, **filters).count())

    connection.run(count_them)


@cli.command("get")
@click.argument("task_id", metavar="ID", type=_task_id)
@single_request_options
def get_task(connection: Connection, task_id: str) -> None:
    """Print one task with all there is of it.

    It is JSON: indented in a terminal, one line in a pipe.
    """

    async def get_it(session: TaskSession) -> None:
        _write_whole(await session.task(task_id))

    connection.run(get_it)


def _write_whole(task: Task) -> None:
    if _is_terminal(sys.stdout):
        text = json.dumps(to_dict(task), ensure_ascii=False, allow_nan=False, indent=2)
    else:
        text = to_json(task)
    _write_json(_Console(), f"{text}\n")


@cli.command("create")
@click.option("--index-id", metavar="ID", required=True, help="The index to put the video into.")
@click.option("--url", metavar="URL", help="Where the platform can fetch the video.")
@click.option(
    "--file", metavar="PATH", help="The video itself; a terminal shows how far it has been sent."
)
@click.option(
    "--no-stream", is_flag=True, help="Do not let the platform keep the video for streaming."
)
@click.option(
    "--metadata",
    multiple=True,
    callback=_metadata,
    metavar="KEY=VALUE",
    help="Kept with the video; repeat it for several, or give one JSON object.",
)
@click.option(
    "--wait",
    is_flag=True,
    help="Wait, at most an hour, until the task has ended, and print all of it.",
)
@_connected(_demo_option, _upload_timeout_option)
def create_task(
    connection: Connection,
    index_id: str,
    url: str | None,
    file: str | None,
    metadata: dict[str, Any],
    *,
    no_stream: bool,
    wait: bool,
) -> None:
    """Upload a video and print the id of its task.

    Give either --file or --url. With --wait the id goes to stderr, and the task that has ended to
    stdout; the exit code is 1 if it has failed.
    """
    if (url is None) == (file is None):
        raise click.UsageError("Give the video by either --url or --file")

    async def create_it(session: TaskSession) -> None:
        with _upload_progress() as show:
            task = await session.create(
                index_id=index_id,
                video_url=url,
                video_file=file,
                enable_video_stream=not no_stream,
                user_metadata=metadata or None,
                on_progress=show,
            )
        if not wait:
            click.echo(_printable(task.id))
            return
        _say(f"created task {task.id}, waiting for its end")
        ended = await session.wait(task, timeout=LONGEST_WAIT, raise_on_failure=False)
        _write_whole(ended)
        _refuse_failures([ended])

    connection.run(create_it)


def _refuse_failures(ended: list[Task]) -> None:
    """End the command with code 1 if there are tasks among these that failed."""
    failed = [task.id for task in ended if task.status == TaskStatus.FAILED]
    if failed:
        raise click.ClickException(
            f"{len(failed)} of {len(ended)} tasks failed: {', '.join(failed)}. The API gives no "
            "reason: check the video against the platform's requirements"
        )


@cli.command("delete")
@click.argument("task_ids", metavar="ID...", nargs=-1, required=True, type=_task_id)
@click.option("--yes", is_flag=True, help="Do not ask first; needed where there is no terminal.")
@single_request_options
def delete_tasks(connection: Connection, task_ids: tuple[str, ...], *, yes: bool) -> None:
    """Delete tasks for good, after asking.

    Only ready and failed tasks can be deleted. The id of each that is gone is printed. The first
    that the platform does not delete ends the command with code 1, and those after it stay; so
    does the answer no.
    """
    chosen = tuple(dict.fromkeys(task_ids))
    if not yes:
        them = "this task" if len(chosen) == 1 else f"these {len(chosen)} tasks"
        _ask(f"Delete {them} for good?")

    async def delete_them(session: TaskSession) -> None:
        for task_id in chosen:
            try:
                await session.delete(task_id)
            except ApiError as error:
                fault = _in_flags(str(error))
                raise click.ClickException(f"{task_id} is not deleted: {fault}") from None
            click.echo(task_id)

    connection.run(delete_them)


def _ask(question: str) -> None:
    """End the command unless whoever sits at the terminal says yes."""
    if not (_is_terminal(sys.stdin) and _is_terminal(sys.stderr)):
        raise click.UsageError("There is no terminal to ask in, so it takes --yes")
    # The prompt of `input` goes to stdout, in some versions of click even where `err` is given.
    with redirect_stdout(sys.stderr):
        agreed = click.confirm(question, err=True)
    if not agreed:
        raise click.ClickException("Nothing was deleted")


@cli.command("wait")
@click.argument("task_ids", metavar="ID...", nargs=-1, required=True, type=_task_id)
@click.option(
    "--timeout",
    type=_seconds,
    default=LONGEST_WAIT,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait in all.",
)
@layout_option
@_connected(_demo_option, _concurrency_option, _request_timeout_option)
def wait_for_tasks(
    connection: Connection, task_ids: tuple[str, ...], timeout: float, layout: str | None
) -> None:
    """Wait for tasks, and print each as it ends.

    The exit code is 0 if all are ready; it is 1 if one has failed, is not there, or has not ended
    in time.
    """

    async def wait_for_them(session: TaskSession) -> None:
        out = _Console()
        write = _table_writer(out, SortBy.UPDATED_AT) if _as_table(layout) else _json_writer(out)
        ended: list[Task] = []
        async with session.wait_all(task_ids, timeout=timeout) as waiting:
            async for task in waiting:
                write((task,))
                ended.append(task)
        _refuse_failures(ended)

    connection.run(wait_for_them)


@cli.command("watch")
@watch_options
@click.option(
    "--since",
    type=_timestamp,
    metavar="TIME",
    help="Begin with what was updated at or after this time; without it, with what comes from now.",
)
@click.option("--deletions", is_flag=True, help="Print deleted tasks, too; takes more requests.")
@click.option(
    "--min-interval",
    type=float,
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks after a change.",
)
@click.option(
    "--max-interval",
    type=float,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks while nothing changes.",
)
@click.option(
    "--checkpoint",
    "place",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep the place here after each change, and go on from it, instead of --since, next time.",
)
@layout_option
@_connected(_timeout_option)
def watch_tasks(
    connection: Connection,
    layout: str | None,
    status: tuple[str, ...],
    since: datetime | None,
    place: Path | None,
    **choices: Any,
) -> None:
    """Print each change of a task as it is seen, until Ctrl-C.

    In a pipe a change is one line {"before": ..., "after": ...}: before is null for a task not seen
    before, after is null for one that was deleted. Where the command ends in the middle, a change
    may be printed again by the next that goes on from the same --checkpoint, but none is left out.
    """
    resume = None if place is None else _kept(place)

    async def watch_them(session: TaskSession) -> None:
        out = _Console()
        watch = session.watch(
            status=status or None, since=since if resume is None else None, resume=resume, **choices
        )
        keep = _keeper(place)
        async with watch:
            keep(watch.checkpoint)
            while True:
                try:
                    change = await anext(watch)
                except BaseException:
                    # Every change so far has been printed; a quiet watch has a place to keep, too.
                    keep(watch.checkpoint)
                    raise
                _write_change(out, change, as_line=_as_table(layout))
                keep(watch.checkpoint)

    with _warnings():
        connection.run(watch_them)


def _kept(place: Path) -> Checkpoint | None:
    """Read the checkpoint that an earlier watch has kept, if one has."""
    try:
        text = place.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return None
    try:
        return Checkpoint.parse(text.strip())
    except InvalidArgumentError:
        raise click.BadParameter(
            f"{str(place)!r} does not hold the checkpoint of a watch", param_hint="--checkpoint"
        ) from None


def _keeper(place: Path | None) -> Callable[[Checkpoint], None]:
    """Give a function that keeps a checkpoint: the file is at any time the old or the new one."""
    last: Checkpoint | None = None

    def keep(checkpoint: Checkpoint) -> None:
        nonlocal last
        if place is None or checkpoint == last:
            return
        new = place.with_name(f"{place.name}.new")
        new.write_text(f"{checkpoint}\n", encoding="utf-8")
        new.replace(place)
        last = checkpoint

    return keep


def _write_change(out: Console, change: TaskChange, *, as_line: bool) -> None:
    before, after = change.before, change.after
    if not as_line:
        sides = (
            f'"{name}":{to_json(task) if task else "null"}'
            for name, task in (("before", before), ("after", after))
        )
        _write_json(out, f"{{{','.join(sides)}}}\n")
        return
    task = change.task
    moment = (
        task.updated_at.astimezone(UTC).isoformat(" ", "seconds")[:19] if task.updated_at else ""
    )
    was = before.status or "" if before else ""
    now = "deleted" if after is None else after.status or ""
    line = Text(f"{moment:19}  {_printable(task.id):24}  ")
    line.append(f"{set_cell_size(_printable(was), 10)} -> ")
    line.append(set_cell_size(_printable(now), 10), _status_colour(task) if after else "red")
    line.append(f"  {_printable(_filename(task))}")
    line.rstrip()
    in_terminal = _is_terminal(sys.stdout)
    overflow: OverflowMethod = "ellipsis" if in_terminal else "ignore"
    out.print(line, no_wrap=True, overflow=overflow, crop=in_terminal)


@contextmanager
def _warnings() -> Iterator[None]:
    """Say on stderr, in the manner of this command, what a watch outlives."""
    told = _Telling(logging.WARNING)
    logger = logging.getLogger("twelvetasks.watch")
    logger.addHandler(told)
    try:
        yield
    finally:
        logger.removeHandler(told)


class _Telling(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _say(record.getMessage())


@contextmanager
def _upload_progress() -> Iterator[Callable[[int, int | None], None]]:
    """Give a function to report the bytes sent and their total to: a bar if stderr is a terminal.

    The bar comes with the first bytes: a video that the platform fetches by itself has none.
    """
    console = _Console(stderr=True)
    hidden = not (_is_terminal(console.file) and console.is_interactive)
    bar: Progress | None = None
    with ExitStack() as shown:

        def show(sent: int, size: int | None) -> None:
            nonlocal bar
            if hidden:
                return
            if bar is None:
                bar = shown.enter_context(_bar(console, DownloadColumn()))
                bar.add_task("Uploading")
            bar.update(bar.task_ids[0], completed=sent, total=size)

        yield show


async def _print(pages: PageStream, layout: str | None) -> None:
    """Print page after page, with their progress wherever that does not mix with the tasks."""
    out = _Console()
    write = _table_writer(out, pages.query.sort_by) if _as_table(layout) else _json_writer(out)
    done = 0
    with _progress(out) as show:
        async for page in pages:
            write(page.tasks)
            done += len(page.tasks)
            show(done, max(min(pages.total_results or 0, pages.max_items or sys.maxsize), done))
    write(())  # A table without rows still has its heading.


def _sentence(report: ListingReport) -> str:
    counts = (
        f"{number} {noun}{'' if number == 1 else 's'}{rest}"
        for number, noun, rest in (
            (report.requests, "request", ""),
            (report.pages, "page", ""),
            (report.bridges, "bridge", ""),
            (report.duplicates, "duplicate", " dropped"),
            (report.late, "late task", " left out"),
        )
    )
    return f"twelvetasks: {', '.join(counts)}; consistency: {report.consistency}"


def _as_table(layout: str | None) -> bool:
    return layout == "table" if layout else _is_terminal(sys.stdout)


def _settle_encoding() -> None:
    """Write UTF-8 wherever there is no terminal, and to a terminal what its encoding can show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if _is_terminal(sys.stdout):
            sys.stdout.reconfigure(errors="replace")
        else:
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave the error to `_ending`; rich would exit with a code of its own."""
        raise  # noqa: PLE0704 - rich calls this while it handles the error


@contextmanager
def _progress(out: Console) -> Iterator[Callable[[int, int], None]]:
    """Give a function to report done and total to: a bar in a terminal, once the total is long."""
    console = out if _is_terminal(sys.stdout) else _Console(stderr=True)
    # Whatever reads a pipe (less, jq, grep) may write to the terminal that the bar would be in.
    hidden = not (_is_terminal(console.file) and console.is_interactive) or _is_pipe(sys.stdout)
    bar: Progress | None = None
    with ExitStack() as shown:

        def show(done: int, total: int) -> None:
            nonlocal bar
            if hidden or (bar is None and total < LONG_LISTING):
                return
            if bar is None:
                bar = shown.enter_context(_bar(console, MofNCompleteColumn()))
                bar.add_task("Listing")
            bar.update(bar.task_ids[0], completed=done, total=total)

        yield show


def _bar(console: Console, amount: ProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        amount,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


Writer = Callable[[tuple[Task, ...]], None]


def _json_writer(out: Console) -> Writer:
    def write(tasks: tuple[Task, ...]) -> None:
        _write_json(out, "".join(f"{to_json(task)}\n" for task in tasks))

    return write


def _write_json(out: Console, text: str) -> None:
    if _is_terminal(sys.stdout):
        out.out(text.translate(_ESCAPED), end="", highlight=False)
    else:
        sys.stdout.write(text)
        sys.stdout.flush()


_ESCAPED = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""The control characters that JSON lets through, and a terminal obeys."""


@attrs.frozen
class _Column:
    heading: str
    width: int
    """Cells; what the last column has at the least."""
    cell: Callable[[Task], str]
    colour: Callable[[Task], str] = lambda _: ""


def _filename(task: Task) -> str:
    return (task.system_metadata and task.system_metadata.filename) or ""


def _length(task: Task) -> str:
    if task.system_metadata is None or task.system_metadata.duration is None:
        return ""
    minutes, seconds = divmod(round(task.system_metadata.duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _minute(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat(" ", "minutes")[:16] if moment else ""


def _status_colour(task: Task) -> str:
    colours: dict[str | None, str] = {TaskStatus.READY: "green", TaskStatus.FAILED: "red"}
    return colours.get(task.status, "yellow")


_ID = _Column("ID", 24, lambda task: task.id)
_STATUS = _Column("STATUS", 10, lambda task: task.status or "", _status_colour)
_CREATED = _Column("CREATED (UTC)", 16, lambda task: _minute(task.created_at))
_UPDATED = _Column("UPDATED (UTC)", 16, lambda task: _minute(task.updated_at))
_LENGTH = _Column(" LENGTH", 7, lambda task: _length(task).rjust(7))
_FILE = _Column("FILE", 12, _filename)
_GAP = "  "


def _table_writer(out: Console, sort_by: SortBy) -> Writer:
    """Write rows of fixed widths, so that the first page need not wait for the last."""
    in_terminal = _is_terminal(sys.stdout)
    columns = _columns(out.width if in_terminal else sys.maxsize, sort_by)
    heading: Text | None = _line((column, column.heading, "bold") for column in columns)

    def write(tasks: tuple[Task, ...]) -> None:
        nonlocal heading
        lines = [
            _line((column, column.cell(task), column.colour(task)) for column in columns)
            for task in tasks
        ]
        if heading is not None:
            lines.insert(0, heading)
            heading = None
        if lines:
            out.print(
                Text("\n").join(lines),
                no_wrap=True,
                overflow="ellipsis" if in_terminal else "ignore",
                crop=in_terminal,
            )

    return write


def _columns(width: int, sort_by: SortBy) -> list[_Column]:
    """Leave out, where the width is short, what is wanted least; the id is always whole."""
    columns = [_ID, _STATUS, _CREATED, _UPDATED, _LENGTH, _FILE]
    times = [_CREATED, _UPDATED] if sort_by is SortBy.UPDATED_AT else [_UPDATED, _CREATED]
    for dispensable in (times[0], _LENGTH, times[1], _FILE, _STATUS):
        if sum(column.width + len(_GAP) for column in columns) - len(_GAP) <= width:
            break
        columns.remove(dispensable)
    return columns


def _line(cells: Iterator[tuple[_Column, str, str]]) -> Text:
    line = Text()
    for column, content, style in cells:
        cell = _printable(content)
        if column is _ID:
            cell = cell.ljust(column.width)
        elif column is not _FILE:
            cell = set_cell_size(cell, column.width)
        line.append(_GAP if line else "").append(cell, style)
    line.rstrip()
    return line


def _printable(text: str) -> str:
    """Replace what a terminal would obey instead of showing it."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


def _is_terminal(stream: IO[str] | None) -> bool:
    """Ask the stream itself: rich also calls a terminal what FORCE_COLOR says is one."""
    return stream is not None and stream.isatty()


def _is_pipe(stream: IO[str]) -> bool:
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except OSError:  # A stream of Python's own, such as a StringIO, is no file of the system's.
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def run(arguments: list[str] | None = None) -> int:
    """Run the command and give its exit code.

    0 done; 1 the platform, the network, the output or a task waited for failed; 2 the command was
    misused or has no API key; 130 Ctrl-C; 141 the reader of the output went away. The last two say
    nothing.
    """
    code = cli.main(arguments, prog_name="twelvetasks", standalone_mode=False)
    return code if isinstance(code, int) else 0
