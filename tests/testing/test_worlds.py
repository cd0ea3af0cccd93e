"""Reads as real databases give them: torn, from replicas, with unstable ties and late commits."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web

from tests.testing.asking import ask
from twelvetasks.testing import FakePlatform

MOMENT = "2024-05-05T05:05:05Z"


def task_ids(platform: FakePlatform, **parameters: Any) -> list[str]:
    return ask(platform, **parameters).ids


def test_a_torn_answer_counts_before_a_change_and_reads_after_it() -> None:
    with FakePlatform.demo(20, reads="torn").run_in_thread() as platform:

        def add(platform: FakePlatform, request: web.Request) -> None:
            platform.add()

        platform.before_each(add)
        for before in (20, 21, 22):
            answer = ask(platform, page_limit=50)
            assert answer.json["page_info"]["total_results"] == before
            assert len(answer.ids) == before + 1


def test_a_torn_answer_counts_what_its_filters_match() -> None:
    with FakePlatform.demo(100, reads="torn").run_in_thread() as platform:
        failed = len(platform.tasks(status="failed"))
        answer = ask(platform, status="failed", page_limit=50)
        assert answer.json["page_info"]["total_results"] == failed == len(answer.ids)
        assert ask(platform, page=0).status == 400


def test_an_atomic_answer_agrees_with_itself() -> None:
    with FakePlatform.demo(20).run_in_thread() as platform:

        def add(platform: FakePlatform, request: web.Request) -> None:
            platform.add()

        platform.before_each(add)
        answer = ask(platform, page_limit=50)
        assert answer.json["page_info"]["total_results"] == len(answer.ids) == 21


def totals(replicas: int, seed: int) -> list[int]:
    """Add a task before each read; return the total that each read shows."""
    with FakePlatform(replicas=replicas, seed=seed).run_in_thread() as platform:
        shown = []
        for _ in range(60):
            platform.add()
            shown.append(int(ask(platform).json["page_info"]["total_results"]))
        return shown


def test_replicas_lag_go_back_in_time_and_are_bounded() -> None:
    shown = totals(replicas=2, seed=1)
    assert any(later < earlier for earlier, later in pairwise(shown))
    assert all(n - 20 <= total <= n for n, total in enumerate(shown, 1))
    assert totals(replicas=2, seed=1) == shown
    assert totals(replicas=2, seed=2) != shown
    assert totals(replicas=1, seed=1) == list(range(1, 61))


def test_replicas_show_old_versions_of_tasks_and_catch_up_when_nothing_changes() -> None:
    with FakePlatform.demo(5, replicas=2, seed=3).run_in_thread() as platform:
        task = platform.add(status="pending")["_id"]
        statuses = []
        for status in ("queued", "indexing", "ready"):
            platform.update(task, status=status)
            answer = ask(platform, f"/tasks/{task}")
            statuses.append(answer.json.get("status"))
        assert statuses != ["queued", "indexing", "ready"]
        for _ in range(45):
            ask(platform)
        assert ask(platform, f"/tasks/{task}").json["status"] == "ready"
        assert ask(platform, page_limit=50).json["data"] == platform.tasks()


def test_a_deleted_task_may_still_be_shown_by_a_replica() -> None:
    with FakePlatform.demo(30, replicas=2, seed=0).run_in_thread() as platform:
        seen = False
        for task in platform.tasks():
            platform.delete(task["_id"])
            seen = seen or task["_id"] in task_ids(platform, page_limit=50)
        assert seen


def test_late_commits_show_an_earlier_time_after_a_later_one() -> None:
    with FakePlatform(commits="late", seed=4).run_in_thread() as platform:
        order: list[str] = []
        for _ in range(40):
            platform.add()
            order += [one for one in task_ids(platform, page_limit=50) if one not in order]
        for _ in range(6):
            order += [one for one in task_ids(platform, page_limit=50) if one not in order]
        stamped = [task["_id"] for task in platform.tasks(sort_option="asc")]
        assert sorted(order) == sorted(stamped)
        assert order != stamped


def test_changes_of_one_task_are_committed_in_order() -> None:
    with FakePlatform(commits="late", seed=5).run_in_thread() as platform:
        task = platform.add(step=0)["_id"]
        shown = []
        for step in range(1, 60):
            platform.update(task, step=step)
            answer = ask(platform, f"/tasks/{task}")
            shown.append(-1 if answer.status == 404 else answer.json["step"])
        assert shown == sorted(shown)
        assert shown != list(range(1, 60))


def test_unstable_ties_depend_on_page_and_page_limit_alone() -> None:
    tied = [{"_id": f"{n:024x}", "created_at": MOMENT} for n in range(40)]
    newer = {"_id": "f" * 24, "created_at": "2024-05-05T05:05:06Z"}
    with FakePlatform([*tied, newer], ties="unstable").run_in_thread() as platform:
        assert task_ids(platform, page_limit=50) == task_ids(platform, page_limit=50)
        assert task_ids(platform, page_limit=50)[0] == newer["_id"]
        assert sorted(task_ids(platform, page_limit=50)) == sorted(
            [task["_id"] for task in platform.tasks()]
        )
        assert task_ids(platform, page_limit=50)[:10] != task_ids(platform, page_limit=10)
        walked = [one for page in range(1, 6) for one in task_ids(platform, page=page)]
        assert len(walked) == 41
        assert len(set(walked)) < 41


@pytest.mark.parametrize(
    "wrong", [{"reads": "old"}, {"replicas": 0}, {"ties": "none"}, {"commits": "early"}]
)
def test_an_unknown_world_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FakePlatform(**wrong)
