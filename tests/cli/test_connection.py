"""With whom the command speaks: an account, or a demo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina.instrumentation

from tests.cli.running import KEY, Command, Outcome
from tests.transport.houses import House, moved_in
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory


class TestConnection:
    def test_the_key_comes_from_the_environment(
        self, command: Command, account: FakePlatform
    ) -> None:
        command("list", platform=account)
        assert {request.headers["x-api-key"] for request in account.requests} == {KEY}

    @pytest.mark.parametrize(
        "variable", ["TWELVETASKS_INSECURE_HTTP", "TWELVETASKS_LIST_INSECURE_HTTP"]
    )
    def test_a_variable_does_not_let_the_key_travel_in_the_clear(
        self, command: Command, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        monkeypatch.setenv(variable, "1")
        refused = command("list", "--base-url", "http://platform.invalid/v1.3")
        assert refused.code == 2
        assert "must be https" in refused.complaint

    def test_concurrency_bounds_the_requests_under_way(
        self, command: Command, fake_platform_factory: FakePlatformFactory
    ) -> None:
        platform = fake_platform_factory(100, api_key=KEY, latency=0.002)
        command("list", "--page-limit", "5", "--concurrency", "2", platform=platform)
        assert len(platform.requests) == 20
        assert platform.most_in_flight == 2

    def test_timeout_bounds_a_request(self, command: Command, account: FakePlatform) -> None:
        account.hold()
        late = command("list", "--timeout", "0.05", platform=account)
        assert late.code == 1
        assert "no answer within 0.05 seconds" in late.complaint
        assert "Raise --timeout" in late.complaint

    @pytest.fixture
    def reports(self) -> Iterator[list[stamina.instrumentation.RetryDetails]]:
        """What stamina reports to the program around the command."""
        reported: list[stamina.instrumentation.RetryDetails] = []

        def report(details: stamina.instrumentation.RetryDetails) -> None:
            reported.append(details)

        stamina.instrumentation.set_on_retry_hooks([report])
        yield reported
        stamina.instrumentation.set_on_retry_hooks(None)

    def test_retries_are_made_and_not_reported(
        self,
        command: Command,
        account: FakePlatform,
        reports: list[stamina.instrumentation.RetryDetails],
    ) -> None:
        reporters = stamina.instrumentation.get_on_retry_hooks()
        account.fail(times=2)
        listed = command("list", platform=account)
        assert (listed.code, listed.tasks, listed.err) == (0, account.tasks(), "")
        assert len(account.requests) == 4
        assert reports == []
        assert stamina.instrumentation.get_on_retry_hooks() == reporters


class TestWayOut:
    @pytest.fixture
    def house(self, account: FakePlatform, tmp_path: Path) -> Iterator[House]:
        with moved_in(tmp_path, account.base_url) as made:
            yield made

    @pytest.fixture(autouse=True)
    def no_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)

    def test_a_proxy_comes_from_its_flag_or_a_variable(
        self,
        command: Command,
        account: FakePlatform,
        house: House,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        address = house.http.address(login="anna:s3cret")
        assert command("count", "--proxy", address, platform=account).out == "100\n"
        assert house.http.passed("GET") == 1
        for number, name in enumerate(("TWELVETASKS_PROXY", "HTTP_PROXY"), start=2):
            with monkeypatch.context() as set_in:
                set_in.setenv(name, address)
                assert command("count", platform=account).out == "100\n"
            assert house.http.passed("GET") == number
        socks = house.socks.address("socks5", "anna:s3cret")
        assert command("count", "--proxy", socks, platform=account).out == "100\n"

    def test_a_password_is_in_no_complaint(
        self, command: Command, account: FakePlatform, house: House
    ) -> None:
        for proxy in ("ftp://anna:pa55@h:1", "http://anna:pa55@h:99999", "pa55"):
            refused = command("count", "--proxy", proxy, platform=account)
            assert refused.code == 2
            assert refused.complaint.startswith("--proxy=")
            assert "pa55" not in refused.complaint
        wrong = house.http.address(login="anna:pa55")
        refused = command("count", "--proxy", wrong, "--base-url", str(house.base_url))
        assert refused.code == 1
        assert "user and password" in refused.complaint
        assert "pa55" not in refused.complaint
        assert account.requests == []

    def test_http_of_another_machine_takes_a_flag_that_the_error_names(
        self, command: Command, account: FakePlatform
    ) -> None:
        elsewhere = f"http://0.0.0.0:{account.base_url.port}/v1.3"
        refused = command("count", "--base-url", elsewhere)
        assert refused.code == 2
        assert "in the clear" in refused.complaint
        assert "--insecure-http" in refused.complaint
        assert account.requests == []
        assert command("count", "--base-url", elsewhere, "--insecure-http").out == "100\n"

    def test_no_proxy_leads_to_the_demo(
        self, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("TWELVETASKS_PROXY", "http://127.0.0.1:9")
        assert command("count", "--demo") == Outcome(0, "1000\n", "")


class TestDemo:
    @pytest.fixture(autouse=True)
    def no_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("TWELVE_LABS_API_KEY")

    def test_it_lists_as_many_made_up_tasks_as_asked(self, command: Command) -> None:
        assert command("list", "--demo-size", "120").tasks == FakePlatform.demo(120).tasks()

    def test_without_a_number_there_are_a_thousand(self, command: Command) -> None:
        assert len(command("list", "--demo").tasks) == 1000

    def test_a_flag_may_follow_it(self, command: Command) -> None:
        listed = command("list", "--demo", "--status", "failed")
        assert listed.tasks == FakePlatform.demo(1000).tasks(status="failed")

    def test_there_may_be_none(self, command: Command) -> None:
        assert command("list", "--demo-size", "0") == Outcome(0, "", "")

    def test_it_cannot_be_had_at_another_address(self, command: Command) -> None:
        refused = command("list", "--demo", "--base-url", "https://example.com")
        assert refused.code == 2
        assert "--base-url" in refused.complaint
