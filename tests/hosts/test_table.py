"""The guide's table of hosts: each is run by a test, in the version that CI installs."""

from __future__ import annotations

import re

from tests.snippets import GUIDES, ROOT

HOSTS = {
    "aiohttp": "tests/test_examples.py",
    "aiogram": "tests/hosts/test_bots.py",
    "anyio": "tests/hosts/test_runtimes.py",
    "awslambdaric": "tests/hosts/test_runtimes.py",
    "discord.py": "tests/test_examples.py",
    "django": "tests/webhooks/test_synchronous.py",
    "fastapi": "tests/test_examples.py",
    "flask": "tests/webhooks/test_synchronous.py",
    "granian": "tests/hosts/test_servers.py",
    "gunicorn": "tests/hosts/test_servers.py",
    "hypercorn": "tests/hosts/test_servers.py",
    "ipykernel": "tests/hosts/test_runtimes.py",
    "ipython": "tests/values/test_display.py",
    "slack_bolt": "tests/hosts/test_bots.py",
    "starlette": "tests/webhooks/servers.py",
    "trio": "tests/webhooks/test_trio.py",
    "uvicorn": "tests/hosts/test_servers.py",
    "uvloop": "tests/hosts/test_runtimes.py",
}
"""Each host by the name of its package, and the test that runs it."""


def rows() -> dict[str, str]:
    """Read the table: the version of each host."""
    guide = (GUIDES / "services.md").read_text("utf-8")
    table = guide.partition("## Hosts that are tested")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `([^`]+)` \| ([\d.]+) \|", table, re.MULTILINE))


def test_the_table_names_the_hosts_that_tests_run() -> None:
    assert rows().keys() == HOSTS.keys()
    for host, path in HOSTS.items():
        name = {"ipykernel": "nbclient", "discord.py": "bot.py"}.get(host, host)
        assert name.lower() in (ROOT / path).read_text("utf-8").lower(), host


def test_the_table_has_the_versions_that_ci_installs() -> None:
    pins = (ROOT / ".ci" / "requirements.txt").read_text("utf-8")
    installed = dict(re.findall(r"^([\w-]+)==(\S+)", pins, re.MULTILINE))
    assert rows() == {host: installed[re.sub(r"[._]", "-", host)] for host in HOSTS}
