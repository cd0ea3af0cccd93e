"""The progress of one listing: which read to ask for next, and what to yield of what has come.

Pure: no asyncio, no clock, no network. `TaskStream` asks it for reads, hands it what came back in
whatever order it came, and takes from it pages in the listing's order. That nothing is missing
between two reads is the business of `chain`; here the chain is made longer until it spans the
listing, and once more where tasks have moved behind the reader.
"""

from __future__ import annotations

import math
import operator
from datetime import datetime

import attrs

from twelvetasks.chain import Chain, Edge, Link
from twelvetasks.checkpoint import Checkpoint
from twelvetasks.errors import ListingDriftError, ResponseError, TwelveTasksError
from twelvetasks.evidence import Totals
from twelvetasks.models import PageInfo, SortBy, SortOption, Task, TaskPage
from twelvetasks.query import TaskQuery
from twelvetasks.reads import Read, straddling
from twelvetasks.report import Consistency, ListingReport
from twelvetasks.trust import sort_keys
from twelvetasks.yielded import Yielded

__all__ = ["Paging"]

OVERLAP = 1
"""Tasks that two neighbouring reads are to share where no evidence is to be relied on."""

PATIENCE = 64
"""Answers in a row that join nothing, or passes over what was updated, before giving up."""

UNSEEN = 8
"""Tasks that may come and go between two answers without changing the total."""

ATTEMPTS = 3
"""Times a page is read while its tasks contradict its own `page_info`."""


class Paging:
    """The progress of one listing through its pages."""

    def __init__(
        self,
        query: TaskQuery,
        *,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | None = None,
    ) -> None:
        self.finished = max_items == 0
        """Whether everything has been taken."""
        self.stuck: TwelveTasksError | None = None
        """Set when it cannot be proven, however much more is read, that nothing is missing."""
        self._page_limit = min(query.page_limit, max_items or query.page_limit)
        self._wanted = max_items
        self._query = query
        self._ascending = query.sort_option is SortOption.ASC
        self._precedes = operator.lt if self._ascending else operator.gt
        self._keys_change = query.sort_by is SortBy.UPDATED_AT
        self._totals = Totals(trusted=not (exact or self._keys_change))
        self._chain = Chain(self._precedes, self._totals, keys_change=self._keys_change)
        self._yielded = Yielded(self._precedes, keeps_all=self._keys_change)
        self._under_way: dict[Read, Link] = {}
        self._window = self._fruitless = self._barren = 0
        self._refused_after: float = math.inf
        self._requests = self._pages = self._bridges = 0
        self._passes = 0
        self._head: list[tuple[str, datetime]] = []
        self._begin_pass()
        self._floor: datetime | None = None
        self._must_look_again = False
        self._resumed = resume is not None
        self._place = Checkpoint.start(query)
        self._given: tuple[Task, ...] = ()
        self._given_keys: list[datetime] = []
        if resume is not None:
            self._go_on_from(resume)

    def _begin_pass(self) -> None:
        self._chain.edge = None
        self._taken = 0
        self._last_taken: Link | None = None
        self._lone: Link | None = None
        self._first_key: datetime | None = None
        self._head_is_the_same = False

    def _go_on_from(self, place: Checkpoint) -> None:
        self._place = place
        if place.key is None:
            self._floor = place.since
            self._passes = int(place.since is not None)
            return
        self._yielded.remember(place.key, place.ids)
        self._first_key = place.since
        self._must_look_again = place.since is not None
        self._chain.edge = Edge(
            key=place.key,
            ids=place.ids,
            rank=place.rank,
            total=place.rank + 1,
            answer=None,
            target=place.rank - 1,
        )

    @property
    def total_results(self) -> int | None:
        """How many tasks match, by the newest page received; None before the first."""
        return self._totals.latest

    @property
    def total_page(self) -> int | None:
        """How many pages they make, by the newest page received; None before the first."""
        total = self._totals.latest
        return None if total is None else -(-total // self._page_limit)

    @property
    def head(self) -> Read | None:
        """The read whose answer is needed for anything more to be taken."""
        return self._chain.links[0].read if self._chain.links else None

    @property
    def report(self) -> ListingReport:
        """What has been done so far."""
        consistency = Consistency.REPAIRED if self._totals.changed else Consistency.QUIET
        return ListingReport(
            requests=self._requests,
            pages=self._pages,
            bridges=self._bridges,
            duplicates=self._yielded.duplicates,
            late=self._yielded.late,
            consistency=consistency if self._totals.trusted else Consistency.EXACT,
        )

    def checkpoint(self, unread: int = 0) -> Checkpoint:
        """Give the place after all tasks taken but the last `unread` of the newest page."""
        read = len(self._given) - unread
        if self._passes:
            return Checkpoint(query=self._place.query, since=self._floor)
        if not read:
            return self._place
        key = self._given_keys[read - 1]
        shared = {
            task.id
            for task, own in zip(self._given[:read], self._given_keys[:read], strict=True)
            if own == key
        }
        edge = self._chain.edge
        behind = edge.rank if edge is not None else 0
        return attrs.evolve(
            self._place,
            key=key,
            ids=frozenset(shared | self._place.ids if key == self._place.key else shared),
            rank=max(behind - unread, 0),
            since=self._first_key if self._looks_back else None,
        )

    # What to ask for

    def next_read(self, window: int) -> Read | None:
        """Give the read most needed, with at most `window` pages ahead of the reader; else None."""
        if self.finished or self.stuck is not None:
            return None
        self._window = max(window, self._window)
        ahead = 0
        for link in self._chain.links:
            if link.failed:
                return None
            if not link.asked:
                return self._ask(link)
            ahead += not link.is_bridge
        if ahead >= window or (planned := self._next_link()) is None:
            return None
        self._chain.links.append(planned)
        return self._ask(planned)

    def _ask(self, link: Link) -> Read:
        self._lone = None if self._under_way else link
        self._under_way[link.read] = link
        self._requests += 1
        self._bridges += link.is_bridge
        link.asked = True
        return link.read

    def _next_link(self) -> Link | None:
        """Plan the read behind the chain, if it is known that there is more."""
        edge = self._chain.edge
        if not self._chain.links:
            if edge is None:
                return None if self._taken else Link(Read(1, self._page_limit))
            return None if self._pass_is_over() else self._after(edge)
        if self._totals.latest is None or self._passes or (edge and edge.answer is None):
            return None
        last = self._chain.links[-1]
        if last.page is None:
            return self._beside(last.read.end)
        return None if last.edge is None or last.edge.at_end else self._after(last.edge)

    def _after(self, edge: Edge) -> Link | None:
        """Plan the read that follows an edge, or straddles it if its place is no longer known."""
        total = self._totals.latest or 0
        if edge.target is not None or edge.rank >= min(edge.total, total):
            return Link(edge.bridge(total), seeks=edge)
        return self._beside(edge.rank, shared=len(edge.ids))

    def _beside(self, end: int, *, shared: int = 1) -> Link | None:
        """Plan the page behind the rank `end`: side by side, or overlapping if it has to be.

        `shared` is how many of the last tasks have the same key.
        """
        begun = self._chain.edge.rank if self._chain.edge is not None else 0
        if end >= (self._totals.latest or 0):
            return None
        if self._wanted is not None and end - begun >= self._wanted:
            return None
        if not self._totals.is_calm:
            overlap = shared + 1 if self._keys_change else 1
            return Link(straddling(max(end - overlap, 0), beyond=end))
        side_by_side = end % self._page_limit == 0
        return Link(
            Read((end if side_by_side else end - 1) // self._page_limit + 1, self._page_limit)
        )

    # What has come

    def receive(self, read: Read, page: TaskPage) -> None:
        """Take in the answer to a read. Raises ResponseError if it goes on to be torn."""
        link = self._under_way.pop(read)
        keys = sort_keys(page, self._query)
        total = page.page_info.total_results
        if len(keys) != min(max(total - read.start, 0), read.page_limit):
            self._ask_again(link, len(keys), total)
            return
        link.arrive(page, keys, self._totals.note(total))
        self._chain.settle(total)
        self._fruitless += 1
        if self._fruitless >= PATIENCE + self._window:
            self._give_up()

    def receive_nothing(self, read: Read) -> bool:
        """Take in that a page was refused: it may lie past the end by now.

        False if it cannot: pages were refused before, and an answer since then knew of more tasks.
        """
        total = self._totals.latest or 0
        if read.page == 1 or (self._refused_after < self._totals.answers and read.start < total):
            return False
        total = min(total, read.start)
        page_info = PageInfo(
            page=read.page,
            limit_per_page=read.page_limit,
            total_page=-(-total // read.page_limit),
            total_results=total,
        )
        self.receive(read, TaskPage(page_info=page_info))
        self._refused_after = self._totals.answers
        return True

    def fail(self, read: Read) -> None:
        """Take in that a read has no answer: nothing beyond it will be asked for."""
        self._under_way.pop(read, None)
        for link in self._chain.links:
            link.failed |= link.read is read

    def _ask_again(self, link: Link, tasks: int, total: int) -> None:
        """Repeat a read that is torn: the platform may count and find at different instants."""
        link.asked = False
        link.attempts += 1
        if link.attempts == ATTEMPTS:
            raise ResponseError(
                f"the page holds {tasks} tasks, which its own total_results of {total} contradicts",
                advice="Nothing of it was used; try again later",
                page=link.read.page,
            )

    def _give_up(self) -> None:
        self.stuck = ListingDriftError(
            f"the account changes faster than its pages can be joined ({PATIENCE} reads in a row "
            "brought nothing new)",
            advice="All that was yielded is proven: go on with resume=error.checkpoint",
        )

    # What to yield

    def take(self) -> TaskPage | None:
        """Give the next page in order, without tasks given before; None if it has not arrived."""
        while (link := self._chain.take()) is not None:
            if (page := self._yield_from(link)) is not None:
                return page
        if self._taken and not self._chain.links and not self.finished and self._pass_is_over():
            self._end_pass()
        return None

    def _yield_from(self, link: Link) -> TaskPage | None:
        if link.page is None:
            raise AssertionError("a read was joined before it arrived")
        self._place = self.checkpoint()
        first = self._first_key is None and not self._passes
        if self._first_key is None and link.keys:
            self._first_key = link.keys[0]
        self._taken += 1
        self._last_taken = link
        if self._taken == 1 and self._looks_back:
            head = [(task.id, key) for task, key in zip(link.page.tasks, link.keys, strict=True)]
            self._head_is_the_same = self._passes > 0 and head == self._head
            self._head = head
        tasks, keys = link.page.tasks, link.keys
        if self._floor is not None:
            keys = [key for key in keys if not self._precedes(self._floor, key)]
            tasks = tasks[: len(keys)]
        self._given, self._given_keys = self._yielded.new(tasks, keys, most=self._wanted)
        if self._wanted is not None:
            self._wanted -= len(self._given)
            if not self._wanted:
                self.finished = True
                self._chain.links.clear()
        self._fruitless = 0
        self._barren = 0 if self._given else self._barren + 1
        if self._barren >= PATIENCE:
            self._give_up()
        if not self._given and not first:
            return None
        self._pages += 1
        return (
            link.page
            if self._given is link.page.tasks
            else attrs.evolve(link.page, data=self._given)
        )

    def _check_count(self) -> None:
        """Refuse to end short of the total by more than unseen changes can explain."""
        edge = self._chain.edge
        if edge is None or self._passes or self._wanted is not None or self._resumed:
            return
        missing = edge.total - self._yielded.count
        if missing > self._totals.movement + UNSEEN * self._totals.answers:
            self.stuck = ResponseError(
                f"all pages together hold {self._yielded.count} different tasks, "
                f"which total_results of {edge.total} contradicts",
                advice="The platform repeats itself; try again later",
            )

    # Tasks that moved meanwhile

    @property
    def _looks_back(self) -> bool:
        """Whether an updated task moves behind the reader: to the head of the listing."""
        return self._keys_change and not self._ascending

    def _pass_is_over(self) -> bool:
        """Whether all that was taken reaches the end of what is to be read in this pass."""
        edge = self._chain.edge
        if edge is None:
            return bool(self._taken)
        if self._floor is not None and self._precedes(self._floor, edge.key):
            return True
        if self._head_is_the_same:
            return True
        if not edge.at_end or edge.answer is None:
            return False
        if not self._ascending:
            return True
        if (self._totals.latest or 0) > edge.total:
            return False
        # An updated task moves to the tail: unless the tail was read last of all, look once more.
        if not self._keys_change or self._lone is self._last_taken:
            return True
        return edge.is_wide and self._barren > 1

    def _end_pass(self) -> None:
        """Finish, or read from the head again what was updated since this pass began there."""
        atomic = self._taken == 1 and not self._must_look_again
        self._check_count()
        if not self._looks_back or atomic or self._first_key is None:
            self.finished = self.stuck is None
            return
        if self._passes == PATIENCE:
            self._give_up()
            return
        self._must_look_again = False
        self._passes += 1
        self._floor = self._first_key
        self._yielded.remember(None, frozenset())
        self._begin_pass()
