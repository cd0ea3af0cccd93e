"""Completion, asked for by real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import AS_SCRIPT, LONGEST_WAIT, Command

BASH = """
eval "$(twelvetasks completion bash)"
complete -p twelvetasks >/dev/null || exit 3
COMP_WORDS=(twelvetasks {words} "{last}")
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_twelvetasks_completion twelvetasks
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

FISH = """
twelvetasks completion fish | source
complete --do-complete "twelvetasks {words} {last}"
"""


def asked(shell: str, script: str, words: str, last: str) -> list[str]:
    """Let the shell complete the last word, and give what it offers."""
    environment = os.environ | {"PATH": f"{Path(AS_SCRIPT[0]).parent}:{os.environ['PATH']}"}
    answered = subprocess.run(
        [shell, "-c", script.format(words=words, last=last)],
        check=False,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=LONGEST_WAIT,
    )
    assert (answered.returncode, answered.stderr) == (0, "")
    return [line.split("\t")[0] for line in answered.stdout.splitlines()]


@pytest.mark.parametrize(
    ("shell", "words", "last", "offered"),
    [
        ("bash", "", "wa", ["wait", "watch"]),
        ("bash", "list", "--st", ["--status"]),
        ("bash", "list", "--api", []),
        ("bash", "list --status", "re", ["ready"]),
        ("bash", "watch --kind", "", ["tasks", "indexed-assets"]),
        ("bash", "count --kind", "analysis", ["analysis-tasks", "analysis-batches"]),
        ("bash", "list --columns", "id,status,cre", ["id,status,created_at"]),
        ("bash", "list --columns", "index_id,i", ["index_id,id"]),
        ("fish", "list", "--st", ["--status"]),
        ("fish", "list --format", "", ["table", "jsonl", "json", "csv", "ids", "parquet"]),
        # Not behind a comma: click's script for fish takes one for the end of a value.
        ("fish", "list --columns", "sta", ["status"]),
    ],
)
def test_a_shell_completes_commands_flags_and_values(
    shell: str, words: str, last: str, offered: list[str]
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    script = {"bash": BASH, "fish": FISH}[shell]
    given = [word for word in asked(shell, script, words, last) if word]
    assert sorted(given) == sorted(offered)


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh")
def test_zsh_takes_its_script() -> None:
    script = 'autoload -U compinit; compinit -u; eval "$(twelvetasks completion zsh)"; {words}'
    assert asked("zsh", script, "echo $_comps[twelvetasks]", "") == ["_twelvetasks_completion"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_a_result(command: Command, shell: str) -> None:
    printed = command("completion", shell)
    assert (printed.code, printed.err) == (0, "")
    assert f"_TWELVETASKS_COMPLETE={shell}_complete" in printed.out


def test_another_shell_is_refused(command: Command) -> None:
    refused = command("completion", "csh")
    assert refused.code == 2
    assert "'csh' is not one of 'bash', 'zsh', 'fish'" in refused.complaint
