"""What must be true of a page before it can prove anything, and what is derived if it is not there.

A page is well formed when it gets here; this decides whether it can be an answer to the request. A
listing with ``exact=True`` and a watch refuse a page that cannot. Any other listing uses it, and
says what is odd about it. Pure.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import attrs

from twelvetasks.paging.reads import Read
from twelvetasks.values.errors import REPORT_IT, ResponseError
from twelvetasks.values.malformed import Malformed
from twelvetasks.values.models import Page, PageInfo
from twelvetasks.values.query import ListQuery

ItemT = TypeVar("ItemT")

COUNTS = ("page", "limit_per_page", "total_page", "total_results")
"""What `page_info` holds. The specification requires none of it."""

LATENESS = timedelta(seconds=5)
"""By how much the key of what is committed may be older than the newest key that was read."""

NO_TIME = datetime.min.replace(tzinfo=UTC)


@attrs.frozen(eq=False)
class KeyedPage(Generic[ItemT]):
    """A page with all that the engine needs to know of its items: their ids and sort keys.

    The items themselves may be anything: the list's `Resource` reads their ids and keys.
    """

    page_info: PageInfo
    ids: list[str]
    """The ids of the items, in order."""
    keys: list[datetime]
    """The times that the items are sorted by, in order."""
    whole: Callable[[], Page[ItemT]]
    """Returns the page itself. Called when it is handed out, for it may have to be made first."""
    oddities: tuple[str, ...] = ()
    """What is not as the API's reference has it, but could be derived."""
    doubt: ResponseError | None = None
    """Why nothing can be proven with this page; None if it is as it has to be."""

    @classmethod
    def of(cls, page: Page[ItemT], query: ListQuery[ItemT]) -> KeyedPage[ItemT]:
        """Read the ids and the keys.

        An item without its time counts as if it shared its neighbour's: no field but the id is
        declared as required. The key of a row is text, which has been checked.
        """
        items = page.items
        read_key, id_of = query.sort_key.read, query.resource.id_of
        if Malformed in set(map(type, items)):
            read_key, id_of = _without_malformed(read_key), _by_content(id_of)
        given: list[Any] = list(map(read_key, items))
        if None in given:
            key = next((key for key in given if key is not None), NO_TIME)
            given = [key := key if own is None else own for own in given]
        if given and type(given[-1]) is str:
            given = list(map(datetime.fromisoformat, given))
        return cls(page.page_info, list(map(id_of, items)), given, lambda: page)

    @classmethod
    def without_items(cls, read: Read, total: int) -> KeyedPage[ItemT]:
        """Make the page that a read past the end is taken to have been answered with."""
        page_info = PageInfo(
            page=read.page,
            limit_per_page=read.page_limit,
            total_page=-(-total // read.page_limit),
            total_results=total,
        )
        return cls.of_nothing(page_info)

    @classmethod
    def of_nothing(cls, page_info: PageInfo) -> KeyedPage[ItemT]:
        """Make a page that holds no items."""
        return cls(page_info, [], [], lambda: Page(page_info=page_info))

    @property
    def total(self) -> int:
        """How many items the platform says there are; 0 if it does not say."""
        return self.page_info.total_results or 0

    @property
    def is_wide(self) -> bool:
        """Whether its keys are so far apart that what enters now lies beyond one of its ends."""
        return bool(self.keys) and abs(self.keys[0] - self.keys[-1]) > LATENESS


def check_page(page: KeyedPage[ItemT], query: ListQuery[Any], read: Read) -> KeyedPage[ItemT]:
    """Return the page with what is odd about it.

    Raises ResponseError, with `json_path`, for a page that cannot be what was asked for.
    """
    keyed = examine_page(page, query, read)
    if keyed.doubt is not None:
        raise keyed.doubt
    info, noun = page.page_info, query.resource.noun
    if info.limit_per_page not in (None, read.page_limit):
        fault = f"page {read.page} of {info.limit_per_page} is not what was asked"
        raise _fault(read, "$.page_info", fault)
    pages = -(-keyed.total // read.page_limit)
    if keyed.total and info.total_page not in (None, pages):
        fault = f"{keyed.total} {noun} do not make {info.total_page} pages"
        raise _fault(read, "$.page_info", fault)
    return keyed


def examine_page(page: KeyedPage[ItemT], query: ListQuery[Any], read: Read) -> KeyedPage[ItemT]:
    """Return the page with what is odd about it, and with what makes it doubtful."""
    found = _doubt(page, query, read)
    doubt = None if found is None else _fault(read, *found)
    oddities = tuple(_oddities(page, read))
    return attrs.evolve(page, oddities=oddities, doubt=doubt) if oddities or doubt else page


def _doubt(page: KeyedPage[Any], query: ListQuery[Any], read: Read) -> tuple[str, str] | None:
    """Return the place and the words of the first fault that makes a page prove nothing."""
    info, noun = page.page_info, query.resource.noun
    ids, keys = page.ids, page.keys
    if info.total_results is None:
        return "$.page_info.total_results", "it is missing, or no number"
    if info.page not in (None, read.page):
        return "$.page_info", f"page {info.page} is not what was asked"
    if len(ids) > read.page_limit:
        return "$.data", f"{len(ids)} {noun} are more than were asked for"
    if len(set(ids)) != len(ids):
        return "$.data", f"one of the {noun} is there twice"
    if keys != sorted(keys, reverse=not query.ascending):
        order = f"{query.sort_key.name} {'asc' if query.ascending else 'desc'}"
        return "$.data", f"the {noun} are not sorted by {order}"
    return None


def _oddities(page: KeyedPage[Any], read: Read) -> Iterator[str]:
    """Say what is missing or wrong in `page_info` but follows from the rest."""
    info = page.page_info
    end = read.start + len(page.ids)
    if page.ids and info.total_results is not None and end > info.total_results:
        yield f"total_results is {info.total_results}, where there are {end}"
    if info.page is None:
        yield "page_info has no page"
    if info.limit_per_page != read.page_limit:
        yield f"limit_per_page is {info.limit_per_page}, not the {read.page_limit} asked for"
    if info.total_results and info.total_page != -(-info.total_results // read.page_limit):
        yield f"total_page is {info.total_page}, with a total_results of {info.total_results}"
    for name, value in info.extra.items():
        if name in COUNTS:
            yield f"{name} is {reprlib.repr(value)}, which is no whole number"


class Oddities:
    """The first different oddities of the pages of a listing."""

    MOST = 10

    def __init__(self) -> None:
        self._found: dict[str, None] = {}

    @property
    def first(self) -> tuple[str, ...]:
        """What was odd, in the order in which it was found."""
        return tuple(self._found)

    def note(self, *oddities: str) -> None:
        """Remember these, as long as there are few."""
        for oddity in oddities:
            if len(self._found) < self.MOST:
                self._found[oddity] = None


def _fault(read: Read, path: str, words: str) -> ResponseError:
    return ResponseError(
        f"the answer is not one to the request, at {path}: {words}",
        advice=REPORT_IT,
        page=read.page,
        json_path=path,
    )


def _without_malformed(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda item: None if isinstance(item, Malformed) else read(item)


def _by_content(id_of: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda item: item.id if isinstance(item, Malformed) else id_of(item)


def contradiction(
    page: KeyedPage[ItemT], query: ListQuery[ItemT], read: Read
) -> ResponseError | None:
    """Return the error of a *torn* page, which its own `page_info` contradicts; else None.

    The platform may count and find at different instants, so the read is worth repeating.
    """
    items, total = len(page.ids), page.total
    if items == min(max(total - read.start, 0), read.page_limit):
        return None
    return ResponseError(
        f"the page holds {items} {query.resource.noun}, "
        f"which its own total_results of {total} contradicts",
        advice="Nothing of it was used; try again later",
        page=read.page,
    )
