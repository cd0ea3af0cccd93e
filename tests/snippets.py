"""The snippets of the documents, what each of them is to print, and how to run a document's code.

The documents are the README, the guides and the docstrings of what is public. What is not as in
the reader's program is the address alone. Python snippets find the embedded platform by an
environment variable; the command gets a `--base-url` from a shell function of its name. The key
comes from the environment, as the README says.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import runpy
import socket
import subprocess
import sysconfig
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests import public
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory

ROOT = Path(__file__).parents[1]
GUIDES = ROOT / "examples" / "guides"
SCRIPTS = sysconfig.get_path("scripts")
KEY = "tlk_YOUR_KEY"
WEBHOOK_SECRET = "whsec_YOUR_SECRET"

COMMAND = """
twelvetasks() {
    case "$*" in
        *--demo*) command twelvetasks "$@" ;;
        *) command twelvetasks "$@" --base-url "$PLATFORM" ;;
    esac
}
"""
"""The command, with the address of the test's platform wherever it would speak to TwelveLabs."""

ELSEWHERE = (
    "proxy.example.com:3128",
    "socks.example.com:1080",
    "/etc/ssl/company.pem",
    "sidecar:8080",
)
"""What stands between a program and the platform; the tests put real ones in their places."""

MARKS = {
    "\ndef test_": "pytest",
    "from twelvelabs": "sdk",
    "REDIS_URL": "fleet",
    "FastAPI(": "asgi",
    **dict.fromkeys(ELSEWHERE, "elsewhere"),
}
"""What shows that a Python snippet is of a kind."""

PYTHON = ("demo", "docstring", "fragment", "program", "watch", *MARKS.values())
"""The kinds of snippets that are Python."""

FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
LITERAL = re.compile(r"::\n\n((?:(?: {4}.*)?\n)+)")


@attrs.frozen(kw_only=True)
class Snippet:
    """A fenced block of Markdown, or an indented one of a docstring."""

    document: str
    line: int
    language: str
    source: str
    promised: str | None = None
    """What the document says that it prints, where a line ``...`` is any lines."""

    @property
    def kind(self) -> str:
        """What it is, and so the test of `test_snippets` that runs it."""
        if self.language == "sh":
            if any(place in self.source for place in ELSEWHERE):
                return "commands elsewhere"
            return "install" if self.source.startswith("python3 -m venv") else "commands"
        if self.language.startswith("{"):
            return "directive"
        if self.language != "python":
            return self.language
        for mark, kind in MARKS.items():
            if mark in self.source:
                return kind
        if "session.watch(" in self.source and "asyncio.run(" not in self.source:
            return "watch"
        if "asyncio.run(" not in self.source:
            return "fragment"
        return "demo" if "FakePlatform.demo(" in self.source else "program"

    def __str__(self) -> str:
        return f"{self.document} line {self.line}"

    def names(self) -> set[str]:
        """Give every name that its code uses: variables, attributes, imports and arguments."""
        if self.kind not in PYTHON:
            return set()
        found: set[str] = set()
        for node in ast.walk(ast.parse(self.source)):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                    found.add(name)
                case ast.alias(name=name):
                    found.update(name.split("."))
        return found


def in_markdown(path: Path) -> list[Snippet]:
    """Find the snippets of a file; what follows one as ``text`` is what it prints."""
    text = path.read_text("utf-8")
    found: list[Snippet] = []
    for fence in FENCE.finditer(text):
        snippet = Snippet(
            document=path.relative_to(ROOT).as_posix(),
            line=text.count("\n", 0, fence.start()) + 1,
            language=fence[1],
            source=fence[2],
        )
        if snippet.kind == "text" and found and found[-1].kind in PYTHON:
            found[-1] = attrs.evolve(found[-1], promised=snippet.source)
        found.append(snippet)
    return found


@attrs.frozen(kw_only=True)
class DocstringSnippet(Snippet):
    """It runs as a fragment does, and shows its point without printing."""

    @property
    def kind(self) -> str:
        """Its own: it need not print."""
        return "docstring"


def in_docstrings() -> Iterator[Snippet]:
    """Find the snippets of what is public: literal blocks after ``::``."""
    for name, documented in public.documented():
        text = inspect.getdoc(documented) or ""
        for block in LITERAL.finditer(f"{text}\n"):
            yield DocstringSnippet(
                document=name,
                line=text.count("\n", 0, block.start(1)) + 1,
                language="python",
                source=textwrap.dedent(block[1]),
            )


README = in_markdown(ROOT / "README.md")
DOCUMENTS = [ROOT / "README.md", *sorted(GUIDES.rglob("*.md"))]
SNIPPETS = [
    *(snippet for document in DOCUMENTS for snippet in in_markdown(document)),
    *in_docstrings(),
]


def snippets(kind: str) -> pytest.MarkDecorator:
    """Let a test run once for each snippet of a kind."""
    found = [snippet for snippet in SNIPPETS if snippet.kind == kind]
    return pytest.mark.parametrize("snippet", found, ids=str)


def assert_as_promised(printed: str, promised: str) -> None:
    """Compare what was printed with what was promised, where a line ``...`` is any lines."""
    pattern = re.escape(promised).replace(re.escape("...\n"), "(?:.*\n)*")
    if not re.fullmatch(pattern, printed):
        raise AssertionError(f"printed:\n{printed}\npromised:\n{promised}")


@pytest.fixture(autouse=True)
def ordinary_environment(monkeypatch: pytest.MonkeyPatch, retries_do_not_sleep: None) -> None:
    """Provide what a reader has: a key in the environment."""
    monkeypatch.setenv("TWELVE_LABS_API_KEY", KEY)
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture
def account(
    fake_platform_factory: FakePlatformFactory, monkeypatch: pytest.MonkeyPatch
) -> FakePlatform:
    """The tasks of the demo, where a session looks that is not told where to look."""
    platform = fake_platform_factory(1000, api_key=KEY, indexing_time=0.5)
    return served(platform, monkeypatch)


def served(platform: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> FakePlatform:
    """Let a session look at this platform that is not told where to look."""
    monkeypatch.setenv("PLATFORM", str(platform.base_url))
    # The official SDK's own variable, which a session reads, too.
    monkeypatch.setenv("TWELVELABS_BASE_URL", str(platform.base_url))
    return platform


def run_program(snippet: Snippet, folder: Path) -> None:
    """Run a snippet as the main module of a program."""
    program = folder / "snippet.py"
    program.write_text(snippet.source, "utf-8")
    runpy.run_path(str(program), run_name="__main__")


def with_a_free_port(snippet: Snippet, monkeypatch: pytest.MonkeyPatch) -> tuple[Snippet, str]:
    """Let a snippet listen where it disturbs nobody, and say where webhooks reach it."""
    monkeypatch.setenv("WEBHOOK_SECRET", WEBHOOK_SECRET)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    source = snippet.source.replace("port=8080", f"port={port}, host='127.0.0.1'")
    return attrs.evolve(snippet, source=source), f"http://127.0.0.1:{port}/webhooks"


async def run_fragment(
    snippet: Snippet, namespace: dict[str, Any] | None = None, **names: Any
) -> None:
    """Run a snippet as a part of an async program; its names are left in the namespace."""
    code = compile(
        snippet.source,
        str(snippet),
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        dont_inherit=True,  # a reader's program has no `annotations` of the future
    )
    namespace = {} if namespace is None else namespace
    namespace.update(names)
    awaited = eval(code, namespace)
    if inspect.iscoroutine(awaited):
        await awaited


def run_shell(script: str, folder: Path) -> str:
    """Run a script in which ``python`` and ``twelvetasks`` are those of this environment."""
    ended = subprocess.run(
        ["sh", "-ec", COMMAND + script],
        check=False,
        cwd=folder,
        env=os.environ | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout
