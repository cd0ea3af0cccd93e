"""The pytest fixtures, which serve a `FakePlatform` from a thread.

They are synchronous, so they serve synchronous tests and those of any async plugin alike, and
they import nothing of the platform before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from twelvetasks.testing.platform import FakePlatform

OFFERED = ("fake_platform", "fake_platform_factory")
"""The names of the fixtures."""


class FakePlatformFactory(Protocol):
    """What the fixture `fake_platform_factory` is."""

    def __call__(
        self, tasks: int | Iterable[Mapping[str, Any]] = (), **options: Any
    ) -> FakePlatform:
        """Start a platform with these tasks, or with so many demo tasks.

        `options` are those of `FakePlatform`, and for demo tasks also `seed`.
        """
        ...


@pytest.fixture
def fake_platform(fake_platform_factory: FakePlatformFactory) -> FakePlatform:
    """Provide a running `FakePlatform` with 100 demo tasks; it stops when the test ends."""
    return fake_platform_factory(100)


@pytest.fixture
def fake_platform_factory() -> Iterator[FakePlatformFactory]:
    """Provide a function that starts a `FakePlatform`; each is stopped when the test ends."""
    from twelvetasks.testing.platform import FakePlatform  # noqa: PLC0415

    with ExitStack() as running:

        def start(tasks: int | Iterable[Mapping[str, Any]] = (), **options: Any) -> FakePlatform:
            platform = (
                FakePlatform.demo(tasks, **options)
                if isinstance(tasks, int)
                else FakePlatform(tasks, **options)
            )
            return running.enter_context(platform.run_in_thread())

        yield start
