"""What a listing has to know of a page when it comes: its counts, and its items' ids and keys.

Models are made when they are handed out. Until then a page stays the bytes that were sent: pages
wait for their proof, and some thousand models take so much memory that a listing needs 1.3 times
the CPU. Rows do not, so a page of these is read once. A page of which a glance does not tell all
that for sure is read whole at once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn, get_args, get_origin

import attrs
import msgspec

from twelvetasks.conversion.model_types import field_types, is_model, without_none
from twelvetasks.conversion.row_checks import read_times
from twelvetasks.values.fields import json_names
from twelvetasks.values.models import Page, PageInfo
from twelvetasks.values.query import ListQuery

__all__ = ["Glance", "glance_decoder", "is_of_rows"]

_TIMES = frozenset((datetime,))


@attrs.frozen
class Glance:
    """What a page says of itself and of its items."""

    page_info: PageInfo
    ids: list[str]
    keys: list[datetime]
    page: Page[Any] | None = None
    """The page itself, if it is of rows."""

    @classmethod
    def of(cls, items: list[Any] | None, page_info: PageInfo, query: ListQuery[Any]) -> Glance:
        """Read the ids and the keys. Raises an error of any class if they do not tell for sure."""
        items = items or []
        keys: list[Any] = list(map(query.sort_key.read, items))
        if str in set(map(type, keys)):
            keys = read_times(keys)
        if not _TIMES.issuperset(map(type, keys)):
            raise ValueError("an item has no time")
        return cls(page_info, list(map(query.resource.id_of, items)), keys)

    @classmethod
    def of_rows(cls, page: Page[Any], query: ListQuery[Any]) -> Glance:
        """Do the same for a page of rows, whose times have been checked."""
        # What `as_sent` wraps gives text or UNSET.
        read = getattr(query.sort_key.read, "__wrapped__", query.sort_key.read)
        keys = list(map(datetime.fromisoformat, map(read, page.items)))
        return cls(page.page_info, list(map(query.resource.id_of, page.items)), keys, page)


@attrs.frozen
class GlanceDecoders:
    """What reads the pages of a query at a glance."""

    glance: Callable[[bytes], Any] | None
    """Decodes what a glance reads; None if the items are no models."""
    page: Callable[[bytes], Page[Any]] | None = None
    """Reads a whole page, if it is to be of rows."""


def glance_decoder(page: Any, page_info: type[msgspec.Struct]) -> Callable[[bytes], Any] | None:
    """Return what decodes the ids and times of a page's items, and its counts as a `page_info`.

    None if the items are no models.
    """
    item = _item_of(page)
    item = get_args(item)[0] if is_of_rows(page) else item
    if not is_model(item) or field_types(page)["page_info"] is not PageInfo:
        return None
    kinds, names = field_types(item), json_names(get_origin(item) or item)
    known = [("id", str)] if kinds.get("id") is str else []
    times = [field for field, kind in kinds.items() if without_none(kind)[0] is datetime]
    row = msgspec.defstruct(
        "Glanced",
        # What was not sent has to be missing, not None: another name of it may have been sent.
        [*known, *((field, str | None | msgspec.UnsetType, msgspec.UNSET) for field in times)],
        namespace={"__getattr__": _refuse},
        kw_only=True,
        rename=names,
        gc=False,
    )
    whole = msgspec.defstruct(
        "GlancedPage",
        [("data", list[row] | None), ("page_info", page_info)],  # type: ignore[valid-type]
        forbid_unknown_fields=True,
        gc=False,
    )
    return msgspec.json.Decoder(whole).decode


def is_of_rows(page: Any) -> bool:
    """Whether the items of a page stay rows where they can."""
    return hasattr(_item_of(page), "__metadata__")


def _item_of(page: Any) -> Any:
    return get_args(without_none(field_types(page)["data"])[0])[0]


def _refuse(_: Any, name: str) -> NoReturn:
    """Refuse what a glance has not read, in a way that `getattr` with a default raises, too."""
    raise LookupError(name)
