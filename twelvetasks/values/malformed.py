"""An item of a page that could not be read, kept in its place until the listing gets there."""

from __future__ import annotations

import hashlib
import json

import attrs

from twelvetasks.values.errors import ResponseError


@attrs.frozen
class Malformed:
    """Stands where an item should be."""

    error: ResponseError
    """What is wrong with it, and its JSON value as `raw`."""

    @property
    def id(self) -> str:
        """Name it by its content, so that a page that is read twice holds it once."""
        written = json.dumps(self.error.raw, sort_keys=True).encode()
        return f"malformed {hashlib.sha256(written).hexdigest()}"
