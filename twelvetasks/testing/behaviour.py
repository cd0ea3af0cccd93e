"""The settings of a platform that a test may change while it serves."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

import attrs
from aiohttp import web

from twelvetasks.testing.filters import DateFilter
from twelvetasks.testing.uploads import MAX_FILESIZE


@attrs.define(kw_only=True, eq=False, slots=False)
class Behaviour:
    """What a test may set while the platform serves; `FakePlatform` documents each."""

    api_key: str = "tlk_demo"
    latency: float | Callable[[web.Request], float] = 0.0
    past_end: Literal["empty", "error"] = "empty"
    empty_total_page: Literal[0, 1] = 1
    date_filter: DateFilter = "since"
    index_ids: Collection[str] | None = None
    foreign_index_ids: Collection[str] = ()
    ready_deletion: Literal["allowed", "after_video"] = "allowed"
    max_filesize: int = MAX_FILESIZE
    indexing_time: float | None = None
    cross_origin: bool = False
