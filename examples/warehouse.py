"""Keep a table of all tasks in a DuckDB file up to date; each run adds what has changed since.

Rows and the checkpoint of the listing are written in one transaction, so a run that is interrupted
anywhere is simply run again. The API key is read from the environment variable TWELVE_LABS_API_KEY.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

import duckdb

import twelvetasks

SCHEMA = """
create table if not exists tasks (
    id text primary key, index_id text, status text,
    created_at timestamptz, updated_at timestamptz, task json
);
create table if not exists checkpoint (value text);
"""


async def sync(path: str, base_url: str | None) -> int:
    """Bring the table up to date, and give how many tasks were new or had changed."""
    changed = 0
    with duckdb.connect(path) as warehouse:
        warehouse.execute(SCHEMA)
        stored = warehouse.execute("select value from checkpoint").fetchone()
        async with twelvetasks.TaskSession(base_url=base_url) as session:
            # Oldest update first: what is updated later comes later, in this run or in the next.
            listing = session.tasks(
                sort_by="updated_at", sort_option="asc", resume=stored[0] if stored else None
            )
            async with listing.pages() as pages:
                async for page in pages:
                    write(warehouse, page.tasks, str(pages.checkpoint))
                    changed += len(page.tasks)
    return changed


def write(
    warehouse: duckdb.DuckDBPyConnection, tasks: tuple[twelvetasks.Task, ...], checkpoint: str
) -> None:
    """Write the tasks of a page and the place behind it, both or neither."""
    warehouse.begin()
    if tasks:
        warehouse.executemany("insert or replace into tasks values (?, ?, ?, ?, ?, ?)", [
            (task.id, task.index_id, task.status, task.created_at, task.updated_at,
             twelvetasks.to_json(task))
            for task in tasks
        ])  # fmt: skip
    warehouse.execute("delete from checkpoint")
    warehouse.execute("insert into checkpoint values (?)", [checkpoint])
    warehouse.commit()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="the DuckDB file; it is made if there is none")
    parser.add_argument(
        "base_url",
        nargs="?",
        help="another address of the API, such as a proxy's or a FakePlatform's",
    )
    arguments = parser.parse_args()
    try:
        print(f"{asyncio.run(sync(arguments.path, arguments.base_url))} tasks are new or changed")
    except twelvetasks.TwelveTasksError as error:
        sys.exit(f"warehouse.py: {error}. What was written stays; run it again to continue")
