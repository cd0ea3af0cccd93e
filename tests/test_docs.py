"""The guides and the reference build without a warning, and leave out nothing that is public."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from enum import Enum
from pathlib import Path

import attrs
import pytest
from sphinx.util.inventory import InventoryFile

import twelvetasks
from tests import public, unmeasured
from tests.snippets import GUIDES, ROOT, SNIPPETS


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built as `nox -s docs` builds them."""
    folder = tmp_path_factory.mktemp("docs")
    # The network would be asked through this, if it were asked.
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-E", "-q", GUIDES, folder],
        check=False,
        cwd=ROOT,
        env=unmeasured.environment() | nowhere,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    if built.returncode:
        pytest.fail(built.stdout + built.stderr, pytrace=False)
    return folder


@pytest.fixture(scope="module")
def described(built: Path) -> dict[str, str]:
    """What the reference describes, by its dotted name, with its kind: class, method, and so on."""
    inventory = InventoryFile.loads((built / "objects.inv").read_bytes(), uri="")
    return {
        name: kind.removeprefix("py:")
        for kind, items in inventory.data.items()
        if kind.startswith("py:")
        for name in items
    }


def members(of: type) -> set[str]:
    """Name what a class has in public, whether it defines it or a private base of it does."""
    if issubclass(of, Enum):
        return set(of.__members__)
    fields = {field.name for field in attrs.fields(of)} if attrs.has(of) else set()
    private = [base for base in of.__mro__ if base is of or base.__name__.startswith("_")]
    own = {name for base in private for name in (*vars(base), *inspect.get_annotations(base))}
    return {name for name in own | fields if not name.startswith("_")}


UNTOLD = {
    *("enter", "leave", "pass_through"),  # `Gate.passage`, and the platform of a `Hold`
    *("attach", "detach", "next_disturbance"),  # a watch, and a platform
    *("attempt", "listing"),  # a session
    "live",  # the lists of a platform
    "located",  # an error
    *(f"FakeList.{name}" for name in ("apply_due", "begin", "kind", "load", "page", "read")),
}
"""What only parts of the package call, which are named beside it."""


def test_every_public_name_is_in_the_reference(described: dict[str, str]) -> None:
    expected = {f"{module.__name__}.{name}" for module, name in public.names()}
    assert sorted(expected - described.keys()) == []


def test_every_member_of_a_public_class_is_in_the_reference(described: dict[str, str]) -> None:
    expected = {
        f"{module.__name__}.{name}.{member}"
        for module, name in public.names()
        if inspect.isclass(getattr(module, name))
        for member in members(getattr(module, name)) - UNTOLD
        if f"{name}.{member}" not in UNTOLD
    }
    assert sorted(expected - described.keys()) == []


def test_each_error_has_a_page_that_says_what_to_do() -> None:
    errors = {
        name
        for name in public.NAMES
        if inspect.isclass(error := getattr(twelvetasks, name)) and issubclass(error, Exception)
    }
    pages = {page.stem: page.read_text("utf-8") for page in GUIDES.glob("reference/errors/*.md")}
    assert pages.keys() == errors
    for name, page in pages.items():
        assert re.search(r"\*\*What to do:\*\* .{20,}", page), name
        assert f"\n.. autoexception:: {name}\n" in page


def test_every_function_and_method_of_the_reference_occurs_in_an_example(
    described: dict[str, str],
) -> None:
    used = set().union(*(snippet.names() for snippet in SNIPPETS))
    called = {
        name.rpartition(".")[2]
        for name, kind in described.items()
        if kind in ("function", "method")
    }
    assert sorted(called - used - UNTOLD - {"__call__"}) == []


def test_nothing_private_is_shown(built: Path) -> None:
    for page in (built / "reference").rglob("*.html"):
        article = page.read_text("utf-8").partition("<article")[2].partition("</article>")[0]
        shown = re.sub(r"<[^>]+>", "", article)
        assert not re.search(r"(?<![\w.])_(?!id\b)[a-z]\w+", shown), page.name


def test_every_guide_is_reached_from_the_first_page(built: Path) -> None:
    first = (built / "index.html").read_text("utf-8")
    for guide in GUIDES.rglob("*.md"):
        page = guide.relative_to(GUIDES).with_suffix(".html").as_posix()
        assert f'href="{page}"' in first or page == "index.html"


def test_each_page_is_in_the_list_for_language_models(built: Path) -> None:
    listed = re.findall(
        r"^- \[.+\]\((.+)\)$", (built / "llms.txt").read_text("utf-8"), re.MULTILINE
    )
    sources = {f"_sources/{guide.relative_to(GUIDES).as_posix()}" for guide in GUIDES.rglob("*.md")}
    assert sorted(listed) == sorted(sources - {"_sources/index.md"})
    whole = (built / "llms-full.txt").read_text("utf-8")
    for page in listed:
        assert (built / page).read_text("utf-8").partition("\n")[0] in whole


def test_the_search_finds_names_and_words(built: Path) -> None:
    index = (built / "searchindex.js").read_text("utf-8")
    assert 'class="sidebar-search"' in (built / "index.html").read_text("utf-8")
    assert "RateLimitedError" in index
    assert "checkpoint" in index


def test_nothing_is_loaded_from_elsewhere(built: Path) -> None:
    for page in built.rglob("*.html"):
        text = page.read_text("utf-8")
        assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="(?:https?:)?//', text)


def test_each_threat_has_tests_that_exist() -> None:
    text = (GUIDES / "security.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert rows
    for row in rows:
        named = re.findall(r"`(tests/[^`]+)`", row.rpartition(" | ")[2])
        assert named, row
        for test in named:
            file, *names = test.split("::")
            written = (ROOT / file).read_text("utf-8")
            assert re.search(r"^ *(?:async )?def test_", written, re.MULTILINE)
            for name in names:
                assert re.search(rf"^ *(?:class|(?:async )?def) {name}\b", written, re.MULTILINE)


def test_each_session_that_is_named_exists() -> None:
    written = (ROOT / "noxfile.py").read_text("utf-8")
    sessions = set(re.findall(r"@nox\.session[^:]*?\ndef (\w+)", written))
    files = [*ROOT.glob("tests/**/*.py"), *GUIDES.glob("*.md")]
    named = {
        name for file in files for name in re.findall(r"nox -s \"?(\w+)", file.read_text("utf-8"))
    }
    assert {"docs", "judges"} <= named
    assert named <= sessions
