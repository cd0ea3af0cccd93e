"""The promise against a real database: nothing is lost in silence, and hardly anything refused.

Run by `nox -s nightly`. PostgreSQL answers the requests of a real session while other processes
write. Each test plays a twentieth of `--histories` listings, and prints what they lost and refused.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import attrs
import pytest

from tests.databases.cluster import Cluster, programs, running
from tests.databases.endpoint import Endpoint, Plan, serving
from twelvetasks import TaskSession, TwelveTasksError

COUNT = 1000


@attrs.frozen(kw_only=True)
class Row:
    """A database and its writers."""

    plan: Plan
    writes: tuple[str, ...] = ()
    rate: float = 40.0
    """Changes a second."""
    clients: int = 4


INSERT = "INSERT INTO tasks (created_at, updated_at) VALUES ({now}, {now});"
UPDATE = f"""\\set n random(1, {COUNT})
UPDATE tasks SET updated_at = {{now}}, status = 'indexing' WHERE n = :n;"""
DELETE = f"""\\set n random(1, {COUNT})
DELETE FROM tasks WHERE n = :n;"""
BULK = f"""\\set n random(1, {COUNT})
UPDATE tasks SET updated_at = {{now}} WHERE n BETWEEN :n AND :n + 30;"""


def together(*writes: str) -> str:
    """Give one transaction of these."""
    return "\n".join(("BEGIN;", *writes, "COMMIT;"))


def slowly(write: str) -> str:
    """Give a transaction that commits some time after its stamp."""
    return f"\\set pause random(1, 30)\nBEGIN;\n{write}\n\\sleep :pause ms\nCOMMIT;"


EVERYTHING = (INSERT, DELETE, UPDATE)
SECONDS = Plan(precision="second")

ROWS: dict[str, Row] = {
    "sort-whole-seconds-no-writer": Row(plan=Plan(precision="second", index=False)),
    "index-whole-seconds-no-writer": Row(plan=SECONDS),
    "index-whole-seconds-updates": Row(plan=SECONDS, writes=(UPDATE,)),
    "sort-whole-seconds-everything": Row(
        plan=Plan(precision="second", index=False), writes=EVERYTHING
    ),
    "one-statement-everything": Row(plan=Plan(), writes=EVERYTHING),
    "two-statements-inserts": Row(plan=Plan(statements=2), writes=(INSERT,), rate=150),
    "two-statements-everything": Row(
        plan=Plan(statements=2, precision="second"), writes=EVERYTHING, rate=150
    ),
    "two-statements-bulk-updates": Row(plan=Plan(statements=2), writes=(BULK,), rate=8),
    "swaps": Row(plan=Plan(), writes=(together(DELETE, INSERT),)),
    "late-commits": Row(
        plan=Plan(), writes=tuple(map(slowly, (INSERT, DELETE, UPDATE))), clients=16
    ),
    "replica": Row(plan=Plan(lag="40ms"), writes=EVERYTHING),
}

MAY_BE_SHORT = {("updated_at", "replica")}
"""What the table of assumptions says may be lost."""

LISTINGS: dict[str, Mapping[str, Any]] = {
    "exact": {"exact": True},
    "updated_at": {"sort_by": "updated_at"},
    "default": {},
}


@attrs.define
class Outcome:
    """What some listings lost, and what they cost."""

    listings: int = 0
    lost: int = 0
    """Listings that were short, and did not say so."""
    refused: int = 0
    """Listings that ended with an error."""
    disordered: int = 0
    """Listings with a task twice, or out of order."""
    requests: int = 0
    seconds: float = 0.0
    errors: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        thousand = 1000 / self.listings
        return (
            f"of 1,000 listings {self.lost * thousand:.1f} lost in silence, "
            f"{self.refused * thousand:.1f} refused, {self.disordered * thousand:.1f} out of "
            f"order ({self.listings} played, {self.requests / self.listings:.1f} requests each, in "
            f"{self.seconds / self.listings:.2f} s)"
        )


async def list_once(endpoint: Endpoint, parameters: Mapping[str, Any], outcome: Outcome) -> None:
    """Play one listing of a new table."""
    await endpoint.fill(COUNT)
    before = await endpoint.ids()
    asked, began = endpoint.requests, time.monotonic()
    outcome.listings += 1
    try:
        async with TaskSession("tlk_tests", base_url=endpoint.url) as session:
            tasks = await session.tasks(**parameters)
    except TwelveTasksError as error:
        outcome.refused += 1
        outcome.errors.append(f"{parameters['sort_option']}, {error}")
        return
    finally:
        outcome.requests += endpoint.requests - asked
        outcome.seconds += time.monotonic() - began
    ids = [task.id for task in tasks]
    # Ids never come again, so what is there before and after was there throughout.
    outcome.lost += not (before & await endpoint.ids()) <= set(ids)
    is_sorted = parameters.get("sort_by") == "updated_at" or all(
        (first.created_at >= second.created_at) == (parameters["sort_option"] == "desc")
        or first.created_at == second.created_at
        for first, second in pairwise(tasks)
        if first.created_at is not None and second.created_at is not None
    )
    outcome.disordered += len(set(ids)) < len(ids) or not is_sorted


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL's initdb, pg_ctl, psql and pgbench are not installed")
    with running(found) as started:
        yield started


async def play(cluster: Cluster, row: Row, parameters: Mapping[str, Any], listings: int) -> Outcome:
    """List time and again while the writers write."""
    outcome = Outcome()
    async with serving(cluster, row.plan) as endpoint:
        now = endpoint.plan_time("now()")
        await endpoint.fill(COUNT)
        scripts = [write.format(now=now) for write in row.writes]
        async with cluster.written(scripts, clients=row.clients, rate=row.rate):
            for number in range(listings):
                sort_option = ("desc", "asc")[number % 2]
                await list_once(endpoint, {**parameters, "sort_option": sort_option}, outcome)
    return outcome


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("listing", LISTINGS)
async def test_nothing_is_lost_in_silence(
    cluster: Cluster, row: str, listing: str, histories: int, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = await play(cluster, ROWS[row], LISTINGS[listing], max(histories // 20, 2))
    with capsys.disabled():
        print(f"\n{row}, {listing}: {outcome}")
        for error in outcome.errors[:3]:
            print(f"  refused: {error}")
    assert outcome.disordered == 0
    if listing != "default":
        assert outcome.lost == 0 or (listing, row) in MAY_BE_SHORT
        assert outcome.refused * 500 <= outcome.listings, outcome.errors
