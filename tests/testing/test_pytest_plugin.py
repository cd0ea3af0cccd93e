"""The fixtures, as a user's tests meet them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testing.asking import ask
from twelvetasks import testing
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory


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


def test_loading_the_plugin_loads_nothing_else() -> None:
    program = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import twelvetasks.testing.pytest_plugin, twelvetasks.testing.fixtures\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=60, capture_output=True, text=True
    )
    assert set(loaded.stdout.split()) <= {"twelvetasks", *sys.stdlib_module_names}


def run_suite(folder: Path, *arguments: str, **files: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder with these files, with no plugin but those it is given."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-p", "twelvetasks.testing.pytest_plugin", *arguments),
        ],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ
        | {
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
        },
    )


OWN_FIXTURE = """
import pytest

@pytest.fixture
def fake_platform():
    return "mine"
"""
MEETS_ITS_OWN = """
def test_it(fake_platform):
    assert fake_platform == "mine"
"""


def test_a_fixture_of_a_conftest_comes_first(tmp_path: Path) -> None:
    ended = run_suite(tmp_path, conftest=OWN_FIXTURE, test_it=MEETS_ITS_OWN)
    assert ended.returncode == 0, ended.stdout + ended.stderr


NAMED_OTHERWISE = """
import pytest

@pytest.fixture(name="fake_platform")
def theirs():
    return "mine"
"""
OF_AN_OBJECT = """
import pytest

class Plugin:
    @pytest.fixture
    def fake_platform(self):
        return "mine"

    @pytest.fixture(name="fake_platform_factory")
    def theirs(self):
        return "mine"

def pytest_configure(config):
    config.pluginmanager.register(Plugin())
"""


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("plugin", [OWN_FIXTURE, NAMED_OTHERWISE, OF_AN_OBJECT])
def test_a_fixture_of_another_plugin_comes_first(tmp_path: Path, place: str, plugin: str) -> None:
    files = {"their_plugin": plugin, "test_it": MEETS_ITS_OWN}
    if place == "before":
        ended = run_suite(tmp_path, "-p", "their_plugin", **files)
    else:
        conftest = "pytest_plugins = ['their_plugin']"
        ended = run_suite(tmp_path, conftest=conftest, **files)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_suite_runs_where_what_the_platform_needs_is_broken(tmp_path: Path) -> None:
    ended = run_suite(
        tmp_path,
        aiohttp="raise RuntimeError('broken')",
        msgspec="raise RuntimeError('broken')",
        attrs="raise RuntimeError('broken')",
        test_it="def test_it():\n    pass\n",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_suite_that_uses_no_fixture_loads_nothing(tmp_path: Path) -> None:
    program = """
import sys

def test_it():
    assert not {"aiohttp", "cattrs", "msgspec", "stamina", "yarl"} & set(sys.modules)
"""
    ended = run_suite(tmp_path, test_it=program)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_package_shows_its_public_names() -> None:
    assert dir(testing) == sorted(testing.__all__)
    assert all(hasattr(testing, name) for name in testing.__all__)
    assert not hasattr(testing, "Platform")
