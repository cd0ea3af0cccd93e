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
from twelvetasks.paging.contradictions import Contradictions
from twelvetasks.paging.emitted import Emitted
from twelvetasks.paging.links import Edge, Link
from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.page_checks import KeyedPage, Oddities
from twelvetasks.paging.passes import Pass
from twelvetasks.paging.patience import CONTINUE, PATIENCE, given_up
from twelvetasks.paging.planning import Planner
from twelvetasks.paging.reads import Read
from twelvetasks.paging.sealing import Sealing
from twelvetasks.paging.stamps import Stamps
from twelvetasks.paging.totals import Calm, Totals
from twelvetasks.paging.walk import Walk
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.errors import ResponseError, TwelveTasksError
from twelvetasks.values.models import Page, PageInfo
from twelvetasks.values.report import Consistency, ListingReport

ItemT = TypeVar("ItemT")

BARREN = 3
"""Pages in a row that bring nothing new to a walk before giving up."""


class ListingProgress(Generic[ItemT]):
    """The progress of one listing through its pages."""

    def __init__(self, options: ListingOptions[ItemT], calm: Calm | None = None) -> None:
        query, max_items, place = options.query, options.most_to_read, options.resume
        self.finished: bool = max_items == 0
        """Whether everything has been taken."""
        self.stuck: TwelveTasksError | None = None
        """Set when it cannot be proven, however much more is read, that nothing is missing."""
        self._page_limit = min(query.page_limit, max_items or query.page_limit)
        self._wanted = max_items
        self._cut = max_items == 0
        self._query = query
        self._exact = options.exact
        self._keys_change = query.sort_key.changes
        self._totals = Totals(calm)
        stamps = Stamps(query)
        if options.exact or (place is not None and place.key is not None):
            # What was taken before a checkpoint lies before any stamp.
            stamps.fail()
        self._chain = Chain(query, totals=self._totals, stamps=stamps, exact=options.exact)
        self._sealing = Sealing(query, stamps, self._chain, self._totals, options.last_key)
        self._planner = Planner(query, self._page_limit, self._chain, self._totals, self._sealing)
        self._emitted = Emitted(query)
        self._under_way: dict[Read, Link[ItemT]] = {}
        self._window = self._fruitless = self._barren = self._moment = self._last_answer = 0
        self._refused_after: float = math.inf
        self._requests = self._pages = self._bridges = self._unreadable = 0
        self._contradictions = Contradictions(query, self._totals)
        self._lone: Link[ItemT] | None = None
        self._pass = Pass()
        self._resumed = place is not None
        self.malformed: int = 0
        """Items passed over because they could not be read."""
        self._oddities = Oddities()
        self._doubtful: dict[Read, KeyedPage[ItemT]] = {}
        self._has_to_walk = False
        self._walk: Walk[ItemT] | None = None
        if place is not None:
            self._go_on_from(place)

    def _go_on_from(self, place: Checkpoint) -> None:
        if place.key is None:
            if place.since is not None:
                self._pass = Pass(number=1, floor=place.since, seen=place.seen)
                self._emitted.go_on_from(None, place.seen)
            return
        self._emitted.go_on_from(place.key, place.ids | place.seen)
        self._pass.next_floor, self._pass.seen = place.since, place.seen
        self._pass.is_resumed = True
        self._chain.edge = Edge.remembered(place.key, place.ids, place.rank)

    @property
    def total_results(self) -> int | None:
        """How many items match, by the newest page received; None before the first."""
        return self._totals.latest

    @property
    def total_page(self) -> int | None:
        """How many pages they make, by the newest page received; None before the first."""
        return None if (total := self.total_results) is None else -(-total // self._page_limit)

    @property
    def taken(self) -> int:
        """How many items have been taken."""
        return self._emitted.count - self._unreadable

    @property
    def exhausted(self) -> bool:
        """Whether all that matches has been taken; False if `max_items` may have left some out."""
        return self.finished and not self._cut and not self._unreadable

    @property
    def head(self) -> Read | None:
        """The read whose answer is needed for anything more to be taken."""
        if self._walk is not None:
            return self._walk.head
        return self._chain.links[0].read if self._chain.links else None

    @property
    def consistency(self) -> Consistency:
        """How far what has been taken is proven."""
        if self._walk is not None or (self._looks_back and self._pass.is_untimed):
            return Consistency.UNPROVEN
        if self._exact or self._keys_change:
            return Consistency.EXACT
        return Consistency.REPAIRED if self._totals.changed else Consistency.QUIET

    @property
    def report(self) -> ListingReport:
        """What has been done so far."""
        return ListingReport(
            requests=self._requests,
            pages=self._pages,
            bridges=self._bridges,
            duplicates=self._emitted.duplicates,
            late=self._emitted.late,
            malformed=self.malformed,
            consistency=self.consistency,
            oddities=self._oddities.first,
        )

    def checkpoint(self, unread: int = 0) -> Checkpoint:
        """Return the place after all items taken but the last `unread` of the newest page."""
        unread += self._unreadable
        start = Checkpoint.start(self._query)
        if self._pass.number:
            return attrs.evolve(
                start, since=self._pass.floor, seen=self._pass.seen - self._emitted.last(unread)
            )
        key, ids = self._emitted.place(unread)
        if key is None:
            return start
        reached = self._walk or self._chain.edge
        rank = max(reached.rank - unread, 0) if reached is not None else 0
        place = attrs.evolve(start, key=key, ids=ids, rank=rank)
        if not self._looks_back:
            return place
        return attrs.evolve(
            place, since=self._pass.next_floor, seen=self._pass.seen - self._emitted.last(unread)
        )

    def next_read(self, window: int) -> Read | None:
        """Return the read needed most, with at most `window` pages ahead of the caller; or None."""
        if self.finished or self.stuck is not None:
            return None
        if self._walk is not None:
            # Where pages begin to repeat themselves, those further on are hardly worth a request.
            walked = self._walk.next_read(1 if self._barren else window)
            self._requests += walked is not None
            return walked
        self._window = max(window, self._window)
        ahead, failed = self._chain.settled_pages, False
        for link in self._chain.links[self._chain.settled :]:
            if failed := link.failed:
                # Nothing beyond it is of use, but what is before it may still need a seal.
                break
            if link.asked is None and link.may_be_asked:
                return self._ask(link)
            ahead += link.is_page
        failed |= ahead > 0 and self._chain.is_lost
        most = 1 if self._pass.is_again else self._sealing.most(window)
        planned = self._next_links() if ahead < most and not failed else []
        if self._sealing.is_due(more=bool(planned), is_long=self._is_long):
            self._requests += 1
            self._moment += 1
            return self._sealing.ask(self._moment)
        self._chain.links += planned
        return self._ask(planned[-1]) if planned else None

    def _ask(self, link: Link[ItemT]) -> Read:
        self._lone = None if self._under_way else link
        self._under_way[link.read] = link
        self._requests += 1
        self._bridges += link.is_bridge
        self._moment += 1
        self._sealing.waves.ask()
        link.asked = self._moment
        return link.read

    @property
    def _is_long(self) -> bool:
        """Whether stamps, which are not in use yet, would cost less than overlaps from here on."""
        in_use = self._sealing.side_by_side
        return not (in_use or self._pass.number) and self._planner.is_long(self._wanted)

    def _next_links(self) -> list[Link[ItemT]]:
        """Plan what follows the chain, if it is known that there is more."""
        edge = self._chain.edge
        if not self._chain.links:
            if edge is None:
                head = self._planner.head(again=self._pass.number > 0)
                return [head] if self._pass.last is None else []
            return [] if self._pass_is_over() else self._planner.after(edge, self._wanted)
        if self._totals.latest is None or self._pass.number or (edge and edge.answer is None):
            return []
        if self._chain.is_open_since(self._totals.jumped):
            # After a burst, the ranks that follow are not known until these are joined.
            return []
        last = self._chain.links[-1]
        if last.page is None:
            return self._planner.beside(last.read.end, last.asked or 0, self._wanted)
        if last.edge is None or last.edge.at_end:
            return []
        return self._planner.after(last.edge, self._wanted)

    def receive(self, read: Read, page: KeyedPage[ItemT]) -> None:
        """Take in the answer to a read. Raises ResponseError if it is torn once too often."""
        if read.stamp:
            self._moment += 1
            if page.doubt is None:
                self._sealing.receive(page, self._moment)
            else:
                self.fail(read)
            return
        self._oddities.note(*page.oddities)
        if self._walk is not None:
            self._walk.receive(read, page)
            return
        link = self._under_way.pop(read)
        if page.doubt is not None:
            self._doubt(link, page, page.doubt)
            return
        self._arrive(link, page)
        if (fault := self._contradictions.note(link)) is not None:
            self._give_in(fault)
        self._sealing.settle(self._totals.latest or 0)
        self._fruitless += not self._chain.gained(link)
        over = self._fruitless - PATIENCE
        if over >= self._window and over >= self._chain.pages:
            self._give_up()

    def _arrive(self, link: Link[ItemT], page: KeyedPage[ItemT]) -> None:
        self._moment += 1
        self._totals.note(page.total, self._moment, link.asked or 0)
        if self._totals.answers == 1:
            is_proven = self._exact or self._keys_change or self._chain.grows_at_its_end
            self._totals.trusted = not (is_proven or self._is_long)
        link.arrive(page, self._moment, self._totals.answers)
        if link.edge is not None:
            link.edge.at_end |= self._totals.trusted and link.edge.rank == page.total
        self._sealing.note(link, self._moment, is_long=self._is_long)

    def _doubt(self, link: Link[ItemT], page: KeyedPage[ItemT], fault: ResponseError) -> None:
        """Take in a page that proves nothing: once all before it has been taken, walk on from it.

        Raises the fault if the listing is to be exact.
        """
        if self._exact:
            raise fault
        self._oddities.note(str(fault.located(advice="")))
        self._doubtful[link.read] = page
        self.fail(link.read)

    def _give_in(self, fault: ResponseError) -> None:
        """Stop, or walk on without a proof, where the platform keeps to what cannot be."""
        if self._exact:
            self.stuck = fault
        else:
            self._oddities.note(str(fault.located(advice="")))
            self._has_to_walk = True

    def receive_nothing(self, read: Read) -> bool:
        """Take in that a page was refused: it may lie past the end by now.

        False if it cannot: pages were refused before, and an answer since then knew of more items.
        """
        if self._walk is not None:
            if not self._walk.is_beyond_the_end(read):
                return False
            self._walk.receive(read, KeyedPage.of_nothing(PageInfo()))
            return True
        total = self._totals.latest or 0
        if read.page == 1 or (self._refused_after < self._totals.answers and read.start < total):
            return False
        self.receive(read, KeyedPage.without_items(read, min(total, read.start)))
        self._refused_after = self._totals.answers
        return True

    def fail(self, read: Read) -> None:
        """Take in that a read has no answer: nothing beyond it will be asked for."""
        if self._sealing.fail(read, self._totals.latest or 0):
            return
        if self._walk is not None:
            self._walk.fail(read)
            return
        self._under_way.pop(read, None)
        for link in self._chain.links:
            link.failed |= link.read is read
        self._sealing.settle(self._totals.latest or 0)  # bridges may have waited for it

    def _give_up(self, *, is_untimed: bool = False) -> None:
        self.stuck = given_up(self._query, self._chain.edge, CONTINUE, is_untimed=is_untimed)

    def take(self) -> Page[ItemT] | None:
        """Return the next page in order, without items given before; None if it has not arrived."""
        if self._walk is not None:
            return self._walked(self._walk)
        while (link := self._chain.take()) is not None:
            if (page := self._new_in(link)) is not None:
                return page
        if self._has_to_walk or self.head in self._doubtful:
            self._walk = self._begin_walk()
            return self._walked(self._walk)
        if not self.finished and not self._chain.links and self._pass_is_over():
            self._end_pass()
        return None

    def _new_in(self, link: Link[ItemT]) -> Page[ItemT] | None:
        """Return what is new in a read that was taken; None if nothing is, except for page 1."""
        taken = link.content
        self._pass.take(link, self._chain.crowded_from, ascending=self._query.ascending)
        self._last_answer = max(self._last_answer, link.answered)
        ids, keys = taken.ids, taken.keys
        if (floor := self._pass.floor) is not None:
            keys = [key for key in keys if not self._query.precedes(floor, key)]
            ids = ids[: len(keys)]
        may_be_late = self._lone is link or self._pass.is_again
        if self._keys_change and self._query.ascending and may_be_late:
            # What was committed after a later stamp had been read comes now, out of order.
            keys = self._emitted.ordered(keys, resumed=self._resumed)
        return self._emit(taken, ids, keys)

    def _begin_walk(self) -> Walk[ItemT]:
        """Walk on from the first page that has not been taken whole."""
        edge = self._chain.edge
        number = 1 if edge is None else edge.rank // self._page_limit + 1
        walk: Walk[ItemT] = Walk(number, self._page_limit)
        for read, page in self._doubtful.items():
            if (read.page, read.page_limit) == (number, self._page_limit):
                walk.begin_with(page)
                break
        self._doubtful.clear()
        self._under_way.clear()
        self._chain.clear()
        return walk

    def _walked(self, walk: Walk[ItemT]) -> Page[ItemT] | None:
        """Return the next page of the walk, in the order it comes, without items given before."""
        while not self.finished and self.stuck is None and (taken := walk.take()) is not None:
            if walk.over and self._pages:
                break
            keys = self._emitted.ordered(taken.keys, resumed=self._resumed)
            if (page := self._emit(taken, taken.ids, keys)) is not None:
                return page
            if self._pass.number:
                break
            if self._barren == BARREN:
                self.stuck = walk.repeats_itself(BARREN)
        self.finished |= walk.over or bool(self._pass.number and self._barren)
        return None

    def _emit(
        self, taken: KeyedPage[ItemT], ids: list[str], keys: list[datetime]
    ) -> Page[ItemT] | None:
        """Return what is new of a page; None if nothing is, but for the first page."""
        kept = self._emitted.new(ids, keys, most=self._wanted)
        if self._wanted is not None:
            self._wanted -= len(kept)
            if not self._wanted:
                self.finished = True
                self._cut = not self._ends_with(kept, taken)
                self._chain.clear()
        self._fruitless = 0
        self._contradictions.forget()
        self._barren = 0 if kept else self._barren + 1
        if self._barren >= PATIENCE and not (self._pass.number or self._pass.is_again):
            self._give_up()
        if not kept and self._pages:
            return None
        self._pages += 1
        self._unreadable = len(kept)  # unless what follows raises no error
        page = taken.whole()
        self._unreadable = 0
        if len(kept) == len(taken.ids):
            return page
        return attrs.evolve(page, data=tuple(page.items[at] for at in kept))

    def _ends_with(self, kept: Sequence[int], taken: KeyedPage[ItemT]) -> bool:
        """Whether the last item kept is the last of the listing, by the page that holds it."""
        edge = self._chain.edge
        at_end = edge is not None and edge.at_end and kept[-1] == len(taken.ids) - 1
        return at_end and not self._looks_back

    def _check_count(self) -> None:
        """Refuse to end short of the total by more than unseen changes can explain."""
        edge = self._chain.edge
        if edge is not None and self._wanted is None and not self._resumed:
            self.stuck = self._contradictions.of_count(
                self._emitted.count, edge.total, relied_on_ties=self._chain.relied_on_ties
            )

    @property
    def _looks_back(self) -> bool:
        """Whether an item whose key changes moves to the head of the listing, read already."""
        return self._keys_change and not self._query.ascending

    def _pass_is_over(self) -> bool:
        """Whether all that was taken reaches the end of what is to be read in this pass."""
        return self._pass.reaches_its_end(
            self._chain.edge, self._query, self._totals.latest or 0, self._is_newest
        )

    def _is_newest(self, last: Link[ItemT]) -> bool:
        """Whether nothing that moved to the tail can have missed the read that was taken last."""
        return self._lone is last or self._unchanged_since(last.asked or 0)

    def _unchanged_since(self, moment: int) -> bool:
        """Whether nothing changed from a moment until all that was taken had arrived."""
        return self._sealing.stamps.unchanged(moment, self._last_answer)

    def _end_pass(self) -> None:
        """Finish, or read from the head again what was updated since this pass began there."""
        first = self._chain.crowded_from
        if first is not None and self._window > 1 and not self._pass.is_again:
            self._chain.edge = self._pass.again_from(first)
            return
        is_last = not self._looks_back or self._pass.is_atomic
        is_last |= self._pass.next_floor is None and not self._exact
        if is_last or self._unchanged_since(self._pass.began):
            self._check_count()
            self.finished = self.stuck is None
        elif self._pass.number == PATIENCE or self._pass.is_untimed:
            self._give_up(is_untimed=self._pass.is_untimed)
        else:
            self._pass = self._pass.next(is_barren=self._barren >= self._pass.taken)
            self._chain.edge = None
            self._emitted.go_on_from(None, frozenset())
