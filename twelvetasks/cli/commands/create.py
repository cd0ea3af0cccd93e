"""`create`: upload a video, and wait for its task on request."""

from __future__ import annotations

from typing import Any

import click
from cloup import option_group

from twelvetasks.cli.command import command, option
from twelvetasks.cli.commands.wait import refuse_failures, status_shown
from twelvetasks.cli.connection import Connection, connected, wait_timeout_option
from twelvetasks.cli.ending import say
from twelvetasks.cli.option_types import as_metadata
from twelvetasks.cli.options import OUTPUT, progress_option
from twelvetasks.cli.output.json_writer import write_item
from twelvetasks.cli.output.progress import upload_progress
from twelvetasks.cli.terminal import Console
from twelvetasks.session import TaskSession
from twelvetasks.values.display import printable
from twelvetasks.values.errors import TwelveTasksError

VIDEO = "The video"

_MAY_EXIST = "The task may exist: look for it before you create it again, with `twelvetasks list"


@command(
    "create",
    examples="""
        twelvetasks create --demo --index-id 62a0906d47f5678267ec10a6 --file video.mp4
          Upload a video and print the id of its task.
        twelvetasks create --demo --index-id 62a0906d --url https://a.org/b.mp4 --wait
          Let the platform fetch a video, and wait until it is ready.
    """,
)
@option_group(
    VIDEO,
    option("--index-id ID", required=True, help="The index to put the video into."),
    option("--url URL", help="A public address of the video."),
    option("--file PATH", help="A local video file; a terminal shows the progress."),
    option("--no-stream", is_flag=True, help="Do not store the video for streaming."),
    option(
        "--metadata KEY=VALUE",
        multiple=True,
        callback=as_metadata,
        help="Stored with the video; repeat it, or give one JSON object.",
    ),
)
@option_group(
    OUTPUT,
    option("--wait", is_flag=True, help="Wait until the task has finished, and print it."),
    wait_timeout_option,
    progress_option,
)
@connected(uploads=True, living_demo=True)
def create_task(
    connection: Connection,
    index_id: str,
    url: str | None,
    file: str | None,
    metadata: dict[str, Any],
    *,
    no_stream: bool,
    wait: bool,
    wait_timeout: float,
    progress: bool | None,
) -> None:
    """Upload a video and print the id of its task.

    Give either --file or --url. With --wait the id goes to stderr and the finished task to stdout;
    the exit code is 1 if the task has failed.
    """
    if (url is None) == (file is None):
        raise click.UsageError("Give either --url or --file")

    async def create_it(session: TaskSession) -> None:
        try:
            with upload_progress(asked=progress) as show:
                task = await session.create(
                    index_id=index_id,
                    video_url=url,
                    video_file=file,
                    enable_video_stream=not no_stream,
                    user_metadata=metadata or None,
                    on_progress=show,
                )
        except TwelveTasksError as error:
            if not error.task_may_exist:
                raise
            raise error.located(
                advice=f"{_MAY_EXIST} --index-id {index_id} --max-items 1`"
            ) from None
        if not wait:
            click.echo(printable(task.id))
            return
        say(f"created task {task.id}, waiting until it has finished")
        with status_shown(Console()) as show:
            ended = await session.wait(
                task, timeout=wait_timeout, raise_on_failure=False, on_change=show
            )
        write_item(ended)
        refuse_failures([ended])

    connection.run(create_it)
