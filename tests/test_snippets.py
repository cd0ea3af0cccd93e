"""Every snippet of README, guides and docstrings, run: there is none without a test.

Each fenced block is a case of one of the tests below, and one that none of them knows how to run
fails. Every public name has to occur in one that runs.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import stamina
from yarl import URL

import twelvetasks
from tests import public
from tests.snippets import (  # noqa: F401 - fixtures, too
    DOCUMENTS,
    FENCE,
    PYTHON,
    SNIPPETS,
    WEBHOOK_SECRET,
    Snippet,
    account,
    assert_as_promised,
    ordinary_environment,
    run_fragment,
    run_program,
    run_shell,
    snippets,
    with_a_free_port,
)
from tests.test_fleet import Server, server  # noqa: F401 - a fixture
from tests.transport.houses import House, moved_in
from tests.webhooks.servers import by_uvicorn
from twelvetasks import TaskSession
from twelvetasks.cli.profiles import profiles_path
from twelvetasks.cli.program import run
from twelvetasks.testing import FakePlatform

INDEX = "62a0906d47f5678267ec10a6"
"""The index that the documents name."""

DIRECTIVES = {"{eval-rst}", "{toctree}"}
"""What Sphinx makes the pages of; none of them holds code."""


@pytest.fixture
def house(
    account: FakePlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    """Proxies and TLS before the account, which the environment knows nothing of but the file."""
    with moved_in(tmp_path, account.base_url) as made:
        for name in ("PLATFORM", "TWELVELABS_BASE_URL"):
            monkeypatch.setenv(name, str(made.base_url))
        monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
        yield made


class TestSnippets:
    def test_there_is_none_without_a_test(self) -> None:
        known = {
            "install",
            "commands",
            "commands elsewhere",
            "console",
            "directive",
            "none",
            "text",
            "toml",
            *PYTHON,
        }
        assert [str(snippet) for snippet in SNIPPETS if snippet.kind not in known] == []

    @pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
    def test_nothing_else_in_a_document_looks_like_one(self, document: Path) -> None:
        text = document.read_text("utf-8")
        fences = FENCE.findall(text)
        assert len(re.findall(r"^ *(?:```|~~~|:::)", text, re.MULTILINE)) == 2 * len(fences)
        assert not re.search(r"^(?: {4}|\t)", FENCE.sub("", text), re.MULTILINE)
        directives = {language for language, _ in fences if language.startswith("{")}
        assert directives <= DIRECTIVES

    def test_every_public_name_occurs_in_one_that_runs(self) -> None:
        used = set().union(*(snippet.names() for snippet in SNIPPETS))
        assert [f"{of.__name__}.{name}" for of, name in public.names() if name not in used] == []

    def test_every_output_is_that_of_a_python_snippet(self) -> None:
        for before, snippet in itertools.pairwise(SNIPPETS):
            assert snippet.kind != "text" or before.kind in PYTHON

    @snippets("program")
    def test_a_program_does_what_it_says(
        self,
        account: FakePlatform,
        snippet: Snippet,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (tmp_path / "harbour.mp4").write_bytes(b"video" * 100)
        monkeypatch.chdir(tmp_path)
        run_program(snippet, tmp_path)
        printed, complaints = capsys.readouterr()
        assert (printed != "", complaints) == (True, "")
        assert_as_promised(printed, snippet.promised or "...\n")
        assert account.requests

    @snippets("demo")
    def test_a_program_with_a_platform_of_its_own_does_what_it_says(
        self,
        snippet: Snippet,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        run_program(snippet, tmp_path)
        assert snippet.promised is not None
        assert_as_promised(capsys.readouterr().out, snippet.promised)

    @snippets("fragment")
    async def test_a_fragment_does_what_it_says(
        self,
        account: FakePlatform,
        snippet: Snippet,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        # Where the waits are the point, they take place.
        stamina.set_testing("RateLimit(" not in snippet.source, attempts=5)
        async with asyncio.timeout(60), TaskSession() as session:
            await run_fragment(snippet, asyncio=asyncio, session=session, twelvetasks=twelvetasks)
        assert snippet.promised is not None
        assert_as_promised(capsys.readouterr().out, snippet.promised)

    @snippets("docstring")
    async def test_an_example_of_a_docstring_runs(
        self, account: FakePlatform, snippet: Snippet
    ) -> None:
        names: dict[str, Any] = {name: getattr(module, name) for module, name in public.names()}
        async with (
            asyncio.timeout(30),
            TaskSession() as session,
            session.tasks(max_items=1) as stream,
        ):
            names |= {"__name__": "example", "asyncio": asyncio, "twelvetasks": twelvetasks}
            names |= {"session": session, "stream": stream}
            names["asset"] = account.indexed_assets.items(index_id=INDEX)[0]["_id"]
            names["tasks"] = [task["_id"] for task in account.tasks(status="ready")[:2]]
            names["task"] = names["tasks"][0]
            await run_fragment(snippet, **names)

    @snippets("toml")
    def test_the_profiles_of_a_guide_are_profiles(
        self, snippet: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        monkeypatch.setenv("HOME", str(tmp_path))
        profiles_path().parent.mkdir(parents=True)
        profiles_path().write_text(snippet.source, "utf-8")
        for name in tomllib.loads(snippet.source):
            assert run(["count", "--demo", "--profile", name]) == 0

    @snippets("sdk")
    def test_a_program_of_the_official_sdk_does_what_it_says(
        self, account: FakePlatform, snippet: Snippet, tmp_path: Path
    ) -> None:
        pytest.importorskip("twelvelabs")
        (tmp_path / "snippet.py").write_text(snippet.source, "utf-8")
        (tmp_path / "harbour.mp4").write_bytes(b"video" * 100)
        printed = run_shell("python snippet.py", tmp_path)
        assert snippet.promised is not None
        assert_as_promised(printed, snippet.promised)
        assert account.requests

    @snippets("fleet")
    def test_a_program_of_a_fleet_does_what_it_says(
        self,
        account: FakePlatform,
        server: Server,
        snippet: Snippet,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("REDIS_URL", server.url)
        self.test_a_program_does_what_it_says(account, snippet, tmp_path, monkeypatch, capsys)

    @snippets("watch")
    async def test_a_watch_prints_what_changes(
        self,
        account: FakePlatform,
        snippet: Snippet,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """It has no end of its own: it is cancelled when it has printed what is promised."""
        monkeypatch.chdir(tmp_path)
        promised = snippet.promised
        assert promised is not None
        listens = "port=8080" in snippet.source
        served_there, address = with_a_free_port(snippet, monkeypatch)
        names: dict[str, Any] = {}
        printed = ""
        async with TaskSession() as session, asyncio.timeout(30):
            watching = asyncio.ensure_future(run_fragment(served_there, names, session=session))
            # What is answered first is where the watch begins.
            while not (account.requests and account.requests[0].status):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            if listens:
                account.add_webhook(address, WEBHOOK_SECRET)
            account.update(promised.split()[0], status=promised.split()[-1])
            while printed.count("\n") < promised.count("\n"):
                await asyncio.sleep(0.01)
                printed += capsys.readouterr().out
            watching.cancel()
            await asyncio.wait([watching])
            if listens:
                await names["runner"].cleanup()
        assert printed == promised
        assert [delivery.status for delivery in account.deliveries] == [200] * listens

    @snippets("asgi")
    async def test_an_asgi_application_takes_webhooks(
        self,
        account: FakePlatform,
        snippet: Snippet,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        promised = snippet.promised
        assert promised is not None
        monkeypatch.setenv("WEBHOOK_SECRET", WEBHOOK_SECRET)
        names: dict[str, Any] = {}
        exec(compile(snippet.source, str(snippet), "exec"), names)
        async with by_uvicorn(names["app"]) as url, asyncio.timeout(30):
            account.add_webhook(URL(url).with_path("/webhooks"), WEBHOOK_SECRET)
            account.update(promised.split()[0], status=promised.split()[-1])
            while not account.deliveries:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert [delivery.status for delivery in account.deliveries] == [200]
        assert capsys.readouterr().out == promised

    @snippets("elsewhere")
    def test_a_program_behind_real_proxies_does_what_it_says(
        self,
        house: House,
        account: FakePlatform,
        snippet: Snippet,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        here = attrs.evolve(snippet, source=house.moved(snippet.source))
        self.test_a_program_does_what_it_says(account, here, tmp_path, monkeypatch, capsys)
        assert house.tunnels() == ("proxy.example.com" in snippet.source)

    @snippets("commands elsewhere")
    def test_commands_behind_real_proxies_do_what_they_say(
        self, house: House, account: FakePlatform, snippet: Snippet, tmp_path: Path
    ) -> None:
        here = attrs.evolve(snippet, source=house.moved(snippet.source))
        self.test_commands_do_what_they_say(account, here, tmp_path)
        assert house.tunnels() == ("proxy.example.com" in snippet.source)

    @snippets("pytest")
    def test_a_test_passes_where_twelvetasks_is_only_installed(
        self, snippet: Snippet, tmp_path: Path
    ) -> None:
        (tmp_path / "test_snippet.py").write_text(snippet.source, "utf-8")
        printed = run_shell(
            "python -m pytest -q -W error -p no:asyncio -p no:cacheprovider", tmp_path
        )
        passed = re.search(r"^(\d+) passed", printed, re.MULTILINE)
        assert passed is not None, printed
        assert int(passed[1]) >= snippet.source.count("def test_")

    @snippets("commands")
    def test_commands_do_what_they_say(
        self, account: FakePlatform, snippet: Snippet, tmp_path: Path
    ) -> None:
        printed = run_shell(snippet.source, tmp_path)
        assert account.requests
        assert all(request.status == 200 for request in account.requests)
        assert account.tasks(status="failed", sort_by="updated_at")[0]["_id"] in printed

    @snippets("console")
    def test_what_a_terminal_shows_is_what_it_will_show(
        self, account: FakePlatform, snippet: Snippet, tmp_path: Path
    ) -> None:
        commands = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", snippet.source, re.MULTILINE)
        assert commands
        for command, promised in commands:
            assert_as_promised(run_shell(command, tmp_path), promised)
