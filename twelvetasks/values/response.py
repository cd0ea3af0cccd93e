"""What a response says beside its body: status, headers, and the remaining rate limit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from itertools import chain

import attrs

PREFIXES = ("X-RateLimit-", "X-RateLimit-Request-")
"""The two families of headers that count requests; the platform sends either, both or none."""

COUNT = re.compile(r"[0-9]{1,15}", re.ASCII)
EPOCH_SECONDS = re.compile(r"[0-9]{1,11}(\.[0-9]+)?", re.ASCII)


class Headers(Mapping[str, str]):
    """A read-only mapping that finds names in any case; values of one name are joined by commas."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        # A flat one: each object that waits with a page brings the next garbage collection nearer.
        self._names_and_values = tuple(chain.from_iterable(pairs))

    @cached_property
    def _fields(self) -> dict[str, tuple[str, str]]:
        """Name and value by lower-case name. Made when first read: most headers never are."""
        fields: dict[str, tuple[str, str]] = {}
        each = iter(self._names_and_values)
        for name, value in zip(each, each, strict=True):
            before = fields.get(name.lower())
            joined = (name, value) if before is None else (before[0], f"{before[1]}, {value}")
            fields[name.lower()] = joined
        return fields

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._fields.values())

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return repr(dict(self))


@attrs.frozen(kw_only=True)
class Response:
    """What one response of the platform said, beside its body.

    A page has it as `response`; a stream has that of its newest page; `responses` collects those of
    other calls::

        page = await session.tasks().page(1)
        print(page.response.request_id, page.response.remaining)
    """

    method: str
    """The method of the request, such as ``GET``."""
    path: str
    """The path that was asked, without filters."""
    status: int
    """The HTTP status."""
    request_id: str | None
    """The platform's id for the request, or None: quote it to the platform's support."""
    headers: Mapping[str, str] = attrs.field(repr=False, hash=False)
    """All headers, read-only. Names are found in any case; the API key is replaced by ``***``."""

    @property
    def remaining(self) -> int | None:
        """How many requests the rate limit leaves until its reset; None if unknown."""
        return _count(self._told("Remaining"))

    @property
    def limit(self) -> int | None:
        """How many requests the rate limit allows between two resets; None if unknown."""
        return _count(self._told("Limit"))

    @property
    def resets_at(self) -> datetime | None:
        """When the rate limit is reset, by the platform's clock. Aware, in UTC; None if unknown."""
        told = self._told("Reset")
        return datetime.fromtimestamp(float(told), UTC) if EPOCH_SECONDS.fullmatch(told) else None

    def _told(self, what: str) -> str:
        """Return a header of the family that leaves the fewest requests; empty if it is missing."""
        left = ((_count(self.headers.get(f"{name}Remaining", "")), name) for name in PREFIXES)
        told = [(count, name) for count, name in left if count is not None]
        return self.headers.get(f"{min(told)[1]}{what}", "") if told else ""


def _count(told: str) -> int | None:
    return int(told) if COUNT.fullmatch(told) else None
