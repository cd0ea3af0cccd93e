"""Secrets as strings that never show themselves.

They have to be real `str`s to travel in a header or to sign with, so they hide in `repr` alone
(which is what logs of headers, tracebacks with locals and debuggers print) and refuse to be
pickled.
"""

from __future__ import annotations

import re
from typing import NoReturn, Self, SupportsIndex


class Secret(str):
    """A string whose `repr` is ``'***'``."""

    __slots__ = ()

    def __new__(cls, text: str = "") -> Self:
        """Keep the content of a string of any subclass, such as an enum's member."""
        return super().__new__(cls, str.__str__(text))

    def __repr__(self) -> str:
        return "'***'"

    def __copy__(self) -> Self:
        """Return itself: tools that copy a request's headers, such as vcrpy, copy a secret, too."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __getitem__(self, place: SupportsIndex | slice, /) -> Self:
        # rich shows the first characters of a long local variable.
        return type(self)(super().__getitem__(place))

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError("a secret, such as an API key, cannot be pickled")

    def redact(self, text: str) -> str:
        """Return `text` with every occurrence of it, in whatever case, replaced by ``***``."""
        if text.isascii() and self.lower() not in text.lower():
            return text  # nearly always; and a search for one of two cases takes ten times as long
        return re.sub(re.escape(self), "***", text, flags=re.IGNORECASE)


class ApiKey(Secret):
    """An API key. Only request headers carry it."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Encode ``***``: only tools that store a request's headers encode each of them.

        aiohttp-client-cache does, and writes them to disk. aiohttp itself joins all headers first.
        """
        return "***".encode(encoding, errors)
