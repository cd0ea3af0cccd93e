"""What a watch asks for, how long it waits, and what it makes of odd answers: without a socket."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any

import attrs
import pytest

from tests.watching.model import Account, Item, state_of
from twelvetasks import (
    AuthenticationError,
    BadRequestError,
    Checkpoint,
    InvalidArgumentError,
    ListingDriftError,
    NotFoundError,
    PageInfo,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    SessionClosedError,
    SortBy,
    Task,
    TaskPage,
    TaskQuery,
    TaskStatus,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.paging.reads import Read
from twelvetasks.watching import progress as watching
from twelvetasks.watching.lookups import Lookup
from twelvetasks.watching.plan import TaskChange, WatchPlan
from twelvetasks.watching.progress import Watching

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def plan(**options: Any) -> WatchPlan:
    names = {field.name for field in attrs.fields(WatchPlan)}
    settings = {name: options.pop(name) for name in names & options.keys()}
    return WatchPlan(query=TaskQuery(**options), **settings)


def account(count: int, *, ties: int = 1) -> Account:
    return Account(Random(0), count, ties=ties)


def begin(where: Account, **options: Any) -> Watching:
    """Give a watch that has made its first poll, and knows everything it is to know."""
    watch = Watching(plan(**options), random=lambda: 0.5)
    poll(watch, where)
    return watch


def poll(watch: Watching, where: Account) -> list[TaskChange]:
    """Poll once, count if need be, and take all changes."""
    polls, changes = watch.polls, []
    while watch.polls == polls:
        watch.receive(where.read(*watch.next_read()))
    while True:
        while (change := watch.take()) is not None:
            changes.append(change)
        query, read = watch.next_read()
        if query.sort_by is SortBy.UPDATED_AT and isinstance(read, Read):
            return changes
        watch.receive(where.read(query, read))


# What makes no watch


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"since": datetime(2025, 6, 1)}, "since="),  # noqa: DTZ001
        ({"since": "2025-06-01"}, "since="),
        ({"since": NOON, "resume": Checkpoint(query="watch")}, "since="),
        ({"updated_at": NOON}, "updated_at=.*since"),
        ({"deletions": "yes"}, "deletions='yes'"),
        ({"lateness": -1}, "lateness=-1"),
        ({"lateness": math.inf}, "lateness=inf"),
        ({"min_interval": 0}, "min_interval=0"),
        ({"min_interval": True}, "min_interval=True"),
        ({"max_interval": math.inf}, "max_interval=inf"),
        ({"max_interval": "60"}, "max_interval='60'"),
        ({"min_interval": 10, "max_interval": 9}, "max_interval=9"),
        ({"resume": "nonsense"}, "resume='nonsense'"),
        ({"resume": str(Checkpoint(query="watch")), "status": "ready"}, "resume=.*another listing"),
        ({"resume": Checkpoint.start(TaskQuery())}, "resume=.*another listing"),
    ],
)
def test_what_makes_no_watch_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgumentError, match=said):
        plan(**options)


def test_a_checkpoint_of_a_watch_resumes_no_listing() -> None:
    query = TaskQuery(sort_by="updated_at")
    with pytest.raises(ValueError, match="another listing"):
        Watching(WatchPlan(query=query)).checkpoint.check(query)


def test_a_change_is_one_of_a_task() -> None:
    with pytest.raises(AssertionError):
        _ = TaskChange(None, None).task


# What it begins with


def test_a_checkpoint_stored_before_the_first_poll_begins_anew() -> None:
    where = account(3)
    stored = str(Watching(plan()).checkpoint)
    assert poll(Watching(plan(resume=stored)), where) == []


def test_an_empty_account_is_a_beginning_too() -> None:
    where = account(0)
    watch = begin(where)
    item = where.insert()
    assert [change.task for change in poll(watch, where)] == [item.task()]
    resumed = Watching(plan(resume=str(begin(account(0)).checkpoint)))
    assert [change.task for change in poll(resumed, where)] == [item.task()]


@pytest.mark.parametrize("ties", [12, 49, 70, 200])
def test_tasks_that_share_the_newest_time_are_no_changes(ties: int) -> None:
    where = account(5)
    now = where.tick()
    where.tick = lambda: now  # type: ignore[method-assign]
    for _ in range(ties):
        where.insert()
    watch = begin(where)
    for _ in range(3):
        assert poll(watch, where) == []
    item = where.insert()
    assert [change.task for change in poll(watch, where)] == [item.task()]
    resumed = Watching(plan(resume=str(watch.checkpoint)))
    assert poll(resumed, where) == []


def test_since_takes_in_its_own_moment() -> None:
    where = account(9)
    since = state_of(where.read(plan().by_update, Read(1, 9)).tasks[4]).key
    changes = poll(Watching(plan(since=since)), where)
    assert changes[0].task.updated_at == since
    assert len(changes) == 5


def test_two_changes_of_one_task_under_one_time_are_told_apart_by_the_status() -> None:
    where = account(9)
    watch = begin(where)
    item = where.insert(TaskStatus.QUEUED)
    poll(watch, where)
    item.state = attrs.evolve(item.state, status=TaskStatus.READY)
    (change,) = poll(watch, where)
    assert change.before is not None
    assert (change.before.status, change.task.status) == ("queued", "ready")


def test_a_task_without_a_time_of_update_is_not_watched() -> None:
    where = account(4)
    watch = begin(where)
    query, read = watch.next_read()
    page = where.read(query, read)
    first = attrs.evolve(page.tasks[0], id="timeless", updated_at=None)
    info = attrs.evolve(page.page_info, total_results=5)
    watch.receive(TaskPage(data=(first, *page.tasks), page_info=info))
    assert watch.take() is None


# How it polls


def test_the_interval_grows_while_nothing_changes_and_shrinks_with_a_change() -> None:
    where = account(30)
    watch = begin(where, min_interval=2.0, max_interval=10.0)
    waits = [watch.wait]
    for _ in range(5):
        poll(watch, where)
        waits.append(watch.wait)
    assert waits == [3.0, 4.5, 6.75, 10.0, 10.0, 10.0]
    where.insert()
    poll(watch, where)
    assert watch.wait == 2.0


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 1.35), (1.0, 1.65)])
def test_intervals_vary_by_a_tenth(chance: float, wait: float) -> None:
    watch = Watching(plan(min_interval=1.0), random=lambda: chance)
    poll(watch, account(1))
    assert watch.wait == pytest.approx(wait)


@pytest.mark.parametrize("kind", [TransportError, ServerError, RateLimitedError])
def test_waits_grow_with_errors_and_the_read_stays_the_same(kind: type[ServerError]) -> None:
    watch = Watching(plan(min_interval=1.0, max_interval=6.0), random=lambda: 0.5)
    read = watch.next_read()
    waits = []
    for _ in range(4):
        watch.fail(kind("it fails"))
        waits.append(watch.wait)
        assert watch.next_read() == read
    assert waits == [2.0, 4.0, 6.0, 6.0]
    watch.receive(account(1).read(*watch.next_read()))
    assert watch.polls == 1


@pytest.mark.parametrize("kind", [RateLimitedError, ServerError, RequestTimeoutError])
def test_the_platform_may_ask_for_a_longer_wait(
    kind: type[RateLimitedError | ServerError | RequestTimeoutError],
) -> None:
    watch = Watching(plan(min_interval=1.0, max_interval=6.0))
    watch.next_read()
    watch.fail(kind("too many", retry_after=300.0))
    assert watch.wait == 300.0


@pytest.mark.parametrize(
    "kind",
    [
        *(AuthenticationError, BadRequestError, NotFoundError, ListingDriftError),
        *(SessionClosedError, partial(TransportError, lasting=True)),
    ],
)
def test_other_errors_end_it(kind: Callable[[str], TwelveTasksError]) -> None:
    watch = begin(account(3))
    watch.next_read()
    error = kind("it fails")
    with pytest.raises(type(error)) as caught:
        watch.fail(error)
    assert caught.value is error


def test_a_poll_expects_as_much_as_the_last_one_brought() -> None:
    where = account(200)
    watch = begin(where)
    for count, page_limit in ((30, 32), (0, 10), (100, 50), (0, 10)):
        for _ in range(count):
            where.insert()
        assert len(poll(watch, where)) == count
        assert the_read(watch).page_limit == page_limit


def test_changes_have_to_be_taken_before_more_is_read() -> None:
    where = account(3)
    watch = begin(where)
    where.insert()
    watch.receive(where.read(*watch.next_read()))
    with pytest.raises(AssertionError):
        watch.next_read()


def test_a_burst_between_two_reads_of_a_poll_is_stepped_over() -> None:
    where = account(300)
    watch = begin(where)
    for _ in range(40):
        where.insert()
    watch.receive(where.read(*watch.next_read()))
    for _ in range(400):
        where.insert()
    reads = 0
    while watch.polls < 2:
        watch.receive(where.read(*watch.next_read()))
        reads += 1
    assert reads < 40
    seen = len([*iter(watch.take, None)])
    assert seen == 40
    assert len(poll(watch, where)) == 400


# Odd answers


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_page_that_contradicts_its_total_is_used_for_what_it_holds(missing: int) -> None:
    """The platform counts at one instant and finds at another: a lagging total ends nothing."""
    where = account(5)
    watch = begin(where)

    def torn(lag: int) -> list[TaskChange]:
        page: TaskPage = where.read(*watch.next_read())
        info = attrs.evolve(page.page_info, total_results=len(where.items) + lag)
        watch.receive(attrs.evolve(page, data=page.tasks[missing:], page_info=info))
        assert watch.wait > 0
        return [*iter(watch.take, None)]

    for lag in (3, 3, 3, 3, 3, -2, -2, -2, -2):
        assert torn(lag) == []
    items = [where.insert() for _ in range(3)]
    shown = [item.task() for item in items]
    assert [change.task for change in torn(4)] == shown[: 3 - missing]
    assert [change.task for change in poll(watch, where)] == shown[3 - missing :]


def test_no_task_at_all_where_there_is_said_to_be_one_is_asked_for_again() -> None:
    where = account(5)
    watch = Watching(plan(), random=lambda: 0.5)
    for _ in range(5):
        page: TaskPage = where.read(*watch.next_read())
        watch.receive(attrs.evolve(page, data=()))
        assert watch.wait > 0
    assert poll(watch, where) == []
    item = where.insert()
    assert [change.task for change in poll(watch, where)] == [item.task()]


# What is committed late


def committed_late(where: Account, *, by: int) -> Item:
    """Give a new task with an older time than the newest."""
    item = where.insert()
    item.state = attrs.evolve(item.state, updated=where.now - by)
    return item


def test_what_is_committed_after_a_later_update_is_delivered() -> None:
    where = account(30)
    watch = begin(where)
    newest = where.insert()
    assert [change.task for change in poll(watch, where)] == [newest.task()]
    late = committed_late(where, by=3)
    resumed = Watching(plan(resume=str(watch.checkpoint)))
    for one in (watch, resumed):
        assert [change.task for change in poll(one, where)] == [late.task()]
        assert poll(one, where) == []
    again = Watching(plan(resume=str(watch.checkpoint)))
    assert poll(again, where) == []


def test_how_late_it_may_be_is_for_the_caller_to_say() -> None:
    where = account(30)
    watches = [begin(where), begin(where, lateness=0.0), begin(where, lateness=60.0)]
    for watch in watches:
        poll(watch, where)
    for _ in range(30):
        where.insert()
    for watch in watches:
        assert len(poll(watch, where)) == 30
        poll(watch, where)
    late = committed_late(where, by=18)
    assert [len(poll(watch, where)) for watch in watches] == [0, 0, 1]
    assert late.state.updated < where.now


def test_what_a_poll_happens_to_show_is_delivered_however_late() -> None:
    where = account(30)
    watch = begin(where, lateness=0.0)
    for _ in range(5):
        where.insert()
    assert len(poll(watch, where)) == 5
    late = committed_late(where, by=3)
    assert [change.task for change in poll(watch, where)] == [late.task()]
    assert poll(watch, where) == []


def test_an_older_state_of_a_database_that_lags_behind_is_no_change() -> None:
    where = account(30)
    watch = begin(where)
    item = where.insert(TaskStatus.QUEUED)
    poll(watch, where)
    before = item.state
    where.change_status(item, TaskStatus.READY)
    assert len(poll(watch, where)) == 1
    after, item.state = item.state, before
    resumed = Watching(plan(resume=str(watch.checkpoint)))
    for one in (watch, resumed):
        item.state = before
        assert poll(one, where) == []
        item.state = after
        assert poll(one, where) == []


def test_two_changes_in_one_second_are_delivered_once_each_across_a_restart() -> None:
    where = account(30)
    watch = begin(where)
    item = where.insert(TaskStatus.QUEUED)
    queued = item.state
    poll(watch, where)
    resumed = Watching(plan(resume=str(watch.checkpoint)))
    item.state = attrs.evolve(queued, status=TaskStatus.READY)
    (change,) = poll(resumed, where)
    assert change.task.status == "ready"
    again = Watching(plan(resume=str(resumed.checkpoint)))
    for state in (queued, item.state):
        item.state = state
        assert poll(again, where) == []


def test_a_checkpoint_without_states_knows_the_tasks_of_its_time() -> None:
    where = account(30)
    item = where.insert(TaskStatus.READY)
    place = Checkpoint(query="watch", key=item.state.key, ids=frozenset([item.state.id]))
    watch = Watching(plan(resume=place))
    assert poll(watch, where) == []
    assert watch.checkpoint.ids == place.ids
    new = where.insert()
    assert [change.task for change in poll(watch, where)] == [new.task()]


def test_a_page_that_is_refused_may_lie_past_the_end() -> None:
    where = account(100)
    watch = begin(where)
    for _ in range(60):
        where.insert()
    read = second_read(watch, where)
    watch.fail(BadRequestError("there is no such page"))
    assert the_read(watch).page == 1 < read.page
    assert len(poll(watch, where)) == 60


def test_a_page_that_goes_on_being_refused_ends_it() -> None:
    where = account(100)
    watch = begin(where)
    for _ in range(60):
        where.insert()
    for _ in range(2):
        second_read(watch, where)
        watch.fail(BadRequestError("there is no such page"))
    second_read(watch, where)
    with pytest.raises(BadRequestError):
        watch.fail(BadRequestError("there is no such page"))


def second_read(watch: Watching, where: Account) -> Read:
    while (read := the_read(watch)).page == 1:
        watch.receive(where.read(*watch.next_read()))
    return read


def the_read(watch: Watching) -> Read:
    """Give the next read, which is to be one of a page."""
    read = watch.next_read()[1]
    assert isinstance(read, Read)
    return read


def elsewhere(read: Read, moment: int) -> TaskPage:
    """Answer with the account of another moment each time: no two such pages can be joined."""
    moment = moment if read.page > 1 else 0
    tasks = [
        Task(
            id=f"{moment}-{place}",
            created_at=datetime(3000 - moment, 1, 1, tzinfo=UTC),
            updated_at=datetime(3000 - moment, 1, 1, tzinfo=UTC),
        )
        for place in range(read.page_limit)
    ]
    total = 100_000 + moment
    info = PageInfo(
        page=read.page,
        limit_per_page=read.page_limit,
        total_page=-(-total // read.page_limit),
        total_results=total,
    )
    return TaskPage(data=tuple(tasks), page_info=info)


def outrun(watch: Watching) -> None:
    for moment in range(500):
        watch.receive(elsewhere(the_read(watch), moment))


def test_an_account_that_outruns_the_poll_is_an_error_and_never_a_gap() -> None:
    watch = begin(account(3))
    with pytest.raises(ListingDriftError, match="continue with resume"):
        outrun(watch)
    assert watch.take() is None


# What it remembers


def test_a_watch_remembers_so_many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "REMEMBERED", 3)
    where = account(0)
    watch = begin(where)
    items = [where.insert() for _ in range(4)]
    poll(watch, where)
    for item in (items[1], items[0]):
        where.change_status(item)
    known, forgotten = poll(watch, where)
    assert known.before is not None
    assert forgotten.before is None


def test_leaving_the_status_filter_is_a_change_if_the_task_was_seen_in_it() -> None:
    where = account(30)
    seen, unseen = where.insert(TaskStatus.READY), where.insert(TaskStatus.READY)
    for _ in range(20):
        where.insert(TaskStatus.QUEUED)
    where.change_status(seen, TaskStatus.READY)
    for deletions in (False, True):
        watch = begin(where, status="ready", deletions=deletions)
        where.change_status(seen, TaskStatus.FAILED)
        where.change_status(unseen, TaskStatus.FAILED)
        left = [change.task.id for change in poll(watch, where)]
        assert left == [seen.state.id, *([unseen.state.id] if deletions else [])]
        for item in (seen, unseen):
            where.change_status(item, TaskStatus.READY)
        where.change_status(seen, TaskStatus.READY)


# Deletions


def test_with_deletions_every_task_is_known_from_the_start() -> None:
    where = account(300)
    watch = begin(where, deletions=True)
    oldest = next(iter(where.items.values()))
    before = oldest.task()
    where.change_status(oldest)
    assert poll(watch, where) == [TaskChange(before, oldest.task())]


def test_deletions_come_after_the_changes_of_the_poll_that_noticed_them() -> None:
    where = account(300)
    watch = begin(where, deletions=True)
    items = list(where.items.values())
    doomed = [items[place] for place in (0, 120, 299)]
    for item in doomed:
        where.delete(item)
    new = where.insert()
    first, *gone = poll(watch, where)
    assert first.after == new.task()
    assert {change.before for change in gone} == {item.task() for item in doomed}
    assert all(change.after is None for change in gone)
    assert poll(watch, where) == []


def test_a_deletion_is_confirmed_by_one_request_before_it_is_delivered() -> None:
    """A database that lags behind may not show a task that is there."""
    where = account(30)
    watch = begin(where, deletions=True)
    items = list(where.items.values())
    hidden, gone = items[3], items[7]
    del where.items[hidden.state.id]
    where.delete(gone)
    looked_up: list[str] = []
    changes: list[TaskChange] = []
    for _ in range(12):
        query, read = watch.next_read()
        if isinstance(read, Lookup):
            looked_up.append(read.id)
            watch.receive(hidden.task() if read.id == hidden.state.id else None)
            where.items[hidden.state.id] = hidden
        else:
            watch.receive(where.read(query, read))
        changes += iter(watch.take, None)
    assert sorted(looked_up) == [hidden.state.id, gone.state.id]
    assert changes == [TaskChange(gone.task(), None)]


@pytest.mark.parametrize("lag", [-3, 3])
def test_a_total_that_lags_ends_no_count(lag: int) -> None:
    where = account(30)
    watch = Watching(plan(deletions=True), random=lambda: 0.5)

    def read_on(lag: int, reads: int) -> list[TaskChange]:
        changes: list[TaskChange] = []
        for _ in range(reads):
            query, read = watch.next_read()
            answer = where.read(query, read)
            if isinstance(read, Read):
                total = len(where.items) + lag
                info = attrs.evolve(answer.page_info, total_results=total)
                answer = attrs.evolve(answer, page_info=info)
            watch.receive(answer)
            changes += iter(watch.take, None)
        return changes

    assert read_on(lag, 40) == []
    read_on(0, 40)
    gone = where.items[next(iter(where.items))]
    where.delete(gone)
    assert read_on(0, 40) == [TaskChange(gone.task(), None)]


def test_without_deletions_nothing_is_listed_and_nothing_is_said_of_them() -> None:
    where = account(300)
    watch = begin(where)
    where.delete()
    assert poll(watch, where) == []


def test_counting_at_most_doubles_the_requests() -> None:
    """With a deletion before every poll, a listing of 21 reads comes every 21 intervals."""
    where = account(990)
    watch = begin(where, deletions=True, min_interval=1.0, max_interval=1.0)
    requests = {SortBy.CREATED_AT: 0, SortBy.UPDATED_AT: 0}
    delivered = 0
    deleted = 0
    while watch.polls < 200:
        query, read = watch.next_read()
        requests[query.sort_by] += isinstance(read, Read)
        if query.sort_by is SortBy.UPDATED_AT and isinstance(read, Read):
            where.delete()
            deleted += 1
        watch.receive(where.read(query, read))
        delivered += len([*iter(watch.take, None)])
    assert requests[SortBy.CREATED_AT] <= requests[SortBy.UPDATED_AT] + 21
    assert deleted - 30 < delivered <= deleted


def test_what_the_platform_shows_late_is_delivered_late() -> None:
    where = account(100)
    watch = begin(where, deletions=True)
    late = where.insert()
    late.state = attrs.evolve(late.state, updated=5)
    assert poll(watch, where) == [TaskChange(None, late.task())]
    assert poll(watch, where) == []


def counting(where: Account) -> Watching:
    """Give a watch that has seen that tasks are gone, and is to list them all."""
    watch = begin(where, deletions=True)
    for item in list(where.items.values())[:150]:
        where.delete(item)
    watch.receive(where.read(*watch.next_read()))
    assert watch.take() is None
    assert watch.next_read()[0].sort_by is SortBy.CREATED_AT
    return watch


def counted(watch: Watching, where: Account, *, reads: int = 40) -> int:
    """Go on for some reads, where pages past the end are refused; give how many are gone."""
    gone = 0
    while reads:
        query, read = watch.next_read()
        reads -= isinstance(read, Read)
        if isinstance(read, Read) and read.page > 1 and read.start >= len(where.items):
            watch.fail(BadRequestError("there is no such page"))
        else:
            watch.receive(where.read(query, read))
        gone += sum(change.after is None for change in iter(watch.take, None))
    return gone


def test_an_error_does_not_end_a_count() -> None:
    where = account(300)
    watch = counting(where)
    read = watch.next_read()
    watch.fail(ServerError("it fails"))
    assert watch.next_read() == read
    assert watch.wait > 0
    assert counted(watch, where) == 150


def test_tasks_deleted_during_a_count_may_leave_its_pages_past_the_end() -> None:
    where = account(300)
    watch = counting(where)
    watch.receive(where.read(*watch.next_read()))
    for item in list(where.items.values())[:140]:
        where.delete(item)
    assert counted(watch, where) == 290


@pytest.mark.parametrize("burst", [40, 60, 400])
def test_a_burst_between_two_reads_of_a_count_is_stepped_over(burst: int) -> None:
    where = account(300)
    watch = counting(where)
    watch.receive(where.read(*watch.next_read()))
    for _ in range(burst):
        where.insert()
    assert counted(watch, where, reads=80) == 150


def test_a_count_that_is_refused_ends_it() -> None:
    watch = counting(account(300))
    with pytest.raises(BadRequestError):
        watch.fail(BadRequestError("no"))


def test_a_count_that_cannot_be_proven_ends_it() -> None:
    watch = counting(account(300))
    with pytest.raises(ListingDriftError):
        outrun(watch)
