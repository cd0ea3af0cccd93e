"""`count`: one number."""

from __future__ import annotations

import attrs

from tests.cli.running import Command, Outcome
from twelvetasks import TaskQuery
from twelvetasks.cli.program import cli
from twelvetasks.testing import FakePlatform


class TestCount:
    def test_it_prints_one_number(self, command: Command, account: FakePlatform) -> None:
        assert command("count", platform=account) == Outcome(0, "100\n", "")

    def test_it_counts_what_the_filters_let_pass_with_one_request(
        self, command: Command, account: FakePlatform
    ) -> None:
        filters = ("--status", "failed", "--status", "ready", "--width", "1920")
        matching = account.tasks(status=["failed", "ready"], width=1920)
        assert command("count", *filters, platform=account).out == f"{len(matching)}\n"
        assert len(account.requests) == 1

    def test_it_counts_a_demo(self, command: Command) -> None:
        assert command("count", "--demo-size", "7") == Outcome(0, "7\n", "")

    def test_it_has_every_filter_of_a_listing(self) -> None:
        ordering = {"sort_by", "sort_option", "page_limit"}
        filters = {field.name for field in attrs.fields(TaskQuery)} - ordering
        assert filters <= {parameter.name for parameter in cli.commands["count"].params}

    def test_since_counts_down_to_a_time(self, command: Command, account: FakePlatform) -> None:
        since = account.tasks()[60]["created_at"]
        assert command("count", "--since", since, platform=account).out == "61\n"
