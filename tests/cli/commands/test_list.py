"""`list --report`."""

from __future__ import annotations

from tests.cli.running import Command
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
