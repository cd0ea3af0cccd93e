"""What the repository holds, and what of it is published."""

from __future__ import annotations

import json
import os
import re
import shutil
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

from tests import public, unmeasured

ROOT = Path(__file__).parents[1]

TOP_LEVEL = {
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "examples",
    "findings",
    "noxfile.py",
    "pyproject.toml",
    "tests",
    "twelvetasks",
}


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that has to succeed, and give what it printed."""
    ended = subprocess.run(
        command,
        check=False,
        cwd=cwd,
        env=unmeasured.environment(),
        capture_output=True,
        encoding="utf-8",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def sources(*folders: str) -> set[str]:
    """Name the files in folders of the project that are tracked, or all where there is no git."""
    if (ROOT / ".git").exists():
        # And those that will be: a file that is new must not pass only because it is not added yet.
        listing = ("ls-files", "--cached", "--others", "--exclude-standard")
        listed = run("git", *listing, "--", *folders, cwd=ROOT).splitlines()
        return {name for name in listed if (ROOT / name).exists()}
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


def new_environment(folder: Path) -> dict[str, str]:
    """Make an environment, and give what `sysconfig` needs to tell where things are in it."""
    venv.create(folder)
    return {"base": str(folder), "platbase": str(folder)}


def pip_installed(places: dict[str, str], *arguments: str | Path) -> Path:
    """Let pip install into an environment, and give the folder of its scripts."""
    scripts = Path(sysconfig.get_path("scripts", "venv", places))
    pip = (sys.executable, "-m", "pip", "--python", scripts / "python")
    run(*pip, "install", *arguments, cwd=Path(places["base"]))
    return scripts


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment that has the wheel, and shares what the wheel depends on."""
    environment = tmp_path_factory.mktemp("installed")
    places = new_environment(environment)
    scripts = pip_installed(places, "--no-deps", "--no-index", wheel)
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
    held = {name for name in contents(wheel) if ".dist-info/" not in name}
    share = "twelvetasks/cli/share"
    package = {name for name in held if ".data/" not in name}
    assert package == {name for name in sources("twelvetasks") if not name.startswith(share)}
    assert {"twelvetasks/py.typed", "twelvetasks/testing/platform.py"} <= package
    data = {name.partition(".data/data/")[2] for name in held - package}
    assert data == {name.removeprefix("twelvetasks/cli/") for name in sources(share)}
    assert {"share/man/man1/twelvetasks.1", "share/zsh/site-functions/_twelvetasks"} <= data


def test_the_source_distribution_holds_what_a_checkout_holds(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    files = {name for name in TOP_LEVEL if (ROOT / name).is_file()}
    made = {"PKG-INFO", ".gitignore", ".ci/run", ".ci/requirements.txt"}
    assert held == files | made | sources("examples", "tests", "twelvetasks")


def test_the_installed_wheel_is_what_is_imported_and_run(installed: Path, tmp_path: Path) -> None:
    program = (
        "import twelvetasks, twelvetasks.testing.platform\n"
        "print(twelvetasks.__file__, twelvetasks.testing.platform.__file__)\n"
    )
    for file in run(installed / "python", "-I", "-c", program, cwd=tmp_path).split():
        assert Path(file).is_relative_to(installed.parent)
    listed = run(installed / "twelvetasks", "list", "--demo-size", "3", cwd=tmp_path)
    assert len(listed.splitlines()) == 3


@pytest.mark.skipif(shutil.which("man") is None, reason="there is no man on this machine")
def test_the_man_pages_are_where_man_looks(installed: Path, tmp_path: Path) -> None:
    """It looks in share/man beside each folder of programs."""
    path = os.pathsep.join((str(installed), os.environ["PATH"]))
    environment = {name: held for name, held in os.environ.items() if name != "MANPATH"}
    for page, said in (("twelvetasks", "EXIT STATUS"), ("twelvetasks-list", "EXAMPLES")):
        shown = subprocess.run(
            ["man", "--where", page],
            check=True,
            cwd=tmp_path,
            env=environment | {"PATH": path},
            capture_output=True,
            encoding="utf-8",
        ).stdout.strip()
        assert Path(shown).is_relative_to(installed.parent)
        assert said in Path(shown).read_text("utf-8")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash on this machine")
def test_the_completion_is_where_bash_looks(installed: Path, tmp_path: Path) -> None:
    script = installed.parent / "share/bash-completion/completions/twelvetasks"
    program = (
        f"source {script}; COMP_WORDS=(twelvetasks wat); COMP_CWORD=1; "
        "_twelvetasks_completion twelvetasks wat; echo ${COMPREPLY[@]}"
    )
    path = os.pathsep.join((str(installed), os.environ["PATH"]))
    completed = subprocess.run(
        ["bash", "-c", program],
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        capture_output=True,
        encoding="utf-8",
    )
    assert completed.stdout.split() == ["watch"]


def test_the_wheel_is_the_same_whether_it_is_built_from_the_checkout_or_the_archive(
    wheel: Path, tmp_path: Path
) -> None:
    options = ("--wheel", "--no-isolation", "--outdir", tmp_path)
    run(sys.executable, "-m", "build", *options, ROOT, cwd=tmp_path)
    (direct,) = tmp_path.glob("*.whl")
    assert contents(direct) == contents(wheel)


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_license_goes_with_the_wheel(wheel: Path) -> None:
    held = contents(wheel)
    (named,) = (name for name in held if name.endswith(".dist-info/licenses/LICENSE"))
    assert held[named] == (ROOT / "LICENSE").read_bytes()


def test_every_public_type_is_complete(installed: Path, tmp_path: Path) -> None:
    """What pyright tells those whose editor reads the types of the installed package."""
    # It looks for the package where the first `python` is.
    path = os.pathsep.join((str(installed), os.environ["PATH"]))
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "pyright", "--verifytypes", "twelvetasks"),
            *("--ignoreexternal", "--outputjson"),
        ],
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        encoding="utf-8",
    )
    completeness = json.loads(checked.stdout)["typeCompleteness"]
    assert Path(completeness["pyTypedPath"]).is_relative_to(installed.parent)
    incomplete = [
        f"{symbol['name']}: {diagnostic['message']}"
        for symbol in completeness["symbols"]
        for diagnostic in symbol["diagnostics"]
        if diagnostic["severity"] == "error"
    ]
    assert incomplete == []
    assert completeness["completenessScore"] == 1


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment that has the wheel and what it requires, from the index."""
    places = new_environment(tmp_path_factory.mktemp("core"))
    return pip_installed(places, "--quiet", "--disable-pip-version-check", wheel)


class TestWithoutExtras:
    def test_the_library_works(self, core: Path, tmp_path: Path) -> None:
        program = (
            "import asyncio, twelvetasks\n"
            "from twelvetasks.testing import FakePlatform\n"
            "async def main():\n"
            "    async with FakePlatform.demo(120) as platform, twelvetasks.TaskSession(\n"
            "        platform.api_key, base_url=platform.base_url\n"
            "    ) as session:\n"
            "        print(len(await session.tasks()))\n"
            "asyncio.run(main())\n"
        )
        command = (core / "python", "-W", "error", "-c", program)
        assert run(*command, cwd=tmp_path) == "120\n"

    def test_what_is_installed_agrees_with_itself(self, core: Path, tmp_path: Path) -> None:
        pip = (sys.executable, "-m", "pip", "--python", core / "python")
        assert run(*pip, "check", cwd=tmp_path) == "No broken requirements found.\n"

    @pytest.mark.parametrize("command", [["twelvetasks"], ["python", "-m", "twelvetasks"]])
    def test_the_command_says_what_to_install(
        self, core: Path, command: list[str], tmp_path: Path
    ) -> None:
        ended = subprocess.run(
            [core / command[0], *command[1:], "count"],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
        )
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr == (
            "twelvetasks: the command needs its extra: pip install 'twelvetasks[cli]'\n"
        )

    def test_the_command_knows_its_version_without_its_extra(
        self, core: Path, metadata: Message, tmp_path: Path
    ) -> None:
        printed = run(core / "twelvetasks", "--version", cwd=tmp_path)
        assert printed == f"twelvetasks, version {metadata['Version']}\n"

    def test_a_module_of_an_extra_says_what_to_install(self, core: Path, tmp_path: Path) -> None:
        """Every public module can be imported, or names the command that makes that so."""
        for module in public.modules():
            program = (
                f"try: import {module.__name__}\n"
                "except ImportError as error: print(type(error).__name__, error)\n"
            )
            printed = run(core / "python", "-c", program, cwd=tmp_path)
            needs = r"ImportError .*pip install 'twelvetasks\[[\w,]+\]'\n"
            if module.__name__.endswith(".pytest_plugin"):
                needs = r"ModuleNotFoundError No module named 'pytest'\n"
            assert re.fullmatch(f"(?:{needs})?", printed), printed


def test_each_extra_resolves_alone(wheel: Path, metadata: Message, tmp_path: Path) -> None:
    """From nothing but the wheel and where pip finds packages; nothing is installed."""
    venv.create(tmp_path / "empty")
    places = {"base": str(tmp_path / "empty"), "platbase": str(tmp_path / "empty")}
    python = Path(sysconfig.get_path("scripts", "venv", places), "python")
    for extra in metadata.get_all("Provides-Extra", []):
        report = run(
            *(sys.executable, "-m", "pip", "--python", python, "install", "--dry-run"),
            *("--quiet", "--disable-pip-version-check", "--report", "-", f"{wheel}[{extra}]"),
            cwd=tmp_path,
        )
        resolved = {normalized(item["metadata"]["name"]) for item in json.loads(report)["install"]}
        wanted = {
            normalized(re.split(r"[^\w.-]", requirement)[0])
            for requirement in requirements(metadata)
            if "extra ==" not in requirement or f"extra == '{extra}'" in requirement
        }
        assert wanted <= resolved, extra


def normalized(name: str) -> str:
    """Write a project's name as the package index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("command", [["twelvetasks"], ["python", "-m", "twelvetasks"]])
def test_the_command_knows_its_version(
    installed: Path, metadata: Message, command: list[str], tmp_path: Path
) -> None:
    printed = run(installed / command[0], *command[1:], "--version", cwd=tmp_path)
    assert printed == f"twelvetasks, version {metadata['Version']}\n"


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
            assert re.fullmatch(r"[\w-]+(\[[\w,-]+\])?>=[\d.]+(b\d+)?", versions), versions


def described(metadata: Message) -> str:
    payload = metadata.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def test_the_metadata_says_what_it_is(metadata: Message) -> None:
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["Summary"]
    assert described(metadata).strip() == (ROOT / "README.md").read_text("utf-8").strip()


def headings(document: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_the_readme_leads_only_where_something_is(metadata: Message) -> None:
    """Its plots are files of the repository, which has no address of its own yet."""
    targets = re.findall(
        r"\]\(([^)\s]+)\)|<(?:img|a) [^>]*(?:src|href)=\"([^\"]+)", described(metadata)
    )
    for target in filter(None, (one for pair in targets for one in pair)):
        name, _, heading = target.partition("#")
        assert not name or name.startswith("https://") or (ROOT / name).exists(), target
        if name.endswith(".md") and heading and not name.startswith("https://"):
            assert heading in headings(ROOT / name), target
    for label in metadata.get_all("Project-URL", []):
        assert label.partition(", ")[2].startswith("https://")


def test_the_changelog_knows_the_version(metadata: Message) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"\b{re.escape(metadata['Version'])}\b", changelog)
    assert changelog.count("\n## [Unreleased]\n") == 1
