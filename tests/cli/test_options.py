"""Which tasks: each flag arrives at the platform."""

from __future__ import annotations

import attrs
import pytest

from tests.cli.running import Command
from twelvetasks import TaskQuery
from twelvetasks.cli.program import cli
from twelvetasks.testing import FakePlatform


class TestFilters:
    @pytest.mark.parametrize(
        ("flags", "sent"),
        [
            (["--index-id", "62a0906d47f5678267ec10a6"], {"index_id": "62a0906d47f5678267ec10a6"}),
            (["--status", "failed"], {"status": "failed"}),
            (["--filename", "keynote & more.mp4"], {"filename": "keynote & more.mp4"}),
            (["--duration", "12.5"], {"duration": "12.5"}),
            (["--width", "1920"], {"width": "1920"}),
            (["--height", "1080"], {"height": "1080"}),
            (["--created-at", "2025-06-01T02:00:00+02:00"], {"created_at": "2025-06-01T00:00:00Z"}),
            (["--updated-at", "2025-06-01T00:00:00Z"], {"updated_at": "2025-06-01T00:00:00Z"}),
            (["--sort-by", "updated_at"], {"sort_by": "updated_at"}),
            (["--sort-option", "asc"], {"sort_option": "asc"}),
            (["--page-limit", "20"], {"page_limit": "20"}),
            (["--max-items", "7"], {"page_limit": "7"}),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else "",
    )
    def test_each_flag_arrives_at_the_platform(
        self, command: Command, account: FakePlatform, flags: list[str], sent: dict[str, str]
    ) -> None:
        assert command("list", *flags, platform=account).code == 0
        usual = {"page": "1", "page_limit": "50", "sort_by": "created_at", "sort_option": "desc"}
        arrived = account.requests[0].query
        assert dict(arrived) == usual | sent
        assert len(arrived) == len(usual | sent)

    def test_several_statuses_arrive_one_by_one(
        self, command: Command, account: FakePlatform
    ) -> None:
        command("list", "--status", "queued", "--status", "failed", platform=account)
        assert set(account.requests[0].query.getall("status")) == {"queued", "failed"}

    def test_flags_combine(self, command: Command, account: FakePlatform) -> None:
        listed = command(
            *("list", "--status", "ready", "--width", "1920", "--sort-by", "updated_at"),
            *("--sort-option", "asc", "--max-items", "5"),
            platform=account,
        )
        matching = account.tasks(
            status="ready", width=1920, sort_by="updated_at", sort_option="asc"
        )
        assert listed.tasks == matching[:5]

    def test_there_is_a_flag_for_everything_that_a_query_holds(self) -> None:
        holds = {field.name for field in attrs.fields(TaskQuery)}
        assert holds <= {parameter.name for parameter in cli.commands["list"].params}


class TestStatuses:
    @pytest.mark.parametrize(
        "flags",
        [
            ["--status", "failed,ready"],
            ["--status", "failed", "--status", "ready"],
            ["--status", "failed, READY", "--status", "failed"],
        ],
        ids=" ".join,
    )
    def test_several_are_separated_by_commas_or_repeated(
        self, command: Command, account: FakePlatform, flags: list[str]
    ) -> None:
        assert command("list", *flags, platform=account).code == 0
        assert sorted(account.requests[0].query.getall("status")) == ["failed", "ready"]
