"""`GET /v1.3/tasks` as a service answers it that keeps its tasks in PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

import attrs
from aiohttp import web

from tests.databases.cluster import PRIMARY, REPLICA, Cluster, Connection

SESSIONS = 8

_SHOWN = r"""'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"""


@attrs.frozen(kw_only=True)
class Plan:
    """How the service asks its database."""

    statements: Literal[1, 2] = 1
    """Whether it counts and finds in one statement, so at one instant, or in two."""
    index: bool = True
    """Whether each time has an index; else every page is sorted anew."""
    lag: str | None = None
    """By how much a replica is behind that answers half of the reads; None for no replica."""
    precision: Literal["second", "milliseconds"] = "milliseconds"
    """How exact the times are."""


@attrs.define(eq=False)
class Endpoint:
    """The tasks of one database, in pages."""

    plan: Plan
    _primary: asyncio.Queue[Connection]
    _readers: list[asyncio.Queue[Connection]]
    """The primary's sessions and, if there is one, those of the replica."""
    url: str = ""
    requests: int = 0

    async def ask(self, statements: str) -> list[str]:
        """Ask the primary."""
        return await _ask(self._primary, statements)

    async def ids(self) -> set[str]:
        """Return the ids that every reader sees."""
        seen = [set(await _ask(reader, "SELECT id FROM tasks;")) for reader in self._readers]
        return set.intersection(*seen)

    async def fill(self, count: int) -> None:
        """Begin anew with so many tasks; six are created, and six updated, in a second."""
        await self.ask(
            f"""BEGIN;
            TRUNCATE tasks RESTART IDENTITY;
            INSERT INTO tasks (created_at, updated_at)
            SELECT {self.plan_time("now() - i / 6.0 * interval '1 second'")},
                   {self.plan_time("now() - (i * 7 % 1000) / 6.0 * interval '1 second'")}
            FROM generate_series({count}, 1, -1) AS i;
            COMMIT;
            ANALYZE tasks;"""
        )
        (end,) = await self.ask("SELECT pg_current_wal_lsn();")
        seen = f"SELECT coalesce(pg_last_wal_replay_lsn() >= '{end}', true);"
        for sessions in self._readers:
            while await _ask(sessions, seen) == ["f"]:  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.01)

    def plan_time(self, time: str) -> str:
        """Write an expression for a time as exact as the plan has it."""
        return f"date_trunc('{self.plan.precision}', {time})"

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one page."""
        self.requests += 1
        page, limit = int(request.query["page"]), int(request.query["page_limit"])
        by = {"created_at": "created_at", "updated_at": "updated_at"}[
            request.query.get("sort_by", "created_at")
        ]
        order = {"asc": "ASC", "desc": "DESC"}[request.query.get("sort_option", "desc")]
        reader = random.choice(self._readers)
        count = "SELECT count(*) FROM tasks"
        found = f"""SELECT coalesce(json_agg(found), '[]')::text FROM (
            SELECT id AS _id, status, to_char(created_at, {_SHOWN}) AS created_at,
                   to_char(updated_at, {_SHOWN}) AS updated_at
            FROM tasks ORDER BY tasks.{by} {order} LIMIT {limit} OFFSET {(page - 1) * limit}
        ) AS found"""
        if self.plan.statements == 1:
            statements = f"SELECT ({count}), translate(({found}), E'\\n', ' ');"
            ((total, data),) = (row.split("|", 1) for row in await _ask(reader, statements))
        else:
            total, data = await _ask(reader, f"{count}; SELECT translate(({found}), E'\\n', ' ');")
        info = {
            "page": page,
            "limit_per_page": limit,
            "total_page": -(-int(total) // limit),
            "total_results": int(total),
        }
        return web.json_response({"data": json.loads(data), "page_info": info})


async def _ask(sessions: asyncio.Queue[Connection], statements: str) -> list[str]:
    """Ask in a session that is free."""
    connection = await sessions.get()
    try:
        return await connection.ask(statements)
    finally:
        sessions.put_nowait(connection)


@asynccontextmanager
async def serving(cluster: Cluster, plan: Plan) -> AsyncIterator[Endpoint]:
    """Serve the tasks of a database that is made for it."""
    async with AsyncExitStack() as opened:
        ports = [PRIMARY]
        if plan.lag is not None:
            opened.enter_context(cluster.replicated(plan.lag))
            ports.append(REPLICA)
        readers: list[asyncio.Queue[Connection]] = []
        for port in ports:
            sessions: asyncio.Queue[Connection] = asyncio.Queue()
            for _ in range(SESSIONS):
                connection = await opened.enter_async_context(cluster.connected(port))
                await connection.ask("SET timezone = 'UTC';")
                sessions.put_nowait(connection)
            readers.append(sessions)
        endpoint = Endpoint(plan, readers[0], readers)
        await endpoint.ask(
            """DROP TABLE IF EXISTS tasks;
            CREATE TABLE tasks (
                n serial PRIMARY KEY,
                id text NOT NULL DEFAULT substr(md5(random()::text), 1, 24),
                created_at timestamptz NOT NULL,
                updated_at timestamptz NOT NULL,
                status text NOT NULL DEFAULT 'ready'
            );"""
        )
        if plan.index:
            await endpoint.ask(
                "CREATE INDEX ON tasks (created_at); CREATE INDEX ON tasks (updated_at);"
            )
        app = web.Application()
        app.router.add_get("/v1.3/tasks", endpoint.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        opened.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        endpoint.url = f"http://{host}:{port}/v1.3"
        yield endpoint
