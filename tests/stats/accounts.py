"""Accounts for the tests of the statistics: any tasks there could be, and one that means harm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from twelvetasks import SystemMetadata, Task, TaskStatus
from twelvetasks.conversion.convert import structure
from twelvetasks.testing.demo import demo_tasks

NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)

HOSTILE = (
    "</script></title></style><script>document.title='owned'</script>\"'><img src=//x onerror=x>&"
)
"""Markup for a page, quotes for an attribute, and an address that nobody may ask."""


def demo(count: int) -> list[Task]:
    """Give the tasks of the demo account."""
    return [structure(each, Task) for each in demo_tasks(count)]


def ready(seconds: float, *, at: datetime = NEW_YEAR, **fields: object) -> Task:
    """Make a task that was created at a time, and ready so many seconds later."""
    return task("ready", created_at=at, updated_at=at + timedelta(seconds=seconds), **fields)


def task(status: str | None, **fields: object) -> Task:
    known = TaskStatus(status) if status in set(TaskStatus) else status
    return Task(**{"id": "1", "index_id": "i", "status": known} | fields)  # type: ignore[arg-type]


moments = st.builds(
    lambda since, offset: (NEW_YEAR + since).astimezone(timezone(timedelta(hours=offset))),
    st.timedeltas(timedelta(days=-30), timedelta(days=60))
    | st.timedeltas(timedelta(days=-739_000), timedelta(days=2_900_000)),
    st.integers(-12, 14),
)
tasks = st.builds(
    Task,
    id=st.sampled_from("abcdef"),
    index_id=st.sampled_from([None, "", "one", "two", HOSTILE]),
    status=st.sampled_from([None, "", "paused", HOSTILE, *TaskStatus]) | st.just(TaskStatus.READY),
    created_at=st.none() | moments,
    updated_at=st.none() | moments,
    system_metadata=st.none()
    | st.builds(SystemMetadata, filename=st.none() | st.text(max_size=8) | st.just(HOSTILE)),
)
