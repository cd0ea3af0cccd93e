"""What a bad network does to the connections through it: seeded, so that it can be played again.

A schedule decides for each connection by its number; which page a connection carries depends on the
moment, so a seed gives the same kind of network, not the same bytes. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from random import Random

import attrs

__all__ = ["Fault", "Pace", "Schedule", "Toxics"]


class Fault(StrEnum):
    """How a connection goes wrong, once so many bytes have passed."""

    RESET = "reset"
    """It is torn down as by a crashed machine."""
    CUT = "cut"
    """It is closed in good order, in the middle of whatever it carries."""
    STALL = "stall"
    """Nothing passes any more, and nobody says so."""
    CORRUPT = "corrupt"
    """The highest bit of one byte is set.

    All that passes is ASCII, so this never turns one valid page into another: it is no UTF-8 any
    more, or lies in a header that nobody reads. What could turn a digit into another digit is for
    the checksums of TCP and TLS to find; no client can.
    """


class Pace(StrEnum):
    """How fast a connection is, all the time."""

    NORMAL = "normal"
    DELAYED = "delayed"
    """Every piece waits a moment."""
    THROTTLED = "throttled"
    """Bytes pass in small pieces with pauses between them."""


def _faults(names: Iterable[str]) -> tuple[Fault, ...]:
    return tuple(map(Fault, names))


def _paces(names: Iterable[str]) -> tuple[Pace, ...]:
    return tuple(map(Pace, names))


@attrs.frozen(kw_only=True)
class Toxics:
    """What happens to one connection."""

    fault: Fault | None
    after: int
    """Bytes that pass before the fault."""
    to_platform: bool
    """Whether the fault meets requests; else it meets answers."""
    delay: float
    """Seconds that each piece waits."""
    piece: int
    """Bytes that pass at once."""


@attrs.frozen(kw_only=True)
class Schedule:
    """One bad network."""

    seed: int = 0
    faults: tuple[Fault, ...] = attrs.field(default=(), converter=_faults)
    """Each connection meets one of these; without any, all of them are sound."""
    paces: tuple[Pace, ...] = attrs.field(default=(Pace.NORMAL,), converter=_paces)
    life: int = 0
    """Bytes that at most pass before a fault."""
    requests: bool = True
    """Whether faults meet requests, too."""

    @classmethod
    def drawn(cls, seed: int) -> Schedule:
        """Draw a network: which faults it has, how often, and how fast it is."""
        chance = Random(seed)
        return cls(
            seed=seed,
            faults=_some(chance, Fault),
            paces=_some(chance, Pace),
            life=chance.choice((60_000, 150_000, 400_000, 1_000_000)),
            requests=chance.random() < 0.5,
        )

    def toxics(self, connection: int) -> Toxics:
        """Say what happens to a connection, by its number."""
        chance = Random(f"{self.seed}/{connection}")
        pace = chance.choice(self.paces)
        to_platform = self.requests and chance.random() < 0.2
        # A request is that much smaller than its answer.
        life = self.life // 64 if to_platform else self.life
        return Toxics(
            fault=chance.choice(self.faults) if self.faults else None,
            after=chance.randint(0, life),
            to_platform=to_platform,
            delay={
                Pace.NORMAL: 0.0,
                Pace.DELAYED: chance.uniform(0.001, 0.02),
                Pace.THROTTLED: 0.001,
            }[pace],
            piece=chance.randint(500, 4_000) if pace is Pace.THROTTLED else 65_536,
        )


def _some(chance: Random, kinds: Iterable[StrEnum]) -> tuple[str, ...]:
    every = list(kinds)
    return tuple(chance.sample(every, chance.randint(1, len(every))))
