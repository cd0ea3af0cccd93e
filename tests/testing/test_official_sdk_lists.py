"""The official SDK as a judge of every list: each of its models accepts what is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from twelvetasks.testing import FakePlatform

twelvelabs = pytest.importorskip("twelvelabs")

INDEX = "62a0906d47f5678267ec10a6"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePlatform]:
    monkeypatch.delenv("TWELVELABS_BASE_URL", raising=False)
    with FakePlatform.demo(60, seed=5).run_in_thread() as platform:
        yield platform


def lists(sdk: Any, platform: FakePlatform) -> list[tuple[Any, list[str], str]]:
    """Return the call, the expected ids and the name of the id for each list."""
    assets = platform.indexed_assets.items(index_id=INDEX)
    return [
        (sdk.tasks.list(page_limit=50), [t["_id"] for t in platform.tasks()], "id"),
        (sdk.indexes.indexed_assets.list(INDEX), [a["_id"] for a in assets], "id"),
        (sdk.embed.v_2.tasks.list(), [t["_id"] for t in platform.embedding_tasks.items()], "id"),
        (sdk.embed.tasks.list(), [t["_id"] for t in platform.older_embedding_tasks.items()], "id"),
        (
            sdk.analyze_async.batches.list(page_limit=50),
            [b["batch_id"] for b in platform.analysis_batches.items()],
            "batch_id",
        ),
    ]


def test_it_reads_every_list_in_synchronous_code(served: FakePlatform) -> None:
    import httpx

    with httpx.Client(timeout=30) as connection:
        sdk = twelvelabs.TwelveLabs(
            api_key=served.api_key, base_url=str(served.base_url), httpx_client=connection
        )
        for pager, expected, name in lists(sdk, served):
            assert [getattr(item, name) for item in pager] == expected != []
        page = sdk.analyze_async.tasks.list(page_limit=50)
        expected = [task["task_id"] for task in served.analysis_tasks.items()][:50]
        assert [task.task_id for task in page.data] == expected


async def test_it_reads_every_list_in_asynchronous_code(served: FakePlatform) -> None:
    import httpx

    async with httpx.AsyncClient(timeout=30) as connection:
        sdk = twelvelabs.AsyncTwelveLabs(
            api_key=served.api_key, base_url=str(served.base_url), httpx_client=connection
        )
        for pager, expected, name in lists(sdk, served):
            assert [getattr(item, name) async for item in await pager] == expected != []
        page = await sdk.analyze_async.tasks.list(page_limit=50)
        assert len(page.data) == 50
