"""The project's sessions: `nox` runs all but the benchmarks; `nox -l` lists them."""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests", "lint", "types", "examples", "docs"]


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
@nox.parametrize("loop", ["plain", "uvloop", "eager"])
def tests(session: nox.Session, loop: str) -> None:
    """Run the suite in development mode, on each Python that is present and in each event loop."""
    if loop == "eager" and session.python == "3.11":
        session.skip("eager tasks came with Python 3.12")
    session.install("-e", ".[dev]")
    session.run(
        *("python", "-X", "dev", "-W", "error", "-m", "pytest", "--loop", loop),
        *(session.posargs or ["--cov"]),  # workers would run without development mode
    )


@nox.session
def quick(session: nox.Session) -> None:
    """Run what a change breaks most often: style, and the tests of most rooms.

    It takes about a minute with `nox -R`, which does not install the environment again.
    """
    session.install("-e", ".[dev]")
    session.run("ruff", "check")
    rooms = ("values", "conversion", "paging", "streams", "transport")
    files = ("session", "listing", "rooms")
    slow = "interruptions or over_the_wire or no_bytes_whatever or TestTheRate or test_sealing"
    chosen = [*(f"tests/{room}" for room in rooms), *(f"tests/test_{file}.py" for file in files)]
    session.run(
        *("pytest", "-q", "-n", "3", "--histories", "100"),
        *(session.posargs or [*chosen, "-k", f"not ({slow})"]),
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format, and which part of the package imports which."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of package, tests and examples with mypy and pyright."""
    session.install("-e", ".[dev]")
    session.run("mypy")
    session.run("pyright")


@nox.session
def examples(session: nox.Session) -> None:
    """Run every example and every snippet of README, guides and docstrings."""
    session.install("-e", ".[dev]")
    session.run("pytest", "tests/test_snippets.py", "tests/test_examples.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the guides and the reference into build/docs; every warning is an error."""
    session.install("-e", ".[dev]")
    session.run("sphinx-build", "-W", "--keep-going", "-E", "examples/guides", "build/docs")
    session.log("Open build/docs/index.html")


@nox.session
def picture(session: nox.Session) -> None:
    """Draw the README's picture of the command again, with the real command."""
    session.install("-e", ".[cli]")
    session.run("python", "examples/guides/picture.py")


@nox.session
def shell_files(session: nox.Session) -> None:
    """Write the man pages and the completion that come with the package again."""
    session.install("-e", ".[cli]", "click-man>=0.5.1")
    session.run("python", "examples/guides/shell_files.py")


@nox.session(python="3.11")
def pins(session: nox.Session) -> None:
    """Write the versions and hashes that CI installs; `-- --upgrade` takes the newest versions."""
    session.install("uv>=0.8")
    session.run(
        *("uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-annotate"),
        *("--custom-compile-command", "nox -s pins", "--output-file", ".ci/requirements.txt"),
        *("--extra", "dev", "pyproject.toml", *session.posargs),
    )


@nox.session
def audit(session: nox.Session) -> None:
    """Write the SBOM of what CI installs, and look up known vulnerabilities on the internet."""
    Path("build").mkdir(exist_ok=True)
    session.install("cyclonedx-bom>=7", "pip-audit>=2.7")
    session.run(
        *("cyclonedx-py", "requirements", ".ci/requirements.txt"),
        *("--output-reproducible", "--of", "JSON", "--output-file", "build/sbom.json"),
    )
    session.run(
        "pip-audit",
        "--requirement",
        ".ci/requirements.txt",
        "--no-deps",
        "--disable-pip",
        "--strict",
    )


@nox.session
def judges(session: nox.Session) -> None:
    """Let other SDKs and a fuzzer judge the embedded platform; needs npm and the internet."""
    session.install("-e", ".[dev]", "schemathesis>=4.32")
    folder = Path("build", "judges")
    session.run(
        *("npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder / "javascript")),
        "twelvelabs-js@1.3.4",
        external=True,
    )
    session.run(
        *("python", "-m", "pip", "install", "--quiet", "--upgrade"),
        *("--target", str(folder / "older"), "twelvelabs==0.4.11"),
    )
    session.run("pytest", *(session.posargs or ["tests/judges/judges.py"]))


@nox.session
def nightly(session: nox.Session) -> None:
    """Play 20,000 random histories, fuzz 100,000 bodies, and cancel at 20,000 points.

    It also lists 1,000 times from PostgreSQL in each of some set-ups (Debian: `postgresql`).
    """
    session.install("-e", ".[dev]")
    long_ones = [
        "tests/paging",
        "tests/watching",
        "tests/webhooks",
        "tests/conversion/test_fuzz.py",
        "tests/databases/listings.py",
        "tests/faults/test_cancellations.py",
    ]
    session.run(
        *("pytest", "--histories", "20000", "--cancellations", "20000"),
        *(session.posargs or long_ones),
    )


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks, and write their tables and plots to tests/benchmarks/results."""
    session.install("-e", ".[bench]")
    session.run("python", "-m", "tests.benchmarks", *session.posargs)
