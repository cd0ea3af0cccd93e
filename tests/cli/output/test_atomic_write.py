"""Files that are rewritten keep their mode, and nothing of another user is written to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.cli.running import Command
from twelvetasks.cli.output.output_file import part_of
from twelvetasks.testing import FakePlatform


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            ["list", "--output", f"out{end}"]
            for end in (".csv", ".jsonl", ".json", ".parquet", ".csv.gz")
        ),
        ["stats", "--html", "out.html"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_a_file_keeps_its_mode(
    command: Command,
    account: FakePlatform,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    mode: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / arguments[-1]
    path.touch()
    path.chmod(mode)
    assert command(*arguments, platform=account).code == 0
    assert path.stat().st_size > 0
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_part_of_another_user_is_refused_and_kept(
    command: Command, account: FakePlatform, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    part = part_of(output)
    part.write_text("theirs")
    os.chown(part, 65534, 65534)
    refused = command("list", "--output", str(output), platform=account)
    assert refused.code == 1
    assert "of another user" in refused.complaint
    assert part.read_text() == "theirs"
