"""A poll finds where its pages join in a listing that has moved between two of its reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import count, product
from random import Random

import attrs
import pytest

from tests.watching.model import EPOCH
from twelvetasks import ListingDriftError, PageInfo, Task, TaskPage, TaskQuery, TaskStatus
from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.reads import Read
from twelvetasks.values.tasks import TASKS
from twelvetasks.watching.poll import Poll

QUERY = TaskQuery(sort_by="updated_at", sort_option="desc")

Row = tuple[int, str]
"""The time of a task's last update, and its id."""


def page(rows: list[Row], read: Read) -> KeyedPage[Task]:
    tasks = tuple(
        Task(
            id=id,
            created_at=EPOCH,
            updated_at=EPOCH + timedelta(seconds=time),
            status=TaskStatus.READY,
        )
        for time, id in rows[read.start : read.end]  # noqa: A001
    )
    info = PageInfo(
        page=read.page,
        limit_per_page=read.page_limit,
        total_page=-(-len(rows) // read.page_limit),
        total_results=len(rows),
    )
    return KeyedPage.of(TaskPage(data=tasks, page_info=info), QUERY)


def reads_to_the_end(before: list[Row], first: int, after: list[Row]) -> int:
    """Poll the first rows of one listing, the others of another; give the number of reads."""
    poll = Poll(QUERY, first, EPOCH - timedelta(days=1), 5.0)
    poll.receive(page(before, poll.read))
    while not poll.is_over:
        poll.receive(page(after, poll.read))
    lasting = set(before) & set(after)
    assert lasting <= {(round((key - EPOCH).total_seconds()), task.id) for key, task in poll.tasks}
    return poll.reads


def tied(time: int, count: int) -> list[Row]:
    return [(time, f"{time}-{place}") for place in range(count)]


@pytest.mark.parametrize(("largest", "widths"), [(9, range(1, 13)), (50, (2, 40))])
def test_wherever_tasks_of_one_time_have_moved_a_poll_joins_its_pages(
    monkeypatch: pytest.MonkeyPatch, largest: int, widths: Iterable[int]
) -> None:
    monkeypatch.setattr(TaskQuery, "resource", attrs.evolve(TASKS, max_page_limit=largest))
    rows = [(1000 - place, f"n{place}") for place in range(2 * largest)]
    for width, newer, gone, older in product(widths, range(2 * largest), (0, 1), (0, largest)):
        # One task changes after the first read, so that fewer share the time than that showed.
        ties = [(500, f"t{place}") for place in range(width)]
        before = [(900, "a"), *ties, *((100 - place, f"z{place}") for place in range(older))]
        after = [*rows[:newer], *(row for row in before if row not in ties[:gone])]
        reads = reads_to_the_end(before, min(width + 1, largest), after)
        assert reads < 20, (width, newer, gone, older)


def poll_in_any_order(order: Callable[[Read], object]) -> tuple[list[Row], Poll]:
    """Poll a list in which 60 tasks share a time, ordered by a seed that may depend on the read."""
    rows = [(900, "a"), *((500, f"t{place}") for place in range(60)), (100, "z")]
    poll = Poll(QUERY, 50, EPOCH - timedelta(days=1), 5.0)
    while not poll.is_over:
        ordered = rows[1:-1]
        Random(str(order(poll.read))).shuffle(ordered)
        poll.receive(page([rows[0], *ordered, rows[-1]], poll.read))
    return rows, poll


def test_a_poll_may_miss_tasks_of_one_time_that_each_page_size_orders_differently() -> None:
    """What no poll can notice: the guide says so."""
    rows, poll = poll_in_any_order(lambda read: read.page_limit)
    seen = {task.id for _, task in poll.tasks}
    assert {"a", "z"} < seen < {id for _, id in rows}  # noqa: A001


def test_a_poll_gives_up_where_each_answer_orders_tasks_of_one_time_anew() -> None:
    answers = count()
    with pytest.raises(ListingDriftError, match=r"have the same updated_at.*differently"):
        poll_in_any_order(lambda _: next(answers))
    assert next(answers) < 200
