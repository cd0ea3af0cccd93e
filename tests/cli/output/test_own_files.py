"""What other users put where the command writes: refused with the reason, and nothing is lost."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from tests.cli.running import Command, spawn
from twelvetasks.cli.output.own_files import is_device
from twelvetasks.testing import FakePlatform

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
NOBODY = 65534


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def their_file(path: Path) -> None:
    path.write_text("theirs")
    path.chmod(0o666)
    os.chown(path, NOBODY, NOBODY)


def mine(path: Path) -> Path:
    """A file of this user that another one wants to be overwritten."""
    path = path.with_name("mine")
    path.write_text("mine")
    return path


def their_link(path: Path) -> None:
    path.symlink_to(mine(path))
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def their_dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("new"))
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def my_link_to_their_link(path: Path) -> None:
    path.symlink_to(path.with_name("theirs"))
    their_link(path.with_name("theirs"))


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


Plant = Callable[[Path], None]
PLACES = [
    ["list", "--output", "out.jsonl"],
    ["list", "--output", "out.json"],
    ["stats", "--html", "out.html"],
    ["watch", "--checkpoint", "place"],
]


def held(directory: Path) -> dict[str, object]:
    """Everything in a folder that must stay as it is."""
    return {
        path.name: (
            path.lstat().st_mode,
            path.lstat().st_uid,
            path.read_bytes() if path.is_file() else None,
        )
        for path in directory.iterdir()
    }


@pytest.mark.parametrize("arguments", PLACES, ids=" ".join)
@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        (pipe, "is not a file that could be replaced"),
        (unix_socket, "is not a file that could be replaced"),
        (folder, "is a directory"),
        (link_to_itself, "is a link to itself"),
        pytest.param(their_file, "is a file of another user", marks=as_root),
        pytest.param(their_link, "is a link of another user", marks=as_root),
        pytest.param(their_dangling_link, "is a link of another user", marks=as_root),
        pytest.param(my_link_to_their_link, "is a link of another user", marks=as_root),
    ],
)
def test_what_stands_at_the_name_of_an_output_is_refused(
    command: Command,
    account: FakePlatform,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    plant: Plant,
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    plant(Path(arguments[-1]))
    before = held(tmp_path)
    refused = command(*arguments, platform=account)
    assert refused.code == 2
    assert arguments[1] in refused.complaint
    assert reason in refused.complaint
    assert held(tmp_path) == before
    assert account.requests == []


def my_link(path: Path) -> None:
    path.symlink_to(mine(path))


def second_name(path: Path) -> None:
    path.hardlink_to(mine(path))


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        (my_link, "is a link"),
        (second_name, "second name"),
        (pipe, "a pipe"),
        (unix_socket, "a pipe"),
        (folder, "Is a directory"),
        pytest.param(their_file, "of another user", marks=as_root),
    ],
)
@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv.gz"])
def test_what_stands_at_the_name_of_a_part_is_refused(
    command: Command,
    account: FakePlatform,
    tmp_path: Path,
    plant: Plant,
    reason: str,
    suffix: str,
) -> None:
    plant(tmp_path / f"out.{suffix}.part")
    before = held(tmp_path)
    refused = command("list", "--output", str(tmp_path / f"out.{suffix}"), platform=account)
    assert refused.code == 1
    assert reason in refused.complaint
    assert held(tmp_path) == before
    assert account.requests == []


@pytest.fixture
def interrupted(command: Command, long_account: FakePlatform, tmp_path: Path) -> Path:
    """The output of a listing that was interrupted after two pages."""
    output = tmp_path / "out.jsonl"
    output.touch(0o600)
    long_account.fail(status=500, page=3, times=5)
    arguments = ("list", "--sort-by", "updated_at", "--output", str(output))
    assert command(*arguments, platform=long_account).code == 1
    return output


@pytest.mark.parametrize("plant", [my_link, pipe, folder, pytest.param(their_file, marks=as_root)])
def test_a_planted_checkpoint_of_a_part_is_refused_and_the_part_kept(
    command: Command, long_account: FakePlatform, interrupted: Path, plant: Plant
) -> None:
    checkpoint = interrupted.with_name("out.jsonl.part.checkpoint")
    checkpoint.unlink()
    plant(checkpoint)
    before = held(interrupted.parent)
    arguments = ("list", "--sort-by", "updated_at", "--output", str(interrupted), "--resume")
    refused = command(*arguments, platform=long_account)
    assert refused.code == 1
    assert str(checkpoint) in refused.complaint
    assert held(interrupted.parent) == before


def torn(text: bytes) -> bytes:
    """Join two lines, and keep the length."""
    return text.replace(b"\n", b" ", 1)


def without_ids(text: bytes) -> bytes:
    return text.replace(b'"_id"', b'"id_"')


def fewer(text: bytes) -> bytes:
    """Blank the first line."""
    return b"\n" * (text.index(b"\n") + 1) + text[text.index(b"\n") + 1 :]


def no_text(text: bytes) -> bytes:
    return b"\xff" + text[1:]


@pytest.mark.parametrize("change", [torn, without_ids, fewer, no_text])
def test_a_part_that_does_not_hold_its_tasks_is_refused_and_kept(
    command: Command,
    long_account: FakePlatform,
    interrupted: Path,
    change: Callable[[bytes], bytes],
) -> None:
    part = interrupted.with_name("out.jsonl.part")
    part.write_bytes(change(part.read_bytes()))
    before = part.read_bytes()
    arguments = ("list", "--sort-by", "updated_at", "--output", str(interrupted), "--resume")
    refused = command(*arguments, platform=long_account)
    assert refused.code == 2
    assert f"{part} does not hold the tasks of its checkpoint" in refused.complaint
    assert part.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b",", 2).replace(b",", b"\n", 1),
        lambda text: text.replace(b"2025", b'"025', 1),
        lambda text: text.replace(b"id,", b"no,", 1),
    ],
)
def test_a_part_of_csv_that_is_torn_is_refused(
    command: Command,
    long_account: FakePlatform,
    tmp_path: Path,
    change: Callable[[bytes], bytes],
) -> None:
    output, part = tmp_path / "out.csv", tmp_path / "out.csv.part"
    long_account.fail(status=500, page=3, times=5)
    arguments = ("list", "--sort-by", "updated_at", "--output", str(output))
    assert command(*arguments, platform=long_account).code == 1
    changed = change(part.read_bytes())
    assert changed != part.read_bytes()
    part.write_bytes(changed)
    refused = command(*arguments, "--resume", platform=long_account)
    assert refused.code == 2
    assert "does not hold the tasks of its checkpoint" in refused.complaint
    assert part.read_bytes() == changed


def test_a_part_and_its_checkpoint_are_as_private_as_the_file_they_become(
    command: Command, long_account: FakePlatform, interrupted: Path
) -> None:
    others = [path for path in interrupted.parent.iterdir() if path != interrupted]
    assert len(others) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in others} == {0o600}
    arguments = ("list", "--sort-by", "updated_at", "--output", str(interrupted), "--resume")
    assert command(*arguments, platform=long_account).code == 0
    assert stat.S_IMODE(interrupted.stat().st_mode) == 0o600
    assert len({json.loads(line)["_id"] for line in interrupted.read_text().splitlines()}) == 300


def test_a_part_is_private_before_the_first_task_is_in_it(
    command: Command, account: FakePlatform, tmp_path: Path
) -> None:
    (tmp_path / "out.json").touch(0o600)
    modes = []

    def look(_: FakePlatform, __: web.Request) -> None:
        modes.append(stat.S_IMODE((tmp_path / "out.json.part").stat().st_mode))

    account.before_each(look)
    assert command("list", "--output", str(tmp_path / "out.json"), platform=account).code == 0
    assert set(modes) == {0o600}


@pytest.mark.parametrize("as_link", [False, True])
@pytest.mark.usefixtures("interruptible")
def test_the_checkpoint_of_a_watch_keeps_its_mode_and_a_link_to_it_stays(
    account: FakePlatform, tmp_path: Path, as_link: bool
) -> None:
    place = tmp_path / "place"
    started = [
        "watch",
        "--updated-since",
        "600w",
        "--base-url",
        str(account.base_url),
        "--checkpoint",
    ]

    def saved_anew() -> None:
        before = place.read_text() if place.exists() else ""
        with spawn([*started, str(tmp_path / ("link" if as_link else "place"))]) as process:
            while not place.exists() or place.read_text() == before:
                assert process.poll() is None
            process.kill()
            process.communicate()

    if as_link:
        (tmp_path / "link").symlink_to(place)
    saved_anew()
    place.chmod(0o600)
    account.add(status="ready")
    saved_anew()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert not as_link or (tmp_path / "link").is_symlink()


def test_only_what_the_system_provides_is_a_device() -> None:
    assert is_device(Path("/dev/stdout"))
    assert is_device(Path("/dev/null"))
    assert is_device(Path("/dev/fd/63"))
    assert not is_device(Path("/dev/shm/page.html"))
    assert not is_device(Path("/dev/page.html"))
