"""The API key as a string that never shows itself.

It has to be a real `str` to travel in a header, so it hides in `repr` alone (which is what logs of
headers, tracebacks with locals and debuggers print) and refuses to be pickled.
"""

from __future__ import annotations

import re
from typing import NoReturn, SupportsIndex

__all__ = ["ApiKey"]


class ApiKey(str):
    """An API key whose `repr` is ``'***'``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError("an API key cannot be pickled")

    def redact(self, text: str) -> str:
        """Return `text` with every occurrence of the key, in whatever case, replaced by ``***``."""
        return re.sub(re.escape(self), "***", text, flags=re.IGNORECASE)
