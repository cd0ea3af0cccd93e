"""`FakeList`: one list of the platform as a test controls it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from typing import Any

from twelvetasks.testing import instants
from twelvetasks.testing.filters import DateFilter
from twelvetasks.testing.indexing import Indexing, fields_at_the_end
from twelvetasks.testing.items import Items, Page, Record
from twelvetasks.testing.kinds import Kind, hls_stream
from twelvetasks.testing.parameters import Selection, query_of, select
from twelvetasks.testing.worlds import World

_BESIDE = {"pending": "validating", "validating": "queued"}
"""Statuses of tasks that the documentation names beside those seen on the platform."""


class FakeList:
    """One list of a `FakePlatform`, such as `FakePlatform.indexed_assets`; thread-safe.

    Items are JSON objects. Those of a list within another resource need its id: `index_id` for
    indexed assets, `entity_collection_id` for entities::

        platform = FakePlatform()
        asset = platform.indexed_assets.add(index_id="an index", status="pending")
        platform.indexed_assets.advance(asset["_id"])
    """

    def __init__(
        self,
        kind: Kind,
        clock: Callable[[], datetime],
        world: World,
        *,
        changed: Callable[[Mapping[str, Any]], None],
        first: Iterable[Mapping[str, Any]] = (),
        conforming: bool = False,
    ) -> None:
        self._kind = kind
        self._items = Items(kind, clock, world, conforming=conforming)
        self._clock = clock
        self._changed = changed
        self._indexing = Indexing(kind.steps, clock)
        self._streamed: set[str] = set()
        self._first: Iterable[Mapping[str, Any]] | None = first
        self._loading = threading.RLock()
        self._seconds: Callable[[], float] | None = None

    @property
    def kind(self) -> Kind:
        """Where the list is and what its items are called."""
        return self._kind

    def add(self, **fields: Any) -> dict[str, Any]:
        """Add an item and return it.

        A missing id is made up, missing times are now, a missing `status` is the last one. Times
        may be `datetime`s. Raises `ValueError` if the id is taken.
        """
        item = self.load().add(fields)
        self._changed(item)
        return item

    def update(self, id: str, **fields: Any) -> dict[str, Any]:  # noqa: A002
        """Set fields of an item and return it; `updated_at` becomes now unless it is given.

        Each change gets a later time than the one before, by a millisecond at least. Raises
        `KeyError` for an unknown id.
        """
        items = self.load()
        before = items.get(id)
        item = items.update(id, fields)
        if before is not None and before.fields.get("status") != item.get("status"):
            self._changed(item)
        return item

    def delete(self, id: str) -> None:  # noqa: A002
        """Remove an item, whatever its status; raises `KeyError` for an unknown id."""
        self.load().delete(id)

    def advance(self, id: str) -> dict[str, Any]:  # noqa: A002
        """Move an item to its next status and return it.

        The clock no longer moves this item. Raises `KeyError` for an unknown id and `ValueError`
        for an item that has ended.
        """
        status = self._fields(id).get("status")
        following = dict(pairwise(self.kind.steps))
        if "uploading" in following:
            following |= _BESIDE
        if status not in following:
            raise ValueError(f"an item with the status {status!r} does not move on")
        self._indexing.stop(id)
        return self._reach(id, following[status])

    def finish(self, id: str, *, status: str | None = None) -> dict[str, Any]:  # noqa: A002
        """Move an item to a final status, by default the successful one, and return it.

        Raises `KeyError` for an unknown id and `ValueError` for a status that is not final.
        """
        status = self.kind.steps[-1] if status is None else status
        if status not in self.kind.final:
            final = ", ".join(sorted(self.kind.final))
            raise ValueError(f"an item of {self.kind.name} ends as {final}, not {status!r}")
        self._indexing.stop(id)
        return self._reach(id, status)

    def items(self, *, dates: DateFilter = "since", **filters: Any) -> list[dict[str, Any]]:
        """Return every item that matches, in order, as the list shows it.

        Takes the parameters of the list except `page` and `page_limit`, and its scope such as
        `index_id`; a mapping sends ``name[key]``. Raises `ValueError` for what it refuses.
        """
        self.load()
        self.apply_due()
        scope = filters.pop(self.kind.scope) if self.kind.scope else None
        selection = select(self.kind, query_of(filters), scope=scope, dates=dates)
        return [record.fields for record in self._items.every(selection)]

    def begin(self, id: str, *, streamed: bool = False, seconds: float | None) -> None:  # noqa: A002
        """Let an item reach its last status in so many `seconds` of the clock.

        With None it stays as it is until `advance` or `finish` moves it. `streamed` items get `hls`
        when they are ready. Raises `KeyError` for an unknown id if there are seconds.
        """
        if streamed:
            self._streamed.add(id)
        if seconds is not None:
            self._indexing.start(id, seconds, self._fields(id).get("status"))

    def live(self, seconds: Callable[[], float]) -> None:
        """Let each of the first items that has not ended do so in so many seconds of the clock."""
        self._seconds = seconds

    @property
    def loaded(self) -> bool:
        """Whether anybody has asked for the items yet."""
        return self._first is None

    def apply_due(self) -> None:
        """Apply every step that is due by the clock."""
        for item_id, status in self._indexing.due():
            # It may have been deleted.
            with suppress(KeyError):
                self._reach(item_id, status)

    def page(self, selection: Selection) -> Page:
        """Read one page as a request does."""
        return self.load().page(selection)

    def read(self, id: str, scope: str | None) -> Record | None:  # noqa: A002
        """Read one item as a request does."""
        record = self.load().read(id)
        return record if record is not None and record.scope == scope else None

    def get(self, id: str) -> dict[str, Any] | None:  # noqa: A002
        """Return an item with all of its fields; None for an unknown id."""
        record = self.load().get(id)
        return None if record is None else record.all_fields

    def load(self) -> Items:
        """Take in the first items when they are first needed: most tests use one list only."""
        with self._loading:
            if self._first is not None:
                self._items.load(self._first)
                self._first = None
                if self._seconds is not None:
                    for item_id in self._items.unfinished():
                        self.begin(item_id, seconds=self._seconds())
        return self._items

    def _reach(self, id: str, status: str) -> dict[str, Any]:  # noqa: A002
        fields = self._fields(id)
        changed: dict[str, Any] = {"status": status}
        if status in self.kind.final:
            now = instants.written(self._clock())
            changed |= fields_at_the_end(self.kind, fields, status, now)
        if status == "ready" and id in self._streamed:
            changed["hls"] = hls_stream(fields["index_id"], changed["video_id"])
        return self.update(id, **changed)

    def _fields(self, id: str) -> dict[str, Any]:  # noqa: A002
        if (fields := self.get(id)) is None:
            raise KeyError(id)
        return fields
