"""Exactly once, in order, in a table too: histories of changing accounts, read as rows.

The histories are those of `tests/paging`, a tenth of them: here each page is JSON, stays rows, and
becomes columns.
"""

from __future__ import annotations

from random import Random
from typing import Any

import attrs
import msgspec
import pytest

from tests.paging.histories import Outcome, Setting, drive, judged, modes, modes_of_each_list
from tests.paging.model import Account
from twelvetasks import SortBy
from twelvetasks.conversion.convert import converters, to_json
from twelvetasks.conversion.row_queries import as_rows
from twelvetasks.frames.columns import batch_of
from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.page_checks import KeyedPage, check_page
from twelvetasks.paging.progress import ListingProgress
from twelvetasks.paging.reads import Read

pytestmark = pytest.mark.no_cover

EXACT = [*modes(*SortBy), *modes_of_each_list()]


class AsRows(Account):
    """An account whose pages come as JSON and stay rows."""

    def read(self, read: Read) -> KeyedPage[Any]:
        query = as_rows(self.query_of(read))
        body = to_json(super().read(read).whole()).encode()
        page = converters().read_page(body, query.resource.page, page=read.page)
        assert all(isinstance(item, msgspec.Struct) for item in page.items)
        return check_page(KeyedPage.of(page, query), query, read)


def opened(random: Random, count: int, setting: Setting) -> Account:
    return AsRows(random, count, ties=setting.ties, query=setting.query)


def in_columns(*, exact: bool) -> Any:
    def listed(account: Account, random: Random, setting: Setting) -> Outcome:
        query = setting.query
        progress = ListingProgress[Any](ListingOptions(query=as_rows(query), exact=exact))
        rows = [row for page in drive(progress, account, random, setting) for row in page.items]
        table: list[dict[str, Any]] = batch_of(query.resource.item, rows).to_pylist()
        items = [Listed(row["id"], row["created_at"], row.get("updated_at")) for row in table]
        return items, progress.report

    return listed


@attrs.frozen
class Listed:
    """What a table says of an item."""

    id: str
    created_at: Any
    updated_at: Any


@pytest.mark.parametrize("mode", EXACT, ids=str)
def test_an_exact_table_loses_repeats_and_disorders_nothing(mode: Setting, histories: int) -> None:
    assert play(mode, histories // 50 + 2, exact=True) == {}


@pytest.mark.parametrize("mode", modes(SortBy.UPDATED_AT), ids=str)
def test_nor_does_one_by_updated_at_without_exact(mode: Setting, histories: int) -> None:
    assert play(mode, histories // 50 + 2, exact=False) == {}


def play(mode: Setting, histories: int, *, exact: bool) -> dict[int, Any]:
    """Give the histories that came out wrong, by their seeds."""
    wrong = {}
    for seed in range(histories):
        rate = Random(seed).choice((0.0, 0.1, 0.5, 1.0, 2.0))
        setting = attrs.evolve(mode, rate=rate)
        verdict = judged(setting, seed, in_columns(exact=exact), opened=opened)
        if not verdict.is_right:
            wrong[seed] = verdict
    return wrong
