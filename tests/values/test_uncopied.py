"""What is shared, never copied: sessions, gates, listings, streams, watches and receivers."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable

import pytest

from twelvetasks import Gate, TaskSession
from twelvetasks.fleet import RedisGate
from twelvetasks.testing import FakePlatform
from twelvetasks.webhooks import Receiver

DUPLICATES: list[Callable[[object], object]] = [copy.copy, copy.deepcopy, pickle.dumps]


@pytest.mark.parametrize("duplicate", DUPLICATES)
async def test_a_duplicate_is_refused_with_what_to_do_instead(
    platform: FakePlatform, duplicate: Callable[[object], object]
) -> None:
    redis = RedisGate("redis://127.0.0.1:1", "account", requests=60)
    async with redis, TaskSession(platform.api_key, base_url=platform.base_url) as session:
        listing = session.tasks()
        async with aiter(listing) as stream, aiter(listing.pages()) as pages:
            first = await anext(stream)
            held = {
                session: "a connection and the API key",
                Gate(): "share it",
                session.gate: "share it",  # It has been in use.
                redis: "make one in each process",
                Receiver("whsec_" + "a" * 32): "share it",
                listing: "share it",
                stream: "make another",
                pages: "make another",
                session.watch(): "make another",
                session.wait_all([first.id]): "make another",
                listing.arrow_batches(): "make another",
            }
            for original, advice in held.items():
                with pytest.raises(TypeError, match=advice) as refused:
                    duplicate(original)
                name = type(original).__name__
                assert str(refused.value).startswith(f"a {name} cannot be pickled or copied: ")
            rest = [task.id async for task in stream]
    everything = platform.tasks(sort_by="created_at", sort_option="desc")
    assert [first.id, *rest] == [task["_id"] for task in everything]


@dataclasses.dataclass
class Settings:
    """How a program may hold a gate; `dataclasses.asdict` copies what it holds."""

    gate: Gate


def test_a_gate_among_settings_that_are_copied_says_so() -> None:
    settings = Settings(Gate(rate=60))
    with pytest.raises(TypeError, match="a Gate cannot be pickled or copied: share it"):
        dataclasses.asdict(settings)
    assert dataclasses.replace(settings).gate is settings.gate
