"""What the repository holds, and what of it is published."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]

TOP_LEVEL = {
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "examples",
    "noxfile.py",
    "pyproject.toml",
    "tests",
    "twelvetasks",
}


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that has to succeed, and give what it printed."""
    ended = subprocess.run(command, check=False, cwd=cwd, capture_output=True, encoding="utf-8")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def sources(*folders: str) -> set[str]:
    """Name the files in folders of the project, without what Python leaves behind there."""
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(
        *(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT),
        cwd=folder,
    )
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment that has the wheel, and shares what the wheel depends on."""
    environment = tmp_path_factory.mktemp("installed")
    venv.create(environment)
    places = {"base": str(environment), "platbase": str(environment)}
    scripts = Path(sysconfig.get_path("scripts", "venv", places))
    run(
        *(sys.executable, "-m", "pip", "--python", scripts / "python"),
        *("install", "--no-deps", "--no-index", wheel),
        cwd=environment,
    )
    shared = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    # Comes after the environment's own packages, and does not read the .pth files found there.
    Path(sysconfig.get_path("purelib", "venv", places), "shared.pth").write_text("\n".join(shared))
    return scripts


def test_the_top_level_holds_nothing_but_what_belongs_there() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    held = {PurePosixPath(name).parts[0] for name in run("git", "ls-files", cwd=ROOT).splitlines()}
    assert {name for name in held if not name.startswith(".")} == TOP_LEVEL


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == sources("twelvetasks")
    assert {"twelvetasks/py.typed", "twelvetasks/testing/platform.py"} <= held


def test_the_source_distribution_holds_what_a_checkout_holds(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    files = {name for name in TOP_LEVEL if (ROOT / name).is_file()}
    made = {"PKG-INFO", ".gitignore", ".ci/run", ".ci/constraints.txt"}
    assert held == files | made | sources("examples", "tests", "twelvetasks")


def test_the_installed_wheel_is_what_is_imported_and_run(installed: Path, tmp_path: Path) -> None:
    program = (
        "import twelvetasks, twelvetasks.testing.platform\n"
        "print(twelvetasks.__file__, twelvetasks.testing.platform.__file__)\n"
    )
    for file in run(installed / "python", "-I", "-c", program, cwd=tmp_path).split():
        assert Path(file).is_relative_to(installed.parent)
    listed = run(installed / "twelvetasks", "list", "--demo", "3", cwd=tmp_path)
    assert len(listed.splitlines()) == 3


def test_the_fixtures_are_announced_to_pytest(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/entry_points.txt"))
        announced = archive.read(name).decode()
    assert "[pytest11]\ntwelvetasks = twelvetasks.testing.pytest_plugin\n" in announced


def requirements(metadata: Message) -> list[str]:
    return [str(requirement) for requirement in metadata.get_all("Requires-Dist", [])]


def test_the_core_needs_little(metadata: Message) -> None:
    core = {
        re.split(r"[^\w-]", requirement)[0]
        for requirement in requirements(metadata)
        if "extra ==" not in requirement
    }
    assert core == {"aiohttp", "attrs", "cattrs", "msgspec", "stamina", "yarl"}


def test_every_requirement_has_a_lower_bound_and_no_upper_one(metadata: Message) -> None:
    for requirement in requirements(metadata):
        versions = requirement.partition(";")[0]
        if not versions.startswith("twelvetasks"):
            assert re.fullmatch(r"[\w-]+(\[[\w,-]+\])?>=[\d.]+", versions), versions


def test_the_metadata_says_what_it_is(metadata: Message) -> None:
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_the_changelog_knows_the_version(metadata: Message) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"\b{re.escape(metadata['Version'])}\b", changelog)
    assert changelog.count("\n## [Unreleased]\n") == 1
