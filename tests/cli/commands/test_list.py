"""`list --report` and `count`."""

from __future__ import annotations

import attrs

from tests.cli.running import Command, Outcome
from twelvetasks import TaskQuery
from twelvetasks.cli import cli
from twelvetasks.testing import FakePlatform


class TestReport:
    def test_it_says_on_stderr_what_the_listing_did(
        self, command: Command, account: FakePlatform
    ) -> None:
        listed = command("list", "--report", platform=account)
        pages = len(account.requests)
        assert listed.tasks == account.tasks()
        assert listed.err == (
            f"twelvetasks: {pages} requests, {pages} pages, 0 bridges, 0 duplicates dropped, "
            "0 late tasks left out; consistency: quiet\n"
        )

    def test_an_exact_listing_is_reported_as_one(
        self, command: Command, account: FakePlatform
    ) -> None:
        listed = command("list", "--exact", "--report", platform=account)
        assert listed.tasks == account.tasks()
        assert listed.err.endswith("consistency: exact\n")

    def test_a_listing_that_fails_is_reported_up_to_there(
        self, command: Command, account: FakePlatform
    ) -> None:
        account.fail(status=401)
        listed = command("list", "--report", platform=account)
        assert listed.code == 1
        assert listed.err.startswith("twelvetasks: 1 request, 0 pages, ")


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
        assert command("count", "--demo", "7") == Outcome(0, "7\n", "")

    def test_it_has_every_filter_of_a_listing(self) -> None:
        ordering = {"sort_by", "sort_option", "page_limit"}
        filters = {field.name for field in attrs.fields(TaskQuery)} - ordering
        assert filters <= {parameter.name for parameter in cli.commands["count"].params}
