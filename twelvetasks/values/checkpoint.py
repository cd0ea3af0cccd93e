"""Checkpoints: the place in a listing after the last task that was yielded, as a small value.

The place is a sort key, not a page number: pages move while an account changes, keys do not. The
rank in it only says where to look first.
"""

from __future__ import annotations

import functools
import json
import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, Self

import attrs

from twelvetasks.values.display import excerpt
from twelvetasks.values.timestamps import parse_timestamp, utc_timestamp

if TYPE_CHECKING:
    from cattrs import Converter

VERSION = 1

_TOKEN = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)

_USUAL = (
    b"analyze/batches?analyze/tasks?embed/tasks?embed-v2/tasks?indexes//indexed-assets?watch&"
    b"created_at=updated_at=T00:00:00ZT00%3A00%3A00Zfilename=duration=index_id=status=failed&status="
    b'ready&status=processing&"since":"202,"since":null},"rank":0,"ids":["],"key":"202","key":null,'
    b'{"version":1,"query":"tasks?sort_by=updated_at&sort_option=asc'
    b'{"version":1,"query":"tasks?sort_by=created_at&sort_option=desc","key":"2025-'
)
"""What most checkpoints consist of, the most usual last: deflate refers to it from each token. If
it changes, earlier tokens can no longer be read, so `VERSION` has to change, too."""

LONGEST = 1 << 20
"""The most characters that are read from a token, because anybody may have sent it."""


State = tuple[str, datetime, str]
"""A state of a task: its id, its `updated_at` and its status, empty if it has none."""


class Identified(Protocol):
    """What a checkpoint can belong to: the query of a listing, or a watch."""

    @property
    def identity(self) -> str:
        """What decides which items come, and in which order."""
        ...


@attrs.frozen(kw_only=True)
class Checkpoint:
    """The position of a listing or a watch: pass it as `resume` to continue after the last item.

    ``str(checkpoint)`` is a line of JSON to be stored, and `token` is the same, short, for a URL;
    `Checkpoint.parse` reads both, and `resume` takes either. It holds no API key::

        async with session.tasks() as stream:
            await anext(stream)
            stored = str(stream.checkpoint)
        async for task in session.tasks(resume=stored):
            print(task.id)
    """

    query: str
    """The `identity` of the query it belongs to. Only the same listing or watch resumes it."""
    key: datetime | None = None
    """The sort key of the last task yielded; None before the first."""
    ids: frozenset[str] = frozenset()
    """The ids of the tasks yielded that have exactly this key."""
    rank: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    """How many tasks came before this position when it was last seen: where to look first."""
    since: datetime | None = None
    """With ``sort_by="updated_at"``: tasks updated from then on are checked again at the end.

    Of a watch: nothing that was updated before then is to be delivered."""
    seen: frozenset[str] = frozenset()
    """The ids of tasks updated from `since` on that were yielded at the beginning."""
    states: frozenset[State] = frozenset()
    """Of a watch: the states from `since` on that need not be delivered again."""

    @classmethod
    def start(cls, query: Identified) -> Self:
        """Return the checkpoint before the first task of a query.

        With it, a first run needs no special case::

            listing = session.tasks(sort_by="updated_at", sort_option="asc")
            stored = str(Checkpoint.start(listing.query))
        """
        return cls(query=query.identity)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str(checkpoint)`` or `token` gave. Raises ValueError for anything else."""
        try:
            fields = json.loads(_inflated(text) if _TOKEN.fullmatch(text) else text)
            if fields.pop("version") == VERSION:
                return _converter().structure(fields, cls)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError, zlib.error):
            pass
        raise ValueError(
            "it is not a checkpoint of this version of twelvetasks: "
            "store str(stream.checkpoint), or its token, and pass it unchanged"
        )

    @property
    def token(self) -> str:
        """``str(checkpoint)``, shortened, of letters, digits, ``-`` and ``_`` only.

        For the address of the next page of a web front end. It is neither secret nor signed::

            async with session.tasks(max_items=50) as stream:
                tasks = [task async for task in stream]
            link = None if stream.exhausted else f"/tasks?after={stream.checkpoint.token}"
        """
        deflate = zlib.compressobj(9, zdict=_USUAL)
        deflated = deflate.compress(str(self).encode()) + deflate.flush()
        return urlsafe_b64encode(deflated).rstrip(b"=").decode()

    def __str__(self) -> str:
        fields = {"version": VERSION} | _converter().unstructure(self)
        for name in ("seen", "states"):
            if not fields[name]:
                del fields[name]
        return json.dumps(fields, separators=(",", ":"))

    def check(self, query: Identified) -> None:
        """Raise ValueError unless the checkpoint belongs to this query.

        `TaskSession.tasks` does so with its `resume`; to know earlier, check it yourself::

            listing = session.tasks(status="failed")
            Checkpoint.start(listing.query).check(listing.query)
        """
        if self.query != query.identity:
            raise ValueError(
                f"the checkpoint belongs to another listing or watch ({excerpt(self.query)}), "
                f"not to this one ({excerpt(query.identity)})"
            )


@functools.cache
def _converter() -> Converter:
    from cattrs import Converter  # noqa: PLC0415 - slow to import, and many programs resume nothing

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _exactly)
    converter.register_structure_hook(int, _exactly)
    converter.register_structure_hook(datetime, lambda text, _: parse_timestamp(text))
    converter.register_unstructure_hook(datetime, utc_timestamp)
    # Without a hook any iterable of strings would do, a string among them.
    converter.register_structure_hook_func(lambda kind: kind == frozenset[str], _ids)
    converter.register_unstructure_hook_func(lambda kind: kind == frozenset[str], sorted)
    converter.register_structure_hook_func(lambda kind: kind == frozenset[State], _states)
    converter.register_unstructure_hook_func(
        lambda kind: kind == frozenset[State],
        lambda states: sorted([one[0], utc_timestamp(one[1]), one[2]] for one in states),
    )
    return converter


def _inflated(token: str) -> str:
    inflate = zlib.decompressobj(zdict=_USUAL)
    text = inflate.decompress(urlsafe_b64decode(token + "=" * (-len(token) % 4)), LONGEST)
    if not inflate.eof or inflate.unused_data:
        raise ValueError("it is cut, or too long")
    return text.decode()


def _exactly(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, not {value!r}")
    return value


def _ids(value: Any, _: object) -> frozenset[str]:
    return frozenset(_exactly(one, str) for one in _exactly(value, list))


def _states(value: Any, _: object) -> frozenset[State]:
    states = (_exactly(one, list) for one in _exactly(value, list))
    return frozenset(
        (_exactly(id, str), parse_timestamp(key), _exactly(status, str))
        for id, key, status in states  # noqa: A001
    )
