"""Print a report of the tasks that failed, those updated last first.

The API key is read from the environment variable TWELVE_LABS_API_KEY.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter

import twelvetasks
from twelvetasks import TaskSession


async def report(base_url: str | None) -> None:
    """Print each failed task as soon as it is known, then how many failed in each index."""
    failed: Counter[str | None] = Counter()
    async with TaskSession(base_url=base_url) as session:
        total = await session.tasks().count()
        async with session.tasks(status="failed", sort_by="updated_at") as stream:
            async for task in stream:
                failed[task.index_id] += 1
                print(describe(task))
    print(f"{failed.total()} of {total} tasks failed")
    for index_id, count in failed.most_common():
        print(f"{count:4} in index {index_id}")


def describe(task: twelvetasks.Task) -> str:
    """Give a task's line: whatever the platform left out is a dash."""
    when = task.updated_at.isoformat(" ", "seconds") if task.updated_at else "-"
    filename = task.system_metadata.filename if task.system_metadata else None
    return f"{when}  {task.id}  {filename or '-'}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "base_url",
        nargs="?",
        help="another address of the API, such as a proxy's or a FakePlatform's",
    )
    try:
        asyncio.run(report(parser.parse_args().base_url))
    except twelvetasks.TwelveTasksError as error:
        sys.exit(f"script.py: {error}")
