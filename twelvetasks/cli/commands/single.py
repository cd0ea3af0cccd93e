"""`get`, `create` and `delete`: one task, or a few by their ids."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from typing import Any

import click

from twelvetasks.cli.command import command, option
from twelvetasks.cli.commands.wait import LONGEST_WAIT, refuse_failures
from twelvetasks.cli.connection import (
    Connection,
    connected,
    demo_option,
    single_request_options,
    upload_timeout_option,
)
from twelvetasks.cli.exit_codes import in_flags, say
from twelvetasks.cli.option_types import as_metadata, as_task_id
from twelvetasks.cli.options import progress_option
from twelvetasks.cli.output.json_writer import write_json
from twelvetasks.cli.output.progress import upload_progress
from twelvetasks.cli.terminal import Console, is_terminal, printable
from twelvetasks.conversion.convert import to_dict, to_json
from twelvetasks.session import TaskSession
from twelvetasks.values.errors import ApiError
from twelvetasks.values.models import Task

VIDEO = "The video"


@command(
    "get",
    examples=[
        ("twelvetasks get 62a17bf847f5678267ec10cc", "All that the platform shows of one task."),
        (
            "twelvetasks get 62a17bf847f5678267ec10cc | jq -r .hls.video_url",
            "The address of its stream.",
        ),
    ],
)
@click.argument("task_id", metavar="ID", type=as_task_id)
@single_request_options
def get_task(connection: Connection, task_id: str) -> None:
    """Print one task with all there is of it.

    It is JSON: indented in a terminal, one line in a pipe.
    """

    async def get_it(session: TaskSession) -> None:
        _write_whole(await session.task(task_id))

    connection.run(get_it)


def _write_whole(task: Task) -> None:
    if is_terminal(sys.stdout):
        text = json.dumps(to_dict(task), ensure_ascii=False, allow_nan=False, indent=2)
    else:
        text = to_json(task)
    write_json(Console(), f"{text}\n")


@command(
    "create",
    examples=[
        (
            "twelvetasks create --index-id 62a0906d47f5678267ec10a6 --file keynote.mp4",
            "Upload a video, and print the id of its task.",
        ),
        (
            "twelvetasks create --index-id 62a0906d47f5678267ec10a6 --url https://a.org/b --wait",
            "Let the platform fetch it, and wait until it is ready.",
        ),
    ],
)
@option(
    "--index-id", metavar="ID", required=True, group=VIDEO, help="The index to put the video into."
)
@option("--url", metavar="URL", group=VIDEO, help="Where the platform can fetch the video.")
@option(
    "--file",
    metavar="PATH",
    group=VIDEO,
    help="The video itself; a terminal shows how far it has been sent.",
)
@option(
    "--no-stream",
    is_flag=True,
    group=VIDEO,
    help="Do not let the platform keep the video for streaming.",
)
@option(
    "--metadata",
    multiple=True,
    callback=as_metadata,
    metavar="KEY=VALUE",
    group=VIDEO,
    help="Kept with the video; repeat it for several, or give one JSON object.",
)
@option(
    "--wait",
    is_flag=True,
    group=VIDEO,
    help="Wait, at most an hour, until the task has ended, and print all of it.",
)
@progress_option
@connected(demo_option, upload_timeout_option)
def create_task(
    connection: Connection,
    index_id: str,
    url: str | None,
    file: str | None,
    metadata: dict[str, Any],
    *,
    no_stream: bool,
    wait: bool,
    progress: bool | None,
) -> None:
    """Upload a video and print the id of its task.

    Give either --file or --url. With --wait the id goes to stderr, and the task that has ended to
    stdout; the exit code is 1 if it has failed.
    """
    if (url is None) == (file is None):
        raise click.UsageError("Give the video by either --url or --file")

    async def create_it(session: TaskSession) -> None:
        with upload_progress(asked=progress) as show:
            task = await session.create(
                index_id=index_id,
                video_url=url,
                video_file=file,
                enable_video_stream=not no_stream,
                user_metadata=metadata or None,
                on_progress=show,
            )
        if not wait:
            click.echo(printable(task.id))
            return
        say(f"created task {task.id}, waiting for its end")
        ended = await session.wait(task, timeout=LONGEST_WAIT, raise_on_failure=False)
        _write_whole(ended)
        refuse_failures([ended])

    connection.run(create_it)


@command(
    "delete",
    examples=[
        ("twelvetasks delete 62a17bf847f5678267ec10cc", "Delete one task, after asking."),
        (
            "twelvetasks list --status failed | jq -r ._id | xargs twelvetasks delete --yes",
            "Delete all that failed.",
        ),
    ],
)
@click.argument("task_ids", metavar="ID...", nargs=-1, required=True, type=as_task_id)
@option("--yes", is_flag=True, help="Do not ask first; needed where there is no terminal.")
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
                fault = in_flags(str(error))
                raise click.ClickException(f"{task_id} is not deleted: {fault}") from None
            click.echo(task_id)

    connection.run(delete_them)


def _ask(question: str) -> None:
    """End the command unless whoever sits at the terminal says yes."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise click.UsageError("There is no terminal to ask in, so it takes --yes")
    # The prompt of `input` goes to stdout, in some versions of click even where `err` is given.
    with redirect_stdout(sys.stderr):
        agreed = click.confirm(question, err=True)
    if not agreed:
        raise click.ClickException("Nothing was deleted")
