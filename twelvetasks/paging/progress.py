"""The progress of one listing: which read to ask for next, and what to emit of what has come.

A stream asks it for reads, hands it the answers in whatever order they arrive, and takes from it
pages in the listing's order. `chain` proves that nothing is missing between two reads; here the
chain is made longer until it spans the listing, and once more from its head if items have moved
there meanwhile. Pure: no asyncio, no clock, no network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar

import attrs

from twelvetasks.paging.chain import Chain
from twelvetasks.paging.emitted import Emitted
from twelvetasks.paging.evidence import Totals
from twelvetasks.paging.links import Edge, Link
from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.page_checks import KeyedPage, contradiction
from twelvetasks.paging.passes import Pass
from twelvetasks.paging.reads import Read
from twelvetasks.paging.walk import Walk, in_order
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.errors import ListingDriftError, ResponseError, TwelveTasksError
from twelvetasks.values.models import Page, PageInfo
from twelvetasks.values.report import Consistency, ListingReport

__all__ = ["ListingProgress"]

ItemT = TypeVar("ItemT")

OVERLAP = 1
"""Items that two neighbouring reads are to share where no evidence is to be relied on."""

PATIENCE = 64
"""Answers in a row that join nothing, or passes over what was updated, before giving up."""

UNSEEN = 8
"""Items that may come and go between two answers without changing the total."""

BARREN = 3
"""Pages in a row that bring nothing new to a walk before giving up."""

MOST_ODDITIES = 10

ATTEMPTS = 3
"""Times a page is read while its items contradict its own `page_info`."""


class ListingProgress(Generic[ItemT]):
    """The progress of one listing through its pages."""

    def __init__(self, options: ListingOptions[ItemT]) -> None:
        query, max_items, place = options.query, options.max_items, options.resume
        self.finished: bool = max_items == 0
        """Whether everything has been taken."""
        self.stuck: TwelveTasksError | None = None
        """Set when it cannot be proven, however much more is read, that nothing is missing."""
        self._page_limit = min(query.page_limit, max_items or query.page_limit)
        self._wanted = max_items
        self._cut = max_items == 0
        self._query = query
        self._exact = options.exact
        self._precedes = query.precedes
        self._keys_change = query.sort_key.changes
        self._totals = Totals(trusted=not (options.exact or self._keys_change))
        self._chain = Chain(query, self._totals)
        self._emitted = Emitted(query)
        self._under_way: dict[Read, Link[ItemT]] = {}
        self._window = self._fruitless = self._barren = 0
        self._refused_after: float = math.inf
        self._requests = self._pages = self._bridges = 0
        self._lone: Link[ItemT] | None = None
        self._pass = Pass()
        self._resumed = place is not None
        self.malformed: int = 0
        """Items passed over because they could not be read."""
        self._oddities: dict[str, None] = {}
        self._doubtful: dict[Read, KeyedPage[ItemT]] = {}
        self._walk: Walk[ItemT] | None = None
        if place is not None:
            self._go_on_from(place)

    def _go_on_from(self, place: Checkpoint) -> None:
        if place.key is None:
            if place.since is not None:
                self._pass = Pass(number=1, floor=place.since)
            return
        self._emitted.go_on_from(place.key, place.ids)
        self._pass.first_key = place.since
        self._pass.is_resumed = True
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
        """How many items match, by the newest page received; None before the first."""
        return self._totals.latest

    @property
    def total_page(self) -> int | None:
        """How many pages they make, by the newest page received; None before the first."""
        total = self._totals.latest
        return None if total is None else -(-total // self._page_limit)

    @property
    def taken(self) -> int:
        """How many items have been taken."""
        return self._emitted.count

    @property
    def exhausted(self) -> bool:
        """Whether all that matches has been taken; False if `max_items` may have left some out."""
        return self.finished and not self._cut

    @property
    def head(self) -> Read | None:
        """The read whose answer is needed for anything more to be taken."""
        if self._walk is not None:
            return self._walk.head
        return self._chain.links[0].read if self._chain.links else None

    @property
    def report(self) -> ListingReport:
        """What has been done so far."""
        consistency = Consistency.REPAIRED if self._totals.changed else Consistency.QUIET
        if not self._totals.trusted:
            consistency = Consistency.EXACT
        if self._walk is not None:
            consistency = Consistency.UNPROVEN
        return ListingReport(
            requests=self._requests,
            pages=self._pages,
            bridges=self._bridges,
            duplicates=self._emitted.duplicates,
            late=self._emitted.late,
            malformed=self.malformed,
            consistency=consistency,
            oddities=tuple(self._oddities),
        )

    def checkpoint(self, unread: int = 0) -> Checkpoint:
        """Give the place after all items taken but the last `unread` of the newest page."""
        start = Checkpoint.start(self._query)
        if self._pass.number:
            return attrs.evolve(start, since=self._pass.floor)
        key, ids = self._emitted.place(unread)
        if key is None:
            return start
        edge = self._chain.edge
        rank = max(edge.rank - unread, 0) if edge is not None else 0
        since = self._pass.first_key if self._looks_back else None
        return attrs.evolve(start, key=key, ids=ids, rank=rank, since=since)

    # What to ask for

    def next_read(self, window: int) -> Read | None:
        """Give the read most needed, with at most `window` pages ahead of the reader; else None."""
        if self.finished or self.stuck is not None:
            return None
        if self._walk is not None:
            # Where pages begin to repeat themselves, those further on are hardly worth a request.
            walked = self._walk.next_read(1 if self._barren else window)
            self._requests += walked is not None
            return walked
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

    def _ask(self, link: Link[ItemT]) -> Read:
        self._lone = None if self._under_way else link
        self._under_way[link.read] = link
        self._requests += 1
        self._bridges += link.is_bridge
        link.asked = True
        return link.read

    def _next_link(self) -> Link[ItemT] | None:
        """Plan the read that follows the chain, if it is known that there is more."""
        edge = self._chain.edge
        if not self._chain.links:
            if edge is None:
                return Link(Read(1, self._page_limit)) if self._pass.last is None else None
            return None if self._pass_is_over() else self._after(edge)
        if self._totals.latest is None or self._pass.number or (edge and edge.answer is None):
            return None
        last = self._chain.links[-1]
        if last.page is None:
            return self._beside(last.read.end)
        return None if last.edge is None or last.edge.at_end else self._after(last.edge)

    def _after(self, edge: Edge) -> Link[ItemT] | None:
        """Plan the read that follows an edge, or straddles it if its place is no longer known."""
        total = edge.total if self._totals.latest is None else self._totals.latest
        if edge.target is not None or edge.rank >= min(edge.total, total):
            return Link(self._chain.bridge(edge, total), seeks=edge)
        return self._beside(edge.rank, shared=len(edge.ids))

    def _beside(self, end: int, *, shared: int = 1) -> Link[ItemT] | None:
        """Plan the page that follows the rank `end`: side by side, or overlapping if it has to be.

        `shared` is how many of the last items have the same key.
        """
        begun = self._chain.edge.rank if self._chain.edge is not None else 0
        if end >= (self._totals.latest or 0):
            return None
        if self._wanted is not None and end - begun >= self._wanted:
            return None
        if not self._totals.is_calm:
            overlap = shared + 1 if self._keys_change else OVERLAP
            return Link(self._chain.overlapping(end, overlap))
        side_by_side = end % self._page_limit == 0
        return Link(
            Read((end if side_by_side else end - 1) // self._page_limit + 1, self._page_limit)
        )

    def receive(self, read: Read, page: KeyedPage[ItemT]) -> None:
        """Take in the answer to a read. Raises ResponseError if it is torn once too often."""
        for oddity in page.oddities:
            self._note_oddity(oddity)
        if self._walk is not None:
            self._walk.receive(read, page)
            return
        link = self._under_way.pop(read)
        if page.doubt is not None:
            self._doubt(link, page, page.doubt)
            return
        if (fault := contradiction(page, self._query, read)) is not None:
            link.asked = False
            link.attempts += 1
            if link.attempts == ATTEMPTS:
                self._doubt(link, page, fault)
            return
        link.arrive(page, self._totals.note(page.total))
        self._chain.settle(page.total)
        self._fruitless += 1
        if self._fruitless >= PATIENCE + self._window:
            self._give_up()

    def _doubt(self, link: Link[ItemT], page: KeyedPage[ItemT], fault: ResponseError) -> None:
        """Take in a page that proves nothing: once all before it has been taken, walk on from it.

        Raises the fault if the listing is to be exact.
        """
        if self._exact:
            raise fault
        self._note_oddity(str(fault.located(advice="")))
        self._doubtful[link.read] = page
        link.asked = link.failed = True

    def _note_oddity(self, oddity: str) -> None:
        if len(self._oddities) < MOST_ODDITIES:
            self._oddities[oddity] = None

    def receive_nothing(self, read: Read) -> bool:
        """Take in that a page was refused: it may lie past the end by now.

        False if it cannot: pages were refused before, and an answer since then knew of more items.
        """
        if self._walk is not None:
            if not self._walk.is_beyond_the_end(read):
                return False
            self._walk.receive(read, KeyedPage(Page(), [], []))
            return True
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
        self.receive(read, KeyedPage(Page(page_info=page_info), [], []))
        self._refused_after = self._totals.answers
        return True

    def fail(self, read: Read) -> None:
        """Take in that a read has no answer: nothing beyond it will be asked for."""
        if self._walk is not None:
            self._walk.fail()
            return
        self._under_way.pop(read, None)
        for link in self._chain.links:
            link.failed |= link.read is read

    def _give_up(self) -> None:
        self.stuck = ListingDriftError(
            f"the account changes faster than its pages can be joined ({PATIENCE} reads in a row "
            "brought nothing new)",
            advice="All that was yielded is proven: go on with resume=error.checkpoint",
        )

    # What to emit

    def take(self) -> Page[ItemT] | None:
        """Give the next page in order, without items given before; None if it has not arrived."""
        if self._walk is not None:
            return self._walked(self._walk)
        while (link := self._chain.take()) is not None:
            if (page := self._new_in(link)) is not None:
                return page
        if self.head in self._doubtful:
            self._walk = self._begin_walk(self._chain.links[0].read)
            return self._walked(self._walk)
        if not self.finished and not self._chain.links and self._pass_is_over():
            self._end_pass()
        return None

    def _new_in(self, link: Link[ItemT]) -> Page[ItemT] | None:
        """Give what is new in a read that was taken; None if nothing is, but for the first page."""
        taken = link.content
        self._pass.take(link)
        ids, keys = taken.ids, taken.keys
        if (floor := self._pass.floor) is not None:
            keys = [key for key in keys if not self._precedes(floor, key)]
            ids = ids[: len(keys)]
        return self._emit(taken, ids, keys)

    def _begin_walk(self, read: Read) -> Walk[ItemT]:
        """Walk on from the first page that has not been taken whole."""
        edge = self._chain.edge
        number = 1 if edge is None else edge.rank // self._page_limit + 1
        walk: Walk[ItemT] = Walk(number, self._page_limit)
        if (read.page, read.page_limit) == (number, self._page_limit):
            walk.begin_with(self._doubtful[read])
        self._doubtful.clear()
        self._under_way.clear()
        self._chain.links.clear()
        return walk

    def _walked(self, walk: Walk[ItemT]) -> Page[ItemT] | None:
        """Give the next page of the walk, in the order it comes, without items given before."""
        while not self.finished and self.stuck is None and (taken := walk.take()) is not None:
            if walk.over and self._pages:
                break
            last = None if self._resumed else self._emitted.place()[0]
            keys = in_order(taken.keys, last, self._precedes)
            if (page := self._emit(taken, taken.ids, keys)) is not None:
                return page
            if self._pass.number:
                break
            if self._barren == BARREN:
                self.stuck = ResponseError(
                    f"{BARREN} pages in a row hold nothing that the pages before did not hold",
                    advice="The platform repeats itself; try again later",
                    page=walk.taken,
                )
        self.finished |= walk.over or bool(self._pass.number and self._barren)
        return None

    def _emit(
        self, taken: KeyedPage[ItemT], ids: list[str], keys: list[datetime]
    ) -> Page[ItemT] | None:
        """Give what is new of a page; None if nothing is, but for the first page."""
        kept = self._emitted.new(ids, keys, most=self._wanted)
        if self._wanted is not None:
            self._wanted -= len(kept)
            if not self._wanted:
                self.finished = True
                self._cut = not self._ends_with(kept, taken)
                self._chain.links.clear()
        self._fruitless = 0
        self._barren = 0 if kept else self._barren + 1
        if self._barren >= PATIENCE:
            self._give_up()
        if not kept and self._pages:
            return None
        self._pages += 1
        if len(kept) == len(taken.ids):
            return taken.page
        items = taken.page.items
        return attrs.evolve(taken.page, data=tuple(items[at] for at in kept))

    def _ends_with(self, kept: Sequence[int], taken: KeyedPage[ItemT]) -> bool:
        """Whether the last item kept is the last of the listing, by the page that holds it."""
        edge = self._chain.edge
        at_end = edge is not None and edge.at_end and kept[-1] == len(taken.ids) - 1
        return at_end and not self._looks_back

    def _check_count(self) -> None:
        """Refuse to end short of the total by more than unseen changes can explain."""
        edge = self._chain.edge
        if edge is None or self._pass.number or self._wanted is not None or self._resumed:
            return
        missing = edge.total - self._emitted.count
        if missing > self._totals.movement + UNSEEN * self._totals.answers:
            held = f"{self._emitted.count} different {self._query.resource.noun}"
            self.stuck = ResponseError(
                f"all pages together hold {held}, which total_results of {edge.total} contradicts",
                advice="The platform repeats itself; try again later",
            )

    # Items that moved meanwhile

    @property
    def _looks_back(self) -> bool:
        """Whether an item whose key changes moves to the head of the listing, read already."""
        return self._keys_change and not self._query.ascending

    def _pass_is_over(self) -> bool:
        """Whether all that was taken reaches the end of what is to be read in this pass."""
        edge, floor = self._chain.edge, self._pass.floor
        if edge is None:
            return self._pass.last is not None
        if self._pass.head_is_the_same or (floor is not None and self._precedes(floor, edge.key)):
            return True
        if not edge.at_end or edge.answer is None:
            return False
        if not self._query.ascending:
            return True
        if (self._totals.latest or 0) > edge.total:
            return False
        # An updated item moves to the tail: unless the tail was read last of all, look once more.
        if not self._keys_change or self._lone is self._pass.last:
            return True
        return self._chain.is_wide(edge) and self._barren > 1

    def _end_pass(self) -> None:
        """Finish, or read from the head again what was updated since this pass began there."""
        self._check_count()
        if not self._looks_back or self._pass.is_atomic or self._pass.first_key is None:
            self.finished = self.stuck is None
        elif self._pass.number == PATIENCE:
            self._give_up()
        else:
            self._pass = self._pass.next()
            self._chain.edge = None
            self._emitted.go_on_from(None, frozenset())
