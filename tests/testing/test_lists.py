"""The other lists of the platform: their paths, filters, orders, items and ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.testing.asking import ask
from twelvetasks.testing import FakeList, FakePlatform

INDEX = "62a0906d47f5678267ec10a6"

PATHS = {
    "indexed_assets": (f"/indexes/{INDEX}/indexed-assets", "_id"),
    "embedding_tasks": ("/embed-v2/tasks", "_id"),
    "older_embedding_tasks": ("/embed/tasks", "_id"),
    "analysis_tasks": ("/analyze/tasks", "task_id"),
    "analysis_batches": ("/analyze/batches", "batch_id"),
    "indexes": ("/indexes", "_id"),
    "assets": ("/assets", "_id"),
}


@pytest.fixture(scope="module")
def served() -> Iterator[FakePlatform]:
    with FakePlatform.demo(150, seed=4).run_in_thread() as platform:
        yield platform


def scoped(name: str) -> dict[str, str]:
    return {"index_id": INDEX} if name == "indexed_assets" else {}


@pytest.mark.parametrize("name", PATHS)
def test_every_list_has_pages_newest_first(served: FakePlatform, name: str) -> None:
    path, id_field = PATHS[name]
    expected = getattr(served, name).items(**scoped(name))
    assert len(expected) >= 4
    seen: list[dict[str, Any]] = []
    pages = -(-len(expected) // 50)
    for page in range(1, pages + 1):
        answer = ask(served, path, page=page, page_limit=50)
        assert answer.json["page_info"] == {
            "limit_per_page": 50,
            "page": page,
            "total_page": pages,
            "total_results": len(expected),
        }
        seen += answer.json["data"]
    assert seen == expected
    assert len({item[id_field] for item in seen}) == len(seen)
    times = [item["created_at"][:10] for item in seen]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("name", PATHS)
def test_every_item_can_be_retrieved_and_an_unknown_one_does_not_exist(
    served: FakePlatform, name: str
) -> None:
    path, id_field = PATHS[name]
    item = getattr(served, name).items(**scoped(name))[0]
    assert ask(served, f"{path}/{item[id_field]}").json.items() >= item.items()
    answer = ask(served, f"{path}/unknown")
    assert (answer.status, answer.json["code"]) == (404, "resource_not_exists")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("indexed_assets", {"status": ["failed", "pending"]}),
        ("indexed_assets", {"duration": {"gte": 5, "lte": 900}, "width": {"gte": 1280}}),
        ("indexed_assets", {"fps": 25, "created_at": "2025-03-01T00:00:00Z"}),
        ("indexed_assets", {"sort_by": "updated_at", "sort_option": "asc"}),
        ("embedding_tasks", {"status": "failed"}),
        ("embedding_tasks", {"started_at": "2025-03-01T00:00:00Z"}),
        ("embedding_tasks", {"ended_at": "2025-03-01T00:00:00Z"}),
        ("analysis_tasks", {"status": "processing"}),
        ("analysis_tasks", {"analysis_mode": "general"}),
        ("analysis_batches", {"status": ["completed", "expired"]}),
        ("indexes", {"index_name": "index 2"}),
    ],
)
def test_filters_narrow_a_list(served: FakePlatform, name: str, parameters: dict[str, Any]) -> None:
    items = getattr(served, name)
    expected = items.items(**scoped(name), **parameters)
    sent: dict[str, Any] = {}
    for key, value in parameters.items():
        sent |= (
            {f"{key}[{bound}]": one for bound, one in value.items()}
            if isinstance(value, dict)
            else {key: value}
        )
    assert expected
    assert "sort_by" in sent or len(expected) <= len(items.items(**scoped(name)))
    assert ask(served, PATHS[name][0], page_limit=50, **sent).json["data"] == expected[:50]


def test_a_range_holds_both_its_ends() -> None:
    platform = FakePlatform()
    for duration in (4, 5, 7, 9, 10):
        platform.indexed_assets.add(index_id="i", system_metadata={"duration": duration})
    platform.indexed_assets.add(index_id="i", system_metadata={})
    within = platform.indexed_assets.items(index_id="i", duration={"gte": 5, "lte": 9})
    assert [asset["system_metadata"]["duration"] for asset in within] == [9, 7, 5]


def test_user_metadata_filters_texts_numbers_and_booleans() -> None:
    platform = FakePlatform()
    add = platform.indexed_assets.add
    one = add(index_id="i", user_metadata={"season": 3, "ok": True, "name": "harbour"})["_id"]
    add(index_id="i", user_metadata={"season": 4, "ok": False, "name": "bay"})
    for wanted in ({"season": 3}, {"ok": True}, {"name": "harbour"}):
        found = platform.indexed_assets.items(index_id="i", user_metadata=wanted)
        assert [asset["_id"] for asset in found] == [one]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/embed-v2/tasks", {"sort_by": "created_at"}),
        ("/embed-v2/tasks", {"status": ["ready", "failed"]}),
        ("/embed-v2/tasks", {"status": "queued"}),
        ("/analyze/tasks", {"sort_option": "asc"}),
        ("/analyze/tasks", {"analysis_mode": "all"}),
        ("/analyze/batches", {"status": "ready"}),
        (f"/indexes/{INDEX}/indexed-assets", {"status": "uploading"}),
        (f"/indexes/{INDEX}/indexed-assets", {"duration[gt]": 3}),
        (f"/indexes/{INDEX}/indexed-assets", {"filename[gte]": 3}),
        ("/tasks", {"duration[gte]": 3}),
    ],
)
def test_what_a_list_does_not_take_is_refused_by_name(
    served: FakePlatform, path: str, parameters: dict[str, Any]
) -> None:
    answer = ask(served, path, **parameters)
    assert answer.status == 400
    assert next(iter(parameters)).partition("[")[0] in answer.json["message"]


def test_assets_are_listed_within_their_index_alone() -> None:
    with FakePlatform().run_in_thread() as platform:
        asset = platform.indexed_assets.add(index_id="one")
        platform.indexed_assets.add(index_id="two")
        assert ask(platform, "/indexes/one/indexed-assets").ids == [asset["_id"]]
        assert ask(platform, f"/indexes/two/indexed-assets/{asset['_id']}").status == 404
        assert "index_id" not in asset
        with pytest.raises(ValueError, match="index_id"):
            platform.indexed_assets.add(status="ready")


@pytest.mark.parametrize(
    ("name", "steps", "field"),
    [
        ("indexed_assets", ["queued", "indexing", "ready"], "indexed_at"),
        ("embedding_tasks", ["ready"], "updated_at"),
        ("analysis_tasks", ["pending", "processing", "ready"], "result"),
        ("analysis_batches", ["processing", "completed"], "completed_at"),
    ],
)
def test_items_move_on_step_by_step(name: str, steps: list[str], field: str) -> None:
    platform = FakePlatform()
    items: FakeList = getattr(platform, name)
    first, id_field = items.kind.steps[0], items.kind.id_field
    item = items.add(status=first, **scoped(name))
    seen = [items.advance(item[id_field]) for _ in steps]
    assert [one["status"] for one in seen] == steps
    assert field in seen[-1]
    assert field == "updated_at" or field not in seen[0] or len(steps) == 1
    with pytest.raises(ValueError, match="does not move on"):
        items.advance(item[id_field])
    other = items.add(status=first, **scoped(name))
    assert items.finish(other[id_field], status=items.kind.failed)["status"] == items.kind.failed
    with pytest.raises(ValueError, match="ends as"):
        items.finish(other[id_field], status=first)


def test_an_index_of_another_account_may_not_be_read() -> None:
    with FakePlatform.demo(5, foreign_index_ids=["theirs"]).run_in_thread() as platform:
        for path, parameters in (
            ("/tasks", {"index_id": "theirs"}),
            ("/indexes/theirs/indexed-assets", {}),
            ("/indexes/theirs/indexed-assets/a", {}),
        ):
            answer = ask(platform, path, **parameters)
            assert (answer.status, answer.json["code"]) == (403, "read_not_allowed")


def test_a_ready_task_may_be_deletable_only_after_its_video() -> None:
    with FakePlatform(ready_deletion="after_video").run_in_thread() as platform:
        ready = platform.add(status="ready", video_id="v", index_id="i")["_id"]
        failed = platform.add(status="failed")["_id"]
        assert ask(platform, f"/tasks/{failed}", method="DELETE").status == 204
        refused = ask(platform, f"/tasks/{ready}", method="DELETE")
        assert (refused.status, refused.json["code"]) == (400, "task_cannot_be_deleted")
        assert ask(platform, "/indexes/i/videos/other", method="DELETE").status == 404
        assert ask(platform, "/indexes/i/videos/v", method="DELETE").status == 204
        assert ask(platform, f"/tasks/{ready}", method="DELETE").status == 204


def test_conforming_sends_only_what_is_declared() -> None:
    platform = FakePlatform.demo(200, conforming=True)
    metadata = {"filename", "duration", "width", "height"}
    declared = {"_id", "video_id", "created_at", "updated_at", "status", "index_id"}
    for task in platform.tasks():
        assert task.keys() <= declared | {"system_metadata"}
        assert task.get("system_metadata", {}).keys() <= metadata
        assert None not in task.get("system_metadata", {}).values()
    failed = platform.tasks(status="failed")
    assert failed
    assert any("error_reason" in task for task in FakePlatform.demo(200).tasks(status="failed"))


def test_requests_of_every_list_have_a_page() -> None:
    with FakePlatform.demo(5).run_in_thread() as platform:
        for path, _ in PATHS.values():
            ask(platform, path, page=2, page_limit=3)
            recorded = platform.requests[-1]
            assert (recorded.page, recorded.page_limit) == (2, 3)


def test_an_unknown_list_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="videos"):
        FakePlatform(lists={"videos": []})
    platform = FakePlatform(lists={"assets": [{"_id": "a"}]})
    assert platform.assets.items()[0]["_id"] == "a"
