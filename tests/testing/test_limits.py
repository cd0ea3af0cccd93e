"""The rate limit: a fixed window, announced on every answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.testing.asking import ask
from twelvetasks.testing import RateLimit
from twelvetasks.testing.fixtures import FakePlatformFactory


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2024, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


START = 1_704_067_200


def test_every_answer_announces_what_is_left(fake_platform_factory: FakePlatformFactory) -> None:
    platform = fake_platform_factory(10, rate_limit=RateLimit(3), clock=Clock())
    platform.fail(page=2)
    answers = [ask(platform), ask(platform, page=2), ask(platform, key=None), ask(platform)]
    assert [answer.status for answer in answers] == [200, 500, 401, 429]
    assert [answer.headers["X-Ratelimit-Limit"] for answer in answers] == ["3"] * 4
    assert [answer.headers["X-Ratelimit-Used"] for answer in answers] == ["1", "2", "3", "3"]
    assert [answer.headers["X-Ratelimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["X-Ratelimit-Reset"] for answer in answers} == {str(START + 60)}
    assert not any("X-Ratelimit-Request-Limit" in answer.headers for answer in answers)


def test_a_refusal_says_when_to_come_back(fake_platform_factory: FakePlatformFactory) -> None:
    clock = Clock()
    platform = fake_platform_factory(10, rate_limit=RateLimit(1, per=30), clock=clock)
    assert "Retry-After" not in ask(platform).headers
    clock.now += timedelta(seconds=10.5)
    refused = ask(platform)
    assert refused.status == 429
    assert refused.headers["Retry-After"] == "20"
    assert refused.json["code"] == "too_many_requests"
    assert "rate limit" in refused.json["message"]


def test_a_window_opens_with_the_first_request_after_the_last(
    fake_platform_factory: FakePlatformFactory,
) -> None:
    clock = Clock()
    platform = fake_platform_factory(10, rate_limit=RateLimit(2, per=60), clock=clock)
    assert [ask(platform).status for _ in range(3)] == [200, 200, 429]
    clock.now += timedelta(seconds=59)
    assert ask(platform).status == 429
    clock.now += timedelta(seconds=11)
    answers = [ask(platform) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[0].headers["X-Ratelimit-Reset"] == str(START + 130)


def test_what_a_refusal_tells_can_be_reduced(fake_platform_factory: FakePlatformFactory) -> None:
    limit = RateLimit(0, retry_after=False, empty_body=True, request_headers=True)
    refused = ask(fake_platform_factory(rate_limit=limit, clock=Clock()))
    assert (refused.status, refused.body) == (429, b"")
    assert "Retry-After" not in refused.headers
    assert refused.headers["X-Ratelimit-Request-Limit"] == "0"
    assert refused.headers["X-Ratelimit-Request-Remaining"] == "0"
    assert refused.headers["X-Ratelimit-Request-Reset"] == str(START + 60)


def test_the_limit_may_change_while_it_serves(fake_platform_factory: FakePlatformFactory) -> None:
    platform = fake_platform_factory(10)
    assert "X-Ratelimit-Limit" not in ask(platform).headers
    platform.rate_limit = RateLimit(1)
    assert [ask(platform).status for _ in range(2)] == [200, 429]
    platform.rate_limit = RateLimit(1)
    assert platform.rate_limit == RateLimit(1)
    assert ask(platform).status == 200
    platform.rate_limit = None
    assert ask(platform).status == 200


@pytest.mark.parametrize("arguments", [(-1, 60.0), (1, 0.0), (1, -5.0)])
def test_a_limit_must_make_sense(arguments: tuple[int, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        RateLimit(*arguments)
