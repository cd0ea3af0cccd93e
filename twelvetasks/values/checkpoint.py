"""Checkpoints: the place in a listing after the last task that was yielded, as a small value.

The place is a sort key, not a page number: pages move while an account changes, keys do not. The
rank in it only says where to look first.
"""

from __future__ import annotations

import functools
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, Self

import attrs

from twelvetasks.values.timestamps import parse_timestamp, utc_timestamp

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["Checkpoint", "Identified"]

VERSION = 1


class Identified(Protocol):
    """What a checkpoint can belong to: the query of a listing, or a watch."""

    @property
    def identity(self) -> str:
        """What decides which items come, and in which order."""
        ...


def _not_negative(_: object, field: attrs.Attribute[Any], value: int) -> None:
    if value < 0:
        raise ValueError(f"{field.name} must not be negative")


@attrs.frozen(kw_only=True)
class Checkpoint:
    """Where a listing or a watch stands: pass it as `resume` to go on after the last item.

    ``str(checkpoint)`` is a line of JSON to be stored; `Checkpoint.parse` reads it back, and
    `resume` takes either. It holds no API key::

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
    rank: int = attrs.field(default=0, validator=_not_negative)
    """How many tasks lay before the place when it was last seen: where to look for it first."""
    since: datetime | None = None
    """With ``sort_by="updated_at"``: tasks updated from then on are checked again at the end."""

    @classmethod
    def start(cls, query: Identified) -> Self:
        """Give the checkpoint before the first task of a query.

        With it a first run need not differ from the others::

            listing = session.tasks(sort_by="updated_at", sort_option="asc")
            stored = str(Checkpoint.start(listing.query))
        """
        return cls(query=query.identity)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str(checkpoint)`` wrote. Raises ValueError for anything else."""
        try:
            fields = json.loads(text)
            if fields.pop("version") == VERSION:
                return _converter().structure(fields, cls)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
            pass
        raise ValueError(
            "it is not a checkpoint of this version of twelvetasks: "
            "store str(stream.checkpoint) and pass it unchanged"
        )

    def __str__(self) -> str:
        fields = {"version": VERSION} | _converter().unstructure(self)
        return json.dumps(fields, separators=(",", ":"))

    def check(self, query: Identified) -> None:
        """Raise ValueError unless the checkpoint belongs to this query.

        `TaskSession.tasks` does so with its `resume`; to know earlier, check it yourself::

            listing = session.tasks(status="failed")
            Checkpoint.start(listing.query).check(listing.query)
        """
        if self.query != query.identity:
            raise ValueError(
                f"the checkpoint belongs to another listing or watch ({self.query}), "
                f"not to this one ({query.identity})"
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
    return converter


def _exactly(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, not {value!r}")
    return value


def _ids(value: Any, _: object) -> frozenset[str]:
    return frozenset(_exactly(one, str) for one in _exactly(value, list))
