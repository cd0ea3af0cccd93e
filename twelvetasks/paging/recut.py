"""The last reads of a quiet listing overlap: here their items are put into whole pages. Pure."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

import attrs

from twelvetasks.paging.links import Edge, Link
from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.reads import Read
from twelvetasks.values.models import Page, PageInfo

ItemT = TypeVar("ItemT")

Item = tuple[Link[ItemT], int]
"""A read, and the place of an item in it."""


def in_whole_pages(
    links: list[Link[ItemT]], edge: Edge | None, page_limit: int
) -> list[Link[ItemT]]:
    """Return what the reads hold after an edge, in pages of `page_limit`.

    If they do not all show the same list, return them as they are.
    """
    if edge is None or edge.rank % page_limit:
        return links
    rank, items = edge.rank, list[Item[ItemT]]()
    for link in links:
        at = edge.rank - link.read.start
        if not link.joined or link.edge is None or edge.total != link.content.total:
            return links
        ids, keys = link.content.ids, link.content.keys[: max(at, 0)]
        tied = {one for one, key in zip(ids, keys, strict=False) if key == edge.key}
        if tied != edge.ids or keys[-1] != edge.key or len(keys) < at:
            return links
        items += [(link, place) for place in range(at, len(ids))]
        edge = link.edge
    if not items:
        return links
    cut: list[Link[ItemT]] = []
    for first in range(0, len(items), page_limit):
        read = Read((rank + first) // page_limit + 1, page_limit)
        cut.append(_cut(read, items[first : first + page_limit]))
    if cut[-1].edge is not None:
        cut[-1].edge.at_end, cut[-1].edge.is_lost = edge.at_end, False
    return cut


def _cut(read: Read, items: list[Item[ItemT]]) -> Link[ItemT]:
    newest = items[-1][0]
    pages = -(-newest.content.total // read.page_limit)
    info = attrs.evolve(
        newest.content.page_info, page=read.page, limit_per_page=read.page_limit, total_page=pages
    )
    page = KeyedPage(
        info,
        [link.content.ids[place] for link, place in items],
        [link.content.keys[place] for link, place in items],
        partial(_page, info, items),
    )
    link = Link[ItemT](read, asked=min(one.asked or 0 for one, _ in items), joined=True)
    link.arrive(page, max(one.answered for one, _ in items), newest.arrival)
    return link


def _page(info: PageInfo, items: list[Item[ItemT]]) -> Page[ItemT]:
    # A read whose items are in two pages is structured for each: kept, it would stay in memory.
    whole = {link: link.content.whole() for link in dict.fromkeys(link for link, _ in items)}
    data = tuple(whole[link].items[place] for link, place in items)
    return attrs.evolve(whole[items[-1][0]], data=data, page_info=info)
