"""The official SDK as a judge: it lists, uploads, waits, deletes and fails here as there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from twelvetasks.testing import FakePlatform

twelvelabs = pytest.importorskip("twelvelabs")

if TYPE_CHECKING:
    from twelvelabs import AsyncTwelveLabs


@pytest.fixture(autouse=True)
def no_other_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWELVELABS_BASE_URL", raising=False)


@pytest.fixture
def served() -> Iterator[FakePlatform]:
    with FakePlatform.demo(123, seed=5).run_in_thread() as platform:
        yield platform


@pytest.fixture
async def sdk(served: FakePlatform) -> AsyncIterator[AsyncTwelveLabs]:
    import httpx

    async with httpx.AsyncClient(timeout=30) as connection:
        yield twelvelabs.AsyncTwelveLabs(
            api_key=served.api_key, base_url=str(served.base_url), httpx_client=connection
        )


def ids(tasks: list[dict[str, Any]]) -> list[str]:
    return [task["_id"] for task in tasks]


@pytest.mark.parametrize("sort_by", ["created_at", "updated_at"])
@pytest.mark.parametrize("sort_option", ["asc", "desc"])
async def test_it_lists_every_task_in_order(
    served: FakePlatform, sdk: AsyncTwelveLabs, sort_by: str, sort_option: str
) -> None:
    order = {"sort_by": sort_by, "sort_option": sort_option}
    pager = await sdk.tasks.list(page_limit=50, sort_by=sort_by, sort_option=sort_option)
    assert [task.id async for task in pager] == ids(served.tasks(**order))
    assert [request.page for request in served.requests] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "filters",
    [
        {"status": ["failed", "queued"]},
        {"status": "ready", "index_id": "62a0906d47f5678267ec10a6"},
        {"width": 1920, "height": 1080},
        {"created_at": "2025-03-01T00:00:00Z"},
        {"updated_at": "2025-03-01T00:00:00Z", "sort_by": "updated_at"},
        {"filename": "no such file.mp4"},
    ],
)
async def test_it_lists_what_its_filters_match(
    served: FakePlatform, sdk: AsyncTwelveLabs, filters: dict[str, Any]
) -> None:
    pager = await sdk.tasks.list(**filters)
    assert [task.id async for task in pager] == ids(served.tasks(**filters))


async def test_it_reads_the_fields_of_a_task(served: FakePlatform, sdk: AsyncTwelveLabs) -> None:
    expected = next(t for t in served.tasks(status="ready") if "system_metadata" in t)
    task = await sdk.tasks.retrieve(expected["_id"])
    assert task.id == expected["_id"]
    assert task.video_id == expected["video_id"]
    assert task.created_at == expected["created_at"]
    assert task.system_metadata is not None
    assert task.system_metadata.filename == expected["system_metadata"]["filename"]
    assert task.system_metadata.duration == expected["system_metadata"]["duration"]


async def test_it_reads_the_stream_of_a_task_retrieved_alone(
    served: FakePlatform, sdk: AsyncTwelveLabs
) -> None:
    streams = [(await sdk.tasks.retrieve(one)).hls for one in ids(served.tasks())[:40]]
    assert any(stream is not None and stream.status == "COMPLETE" for stream in streams)


async def test_it_deletes_a_task(served: FakePlatform, sdk: AsyncTwelveLabs) -> None:
    task_id = served.tasks(status="failed")[0]["_id"]
    await sdk.tasks.delete(task_id)
    assert task_id not in ids(served.tasks())


async def test_it_uploads_a_file(
    served: FakePlatform, sdk: AsyncTwelveLabs, tmp_path: Path
) -> None:
    video = tmp_path / "harbour.mp4"
    video.write_bytes(b"\0\1\2\3" * 50_000)
    with video.open("rb") as opened:
        created = await sdk.tasks.create(
            index_id="62a0906d47f5678267ec10a6",
            video_file=opened,
            enable_video_stream=False,
            user_metadata=json.dumps({"season": 3}),
        )
    [upload] = served.uploads
    assert (created.id, created.video_id) == (upload.task_id, upload.video_id)
    assert upload.file is not None
    assert (upload.file.filename, upload.file.size) == ("harbour.mp4", 200_000)
    assert not upload.enable_video_stream
    assert upload.user_metadata == {"season": 3}
    assert (await sdk.tasks.retrieve(str(created.id))).status == "uploading"


async def test_it_uploads_a_url(served: FakePlatform, sdk: AsyncTwelveLabs) -> None:
    created = await sdk.tasks.create(
        index_id="62a0906d47f5678267ec10a6", video_url="https://example.com/harbour.mp4"
    )
    [upload] = served.uploads
    assert upload.task_id == created.id
    assert upload.video_url == "https://example.com/harbour.mp4"
    assert upload.file is None
    assert upload.enable_video_stream


async def test_it_is_refused_an_upload_without_a_video(
    served: FakePlatform, sdk: AsyncTwelveLabs
) -> None:
    with pytest.raises(twelvelabs.BadRequestError) as refused:
        await sdk.tasks.create(index_id="62a0906d47f5678267ec10a6")
    assert refused.value.body["code"] == "parameter_not_provided"
    assert served.uploads == []


@pytest.mark.parametrize("end", ["ready", "failed"])
async def test_it_waits_until_a_task_is_done(
    served: FakePlatform, sdk: AsyncTwelveLabs, end: Any
) -> None:
    created = await sdk.tasks.create(index_id="i", video_url="https://example.com/v.mp4")
    seen = []

    async def see(task: Any) -> None:
        seen.append(task.status)
        if task.status == "indexing":
            served.finish(task.id, status=end)
        elif task.status != end:
            served.advance(task.id)

    tasks: Any = sdk.tasks
    task = await tasks.wait_for_done(str(created.id), sleep_interval=0.001, callback=see)
    assert seen == ["uploading", "queued", "indexing", end]
    assert task.video_id == (created.video_id if end == "ready" else None)


async def test_it_waits_until_the_clock_has_indexed_a_task(
    served: FakePlatform, sdk: AsyncTwelveLabs
) -> None:
    served.indexing_time = 0.05
    created = await sdk.tasks.create(index_id="i", video_url="https://example.com/v.mp4")
    tasks: Any = sdk.tasks
    task = await tasks.wait_for_done(str(created.id), sleep_interval=0.01)
    assert task.status == "ready"
    assert task.hls is not None


async def test_it_raises_its_own_errors(served: FakePlatform, sdk: AsyncTwelveLabs) -> None:
    with pytest.raises(twelvelabs.BadRequestError) as refused:
        await sdk.tasks.list(page_limit=51)
    assert refused.value.body["code"] == "parameter_invalid"

    working = served.tasks(status="indexing")[0]["_id"]
    with pytest.raises(twelvelabs.BadRequestError) as kept:
        await sdk.tasks.delete(working)
    assert kept.value.body["code"] == "task_cannot_be_deleted"

    with pytest.raises(twelvelabs.core.api_error.ApiError) as unknown:
        await sdk.tasks.retrieve("62a17bf847f5678267ec10cc")
    assert unknown.value.status_code == 404
    assert unknown.value.body["code"] == "resource_not_exists"

    served.api_key = "tlk_rotated"
    with pytest.raises(twelvelabs.core.api_error.ApiError) as expired:
        await sdk.tasks.list()
    assert expired.value.status_code == 401
    assert expired.value.body["code"] == "api_key_invalid"


async def test_it_is_refused_a_page_past_the_end_where_that_is_an_error(
    served: FakePlatform, sdk: AsyncTwelveLabs
) -> None:
    served.past_end = "error"
    seen: list[str | None] = []
    pager = await sdk.tasks.list(page_limit=50)
    with pytest.raises(twelvelabs.BadRequestError):
        seen += [task.id async for task in pager]
    assert served.requests[-1].page == 4


async def test_it_lists_in_synchronous_code_too(served: FakePlatform) -> None:
    import httpx

    with httpx.Client(timeout=30) as connection:
        sdk = twelvelabs.TwelveLabs(
            api_key=served.api_key, base_url=str(served.base_url), httpx_client=connection
        )
        assert [task.id for task in sdk.tasks.list(page_limit=50)] == ids(served.tasks())
