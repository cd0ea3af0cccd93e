"""When a watch looks for what webhooks tell: without a socket, and without waiting."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest

from tests.watching.model import Account
from tests.watching.test_progress import account, begin, poll
from twelvetasks import BadRequestError, RateLimitedError, ServerError, SortBy, Task, TaskStatus
from twelvetasks.paging.reads import Read
from twelvetasks.watching import announcements as announced
from twelvetasks.watching.announcements import APART, Announced
from twelvetasks.watching.lookups import Lookup
from twelvetasks.watching.progress import Watching

READY, FAILED = TaskStatus.READY, TaskStatus.FAILED


def quiet(where: Account) -> Watching:
    """Give a watch that would wait as long as it does at the most."""
    watch = begin(where)
    for _ in range(10):
        poll(watch, where)
    assert watch.wait == 60
    return watch


def waits(watch: Watching, where: Account, count: int) -> list[float]:
    found = []
    for _ in range(count):
        found.append(watch.wait)
        poll(watch, where)
    return found


def test_a_change_that_shows_takes_one_look() -> None:
    where = account(30)
    watch = quiet(where)
    item = where.insert(TaskStatus.INDEXING)
    poll(watch, where)
    where.change_status(item, READY)
    watch.announce(item.state.id, READY)
    assert watch.wait == APART
    (change,) = poll(watch, where)
    assert change.task.status is READY
    assert watch.wait == 5


def test_a_change_that_does_not_show_yet_is_looked_for_until_it_does() -> None:
    where = account(30)
    watch = quiet(where)
    item = where.insert(TaskStatus.INDEXING)
    poll(watch, where)
    watch.announce(item.state.id, READY)
    assert waits(watch, where, 4) == [1, 1, 2, 4]
    assert watch.wait == 8
    where.change_status(item, READY)
    poll(watch, where)
    assert watch.wait == 5
    poll(watch, where)
    assert watch.wait == 7.5


def test_what_never_shows_is_left_to_the_watch_in_the_end() -> None:
    where = account(30)
    watch = quiet(where)
    watch.announce("elsewhere", READY)
    assert waits(watch, where, 9) == [1, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_task_that_polls_do_not_show_is_fetched_by_itself() -> None:
    """It was committed too late for any poll, or the listing does not have it yet."""
    where = account(30)
    watch = quiet(where)
    for updated in (2, where.now + 100):
        hidden = where.insert(READY)
        del where.items[hidden.state.id]
        hidden.state = attrs.evolve(hidden.state, updated=updated)
        watch.announce(hidden.state.id, READY)
        waits, changes = [], []
        for _ in range(8):
            waits.append(watch.wait)
            query, read = watch.next_read()
            is_alone = isinstance(read, Lookup)
            watch.receive(hidden.task() if is_alone else where.read(query, read))
            changes += [change.task for change in iter(watch.take, None)]
        is_known = updated > 2  # the other is older than the watch
        assert changes == [hidden.task()] * is_known
        assert waits[:4] == [1, 1, 0, 2]
        for _ in range(10):
            assert poll(watch, where) == []
    new = where.insert()
    assert [change.task for change in poll(watch, where)] == [new.task()]


def test_only_a_task_that_the_filters_admit_is_delivered() -> None:
    for filters, comes in (
        ({"index_id": "i"}, True),
        ({"index_id": "j"}, False),
        ({"width": 9}, False),
    ):
        where = account(0)
        watch = begin(where, **filters)
        watch.announce("t", READY)
        task = Task(id="t", index_id="i", status=READY, updated_at=datetime(2026, 1, 1, tzinfo=UTC))
        changes = []
        for _ in range(6):
            query, read = watch.next_read()
            watch.receive(task if isinstance(read, Lookup) else where.read(query, read))
            changes += [change.task for change in iter(watch.take, None)]
        assert changes == [task] * comes


def test_a_task_that_may_not_be_read_is_left_alone() -> None:
    where = account(30)
    watch = quiet(where)
    watch.announce("elsewhere", READY)
    poll(watch, where)
    watch.receive(where.read(*watch.next_read()))
    assert watch.next_read()[1] == Lookup("elsewhere", is_missing=False)
    assert watch.fail(BadRequestError("it is no id"))
    assert isinstance(watch.next_read()[1], Read)
    assert watch.wait == 2


def test_what_is_known_already_takes_one_look() -> None:
    where = account(30)
    item = where.insert(FAILED)
    watch = quiet(where)
    watch.announce(item.state.id, FAILED)
    assert waits(watch, where, 2) == [1, 60]


def test_an_older_look_does_not_count_for_a_newer_announcement() -> None:
    """The task was ready before, and is again: the poll under way cannot have seen that."""
    where = account(30)
    item = where.insert(READY)
    watch = quiet(where)
    where.change_status(item, FAILED)
    poll(watch, where)
    query, read = watch.next_read()
    page = where.read(query, read)
    watch.announce(item.state.id, READY)
    watch.announce(where.insert(READY).state.id, READY)
    where.change_status(item, READY)
    watch.receive(page)
    assert watch.wait == APART
    assert len(poll(watch, where)) == 2
    assert watch.wait == 5


def test_a_flood_is_one_look_each_second() -> None:
    where = account(30)
    watch = quiet(where)
    for _ in range(20):
        for number in range(50):
            watch.announce(f"elsewhere {number}", READY)
        assert watch.wait == APART
        poll(watch, where)


def test_a_short_interval_stays_short() -> None:
    where = account(30)
    watch = begin(where, min_interval=0.1, max_interval=0.5)
    watch.announce("elsewhere", READY)
    assert watch.wait <= 0.2
    for _ in range(9):
        poll(watch, where)
    assert watch.wait == 0.5


def test_a_failure_is_tried_again_sooner_but_a_rate_limit_is_respected() -> None:
    where = account(30)
    watch = quiet(where)
    watch.fail(ServerError("down"))
    assert watch.wait == 60
    watch.announce("a", READY)
    assert watch.wait == APART
    watch.fail(ServerError("down"))
    assert watch.wait == APART
    watch.fail(RateLimitedError("enough"))
    assert watch.wait == 60
    watch.announce("b", READY)
    assert watch.wait == 60
    limited = RateLimitedError("enough")
    limited.retry_after = 300.0
    watch.fail(limited)
    watch.announce("c", READY)
    assert watch.wait == 300


def test_it_does_not_hurry_what_is_under_way() -> None:
    where = account(30)
    watch = begin(where)
    watch.next_read()
    watch.announce("a", READY)
    poll(watch, where)
    assert watch.wait == APART


def test_hurry_does_not_pay_for_counting() -> None:
    """All tasks are listed again for the time that was rested, not for that which was cut short."""
    where = account(300)
    watch = begin(where, deletions=True)
    rested, counting = 0.0, 0
    for _ in range(2000):
        known = next(iter(where.states))
        watch.announce(known.id, known.status)
        rested += watch.wait
        query, read = watch.next_read()
        counting += query.sort_by is SortBy.CREATED_AT
        where.delete()
        where.insert()
        watch.receive(where.read(query, read))
        while watch.take() is not None:
            pass
    assert 10 < counting <= rested / 4 + 20


def test_a_rest_that_is_over_cannot_be_cut_short() -> None:
    where = account(30)
    watch = quiet(where)
    watch.receive(where.read(*watch.next_read()))
    rested = watch._rested
    watch.next_read()
    watch.announce("elsewhere", READY)
    assert watch._rested == rested


def test_only_so_many_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announced, "MOST", 3)
    sought = Announced()
    for number in range(10):
        sought.add(str(number), READY)
        sought.begin_poll()
    assert len(sought) == 3
