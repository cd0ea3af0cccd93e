"""What the tests of requests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stamina.instrumentation import LoggingOnRetryHook, RetryDetails, set_on_retry_hooks


@pytest.fixture
def retries() -> Iterator[list[RetryDetails]]:
    """Collect what stamina says of each retry, beside logging it as it does by default."""
    seen: list[RetryDetails] = []

    def note(details: RetryDetails) -> None:
        seen.append(details)

    set_on_retry_hooks([LoggingOnRetryHook, note])
    yield seen
    set_on_retry_hooks(None)
