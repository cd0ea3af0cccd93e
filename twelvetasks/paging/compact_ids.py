"""A set of ids in little memory, for listings that have to remember every id.

The platform's ids are 24 hexadecimal digits, 12 bytes: those are kept one after the other in hash
tables with open addressing, at 18 to 27 bytes an id, where a set of strings takes 128. They are
compared whole, so no two ids are ever taken for one. Any other id is kept as the string it is.
"""

from __future__ import annotations

SIZE = 12
"""Bytes of an id, and of a slot."""

EMPTY = bytes(SIZE)

TABLES = 256
"""Tables, one for each last byte of an id, so that only a small one at a time is made larger."""

FIRST_SLOTS = 8
GROWTH = 1.5
FULLEST = 2 / 3


class CompactIds:
    """A set of ids that only grows."""

    def __init__(self) -> None:
        self._tables = [bytearray(SIZE * FIRST_SLOTS) for _ in range(TABLES)]
        self._counts = [0] * TABLES
        self._others: set[str] = set()

    def __len__(self) -> int:
        return sum(self._counts) + len(self._others)

    def __contains__(self, id: str) -> bool:  # noqa: A002
        if (packed := _packed(id)) is None:
            return id in self._others
        table = self._tables[packed[-1]]
        return table.startswith(packed, _slot(table, packed))

    def add(self, id: str) -> bool:  # noqa: A002
        """Add an id, and tell whether it is new."""
        if (packed := _packed(id)) is None:
            before = len(self._others)
            self._others.add(id)
            return len(self._others) > before
        number = packed[-1]
        table = self._tables[number]
        at = _slot(table, packed)
        if table.startswith(packed, at):
            return False
        table[at : at + SIZE] = packed
        self._counts[number] += 1
        if self._counts[number] * SIZE > len(table) * FULLEST:
            self._tables[number] = _larger(table)
        return True


def _packed(id: str) -> bytes | None:  # noqa: A002
    """Return the 12 bytes that an id stands for; None if they would not give the same id."""
    try:
        packed = bytes.fromhex(id)
    except ValueError:
        return None
    return packed if len(packed) == SIZE and packed.hex() == id and packed != EMPTY else None


def _slot(table: bytearray, packed: bytes) -> int:
    """Return where an id is or, if it is not there, where it has to go."""
    end = len(table)
    # Python hashes bytes with a secret of the process, so nobody can send ids that collide.
    at = hash(packed) % (end // SIZE) * SIZE
    while not table.startswith((packed, EMPTY), at):
        at += SIZE
        if at == end:
            at = 0
    return at


def _larger(table: bytearray) -> bytearray:
    larger = bytearray(int(len(table) // SIZE * GROWTH) * SIZE)
    for start in range(0, len(table), SIZE):
        held = bytes(table[start : start + SIZE])
        if held != EMPTY:
            at = _slot(larger, held)
            larger[at : at + SIZE] = held
    return larger
