"""The fixtures, as a user's tests meet them."""

from __future__ import annotations

import subprocess
import sys

from tests.testing.asking import ask
from twelvetasks import testing
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.pytest_plugin import FakePlatformFactory


def test_a_synchronous_test_gets_a_hundred_tasks(fake_platform: FakePlatform) -> None:
    assert ask(fake_platform).json["page_info"]["total_results"] == 100


async def test_an_asynchronous_test_gets_the_same(fake_platform: FakePlatform) -> None:
    assert fake_platform.tasks() == FakePlatform.demo(100).tasks()


def test_the_factory_takes_tasks_or_a_count_and_options(
    fake_platform_factory: FakePlatformFactory,
) -> None:
    assert fake_platform_factory().tasks() == []
    assert fake_platform_factory([{"_id": "a"}]).tasks()[0]["_id"] == "a"
    seeded = fake_platform_factory(5, seed=9, api_key="tlk_other")
    assert seeded.tasks() == FakePlatform.demo(5, seed=9).tasks()
    assert ask(seeded, key="tlk_other").status == 200


def test_loading_the_plugin_loads_no_server() -> None:
    program = (
        "import sys, twelvetasks.testing.pytest_plugin\n"
        "assert 'aiohttp.web' not in sys.modules\n"
        "assert 'twelvetasks.testing.platform' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_package_shows_its_public_names() -> None:
    assert dir(testing) == sorted(testing.__all__)
    assert all(hasattr(testing, name) for name in testing.__all__)
    assert not hasattr(testing, "Platform")
