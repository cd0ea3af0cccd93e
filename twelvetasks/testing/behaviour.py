"""The settings of a platform: those without an underscore may change while it serves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import attrs
from aiohttp import web

from twelvetasks.testing.limits import RateLimit
from twelvetasks.testing.uploads import MAX_FILESIZE


def clock_or_system(clock: Callable[[], datetime] | None) -> Callable[[], datetime]:
    """Return the clock given, by default the system's."""
    return clock or partial(datetime.now, UTC)


@attrs.define(kw_only=True, eq=False, slots=False, repr=False)
class Behaviour:
    """What a platform is created with; `FakePlatform` documents each."""

    _first_items: Mapping[str, Iterable[Mapping[str, Any]]] | None = attrs.field(
        default=None, alias="lists"
    )
    api_key: str = "tlk_demo"
    _rate_limit: RateLimit | None = attrs.field(default=None, alias="rate_limit")
    latency: float | Callable[[web.Request], float] = 0.0
    _clock: Callable[[], datetime] = attrs.field(
        default=None, alias="clock", converter=clock_or_system
    )
    past_end: Literal["empty", "error"] = "empty"
    empty_total_page: Literal[0, 1] = 1
    date_filter: Literal["since", "day"] = "since"
    index_ids: Collection[str] | None = None
    foreign_index_ids: Collection[str] = ()
    ready_deletion: Literal["allowed", "after_video"] = "allowed"
    _conforming: bool = attrs.field(default=False, alias="conforming")
    cross_origin: bool = False
    max_filesize: int = MAX_FILESIZE
    indexing_time: float | None = None
    _reads: Literal["atomic", "torn"] = attrs.field(default="atomic", alias="reads")
    _replicas: int = attrs.field(default=1, alias="replicas")
    _ties: Literal["stable", "unstable"] = attrs.field(default="stable", alias="ties")
    _commits: Literal["ordered", "late"] = attrs.field(default="ordered", alias="commits")
    _seed: int = attrs.field(default=0, alias="seed")
    _host: str = attrs.field(default="127.0.0.1", alias="host")
    _port: int = attrs.field(default=0, alias="port")

    def __repr__(self) -> str:
        names = [field.name for field in attrs.fields(Behaviour)]
        shown = [f"{one}={getattr(self, one)!r}" for one in names if not one.startswith("_")]
        return f"{type(self).__name__}({', '.join(shown)})"
