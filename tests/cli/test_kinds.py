"""`--kind`: every list of the platform in the command."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from aiohttp import web

from tests.cli.running import KEY, Command, press_ctrl_c
from twelvetasks.cli.kinds import KINDS
from twelvetasks.cli.output.formats import FORMATS
from twelvetasks.testing import FakePlatform

INDEX = "62a0906d47f5678267ec10a6"
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def account() -> Iterator[FakePlatform]:
    with FakePlatform.demo(120, seed=3, api_key=KEY).run_in_thread() as platform:
        yield platform


def of(kind: str) -> list[str]:
    return ["--kind", kind, *(["--index-id", INDEX] if kind == "indexed-assets" else [])]


def ids_of(account: FakePlatform, kind: str) -> list[str]:
    scope = {"index_id": INDEX} if kind == "indexed-assets" else {}
    items = (
        account.tasks()
        if kind == "tasks"
        else getattr(account, kind.replace("-", "_")).items(**scope)
    )
    id_field = {"analysis-tasks": "task_id", "analysis-batches": "batch_id"}.get(kind, "_id")
    return [item[id_field] for item in items]


@every_kind
def test_every_format_lists_every_item_in_order(
    command: Command, account: FakePlatform, tmp_path: Path, kind: str
) -> None:
    ids = ids_of(account, kind)
    for layout in FORMATS:
        file = tmp_path / f"items.{layout}"
        done = command(
            *("list", *of(kind), "--format", layout, "--output", str(file)), platform=account
        )
        assert (done.code, done.err) == (0, "")
        if layout == "parquet":
            found = pq.read_table(file).column("id").to_pylist()
        elif layout == "csv":
            found = [row["id"] for row in csv.DictReader(io.StringIO(file.read_text()))]
        elif layout in ("json", "jsonl"):
            text = file.read_text()
            rows = json.loads(text if layout == "json" else f"[{','.join(text.splitlines())}]")
            found = [next(iter(row.values())) for row in rows]
        else:
            lines = file.read_text().splitlines()
            found = [line.split()[0] for line in (lines if layout == "ids" else lines[1:])]
        assert found == ids


@every_kind
def test_items_are_counted_retrieved_and_waited_for(
    command: Command, account: FakePlatform, kind: str
) -> None:
    ids = ids_of(account, kind)
    assert command("count", *of(kind), platform=account).out == f"{len(ids)}\n"
    got = command("get", *of(kind), ids[3], platform=account)
    assert ids[3] in json.loads(got.out).values()
    status = "completed" if kind == "analysis-batches" else "ready"
    ended = command(
        *("list", *of(kind), "--status", status, "-n", "2", "--format", "ids"), platform=account
    ).out.split()
    waited = command("wait", *of(kind), *ended, "--format", "jsonl", platform=account)
    assert waited.code == 0
    assert sorted(next(iter(json.loads(line).values())) for line in waited.out.splitlines()) == (
        sorted(ended)
    )


@every_kind
def test_a_failure_ends_a_wait_with_code_1(
    command: Command, account: FakePlatform, kind: str
) -> None:
    status = "expired" if kind == "analysis-batches" else "failed"
    found = command(
        *("list", *of(kind), "--status", status, "-n", "1", "--format", "ids"), platform=account
    ).out.split()
    if not found:
        batch = account.analysis_batches.add(status="expired")
        found = [batch["batch_id"]]
    waited = command("wait", *of(kind), *found, platform=account)
    assert waited.code == 1
    assert f"1 of 1 {KINDS[kind].resource.noun} failed: {found[0]} (" in waited.complaint


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["indexed-assets"], "--kind indexed-assets needs --index-id"),
        (["analysis-tasks", "--filename", "a"], "The list of analysis-tasks takes no --filename"),
        (
            ["embedding-tasks", "--sort-by", "updated_at"],
            "The list of embedding-tasks is newest first and takes no --sort-by",
        ),
        (["analysis-tasks", "--status", "validating"], "'validating' is not one of 'queued'"),
        (["embedding-tasks", "--status", "redy"], "Did you mean ready?"),
        (["embedding-tasks", "--status", "ready,failed"], "must be one of processing, ready,"),
        (["analysis-batches", "--columns", "filename"], "'filename' is not a column"),
        (["assets"], "'assets' is not one of 'tasks', 'indexed-assets'"),
    ],
)
def test_what_a_list_does_not_take_is_refused_before_a_request(
    command: Command, account: FakePlatform, given: list[str], words: str
) -> None:
    refused = command("list", "--kind", *given, platform=account)
    assert refused.code == 2
    assert words in refused.complaint
    assert account.requests == []


@pytest.mark.usefixtures("interruptible")
def test_changes_of_indexed_assets_are_watched(command: Command, account: FakePlatform) -> None:
    assets = account.indexed_assets
    asset_id = assets.add(index_id=INDEX, status="queued")["_id"]
    assets.add(index_id="another index", status="queued")

    def step(_: FakePlatform, __: web.Request) -> None:
        if len(account.requests) == 10:
            assets.finish(asset_id)
        elif len(account.requests) == 20:
            press_ctrl_c()

    account.before_each(step)
    watched = command(
        *("watch", *of("indexed-assets"), "--status", "ready", "--width", "1920"),
        *("--min-interval", "0.001", "--max-interval", "0.002"),
        platform=account,
    )
    assert (watched.code, watched.err, watched.out) == (130, "", "")
    account.requests.clear()
    asset_id = assets.add(index_id=INDEX, status="queued")["_id"]
    watched = command(
        *("watch", *of("indexed-assets"), "--status", "ready"),
        *("--min-interval", "0.001", "--max-interval", "0.002"),
        platform=account,
    )
    assert (watched.code, watched.err) == (130, "")
    assert json.loads(watched.out)["after"] == assets.items(index_id=INDEX)[0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["indexed-assets"], "--kind indexed-assets needs --index-id"),
        (["analysis-tasks"], "The list of analysis-tasks cannot be watched"),
        (["embedding-tasks", "--filename", "a"], "takes no --filename"),
    ],
)
def test_what_cannot_be_watched_is_refused_before_a_request(
    command: Command, account: FakePlatform, given: list[str], words: str
) -> None:
    refused = command("watch", "--kind", *given, platform=account)
    assert refused.code == 2
    assert words in refused.complaint
    assert account.requests == []


def test_watch_offers_only_what_can_be_watched(command: Command) -> None:
    shown = command("watch", "--help").out
    assert "tasks, indexed-" in shown
    assert "embedding-tasks" not in shown
    assert "analysis" not in shown


def test_columns_and_statuses_are_those_of_the_kind_whatever_the_order(
    command: Command, account: FakePlatform
) -> None:
    listed = command(
        *("list", "--columns", "id,total_items", "--status", "completed", "-n", "1"),
        *("--format", "csv", "--kind", "analysis-batches"),
        platform=account,
    )
    assert listed.out.splitlines()[0] == "id,total_items"
    table = command(
        *("list", "--kind", "analysis-tasks", "--columns", "id,error,video_source.asset_id"),
        *("--format", "table", "-n", "1"),
        platform=account,
    )
    assert table.out.split()[:3] == ["ID", "ERROR", "ASSET"]


def test_a_part_of_another_kind_is_not_continued(
    command: Command, account: FakePlatform, tmp_path: Path
) -> None:
    file = tmp_path / "items.jsonl"
    account.fail(page=2, times=50, status=400)
    begun = command(
        *("list", "--kind", "analysis-tasks", "--page-limit", "20", "--output", str(file)),
        platform=account,
    )
    assert begun.code == 1
    refused = command(
        "list", "--kind", "embedding-tasks", "--output", str(file), "--resume", platform=account
    )
    assert refused.code == 2
    assert "belongs to another listing: --kind was different" in refused.complaint
