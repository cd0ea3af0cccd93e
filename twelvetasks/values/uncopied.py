"""What cannot be copied: a copy of something in use would look right and know half of it."""

from __future__ import annotations

from typing import ClassVar, NoReturn, SupportsIndex


class Uncopied:
    """Something that `copy` and `pickle` refuse with a TypeError that says what to do instead."""

    __slots__ = ()
    _why_uncopied: ClassVar[str]

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} cannot be pickled or copied: {self._why_uncopied}"
        )
