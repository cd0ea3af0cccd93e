"""Programs in other languages and of other times, and a fuzzer, judge `FakePlatform`.

Run by `nox -s judges`, which installs them below ``build/judges``: the official JavaScript SDK, the
official Python SDK 0.4.11, and schemathesis. The current Python SDK judges in ``tests/testing``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twelvetasks.testing import FakePlatform

HERE = Path(__file__).parent
INSTALLED = Path("build", "judges").resolve()
INDEX = "62a0906d47f5678267ec10a6"


@pytest.fixture(params=[False, True], ids=["as it comes", "conforming"])
def served(request: pytest.FixtureRequest) -> Iterator[FakePlatform]:
    platform = FakePlatform.demo(200, seed=5, conforming=request.param)
    with platform.run_in_thread():
        yield platform


def output(*command: str | Path, **variables: str) -> Any:
    """Run a program to its end, and read the JSON that it has written."""
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_official_javascript_sdk_reads_every_list(served: FakePlatform) -> None:
    found = output(
        *("node", HERE / "official_javascript_sdk.cjs"),
        *(str(served.base_url), served.api_key, INDEX),
        NODE_PATH=str(INSTALLED / "javascript" / "node_modules"),
    )
    lists = found["lists"]
    assert lists == {
        "tasks": [item["_id"] for item in served.tasks()],
        "indexed_assets": [item["_id"] for item in served.indexed_assets.items(index_id=INDEX)],
        "embedding_tasks": [item["_id"] for item in served.embedding_tasks.items()],
        "older_embedding_tasks": [item["_id"] for item in served.older_embedding_tasks.items()],
        "analysis_batches": [item["batch_id"] for item in served.analysis_batches.items()],
        "analysis_tasks": [item["task_id"] for item in served.analysis_tasks.items()][:50],
    }
    assert all(lists.values())
    assert found["retrieved"] == lists["tasks"][0]
    assert found["missing"] == 404


def test_an_older_python_sdk_reads_what_it_knows(served: FakePlatform) -> None:
    found = output(
        *(sys.executable, HERE / "older_python_sdk.py", served.api_key),
        PYTHONPATH=str(INSTALLED / "older"),
        TWELVELABS_BASE_URL=str(served.base_url.origin()),
    )
    tasks = [item["_id"] for item in served.tasks()]
    assert found["walked"] == tasks
    assert found["one_page"] == tasks[:50]
    assert found["retrieved"] == tasks[0]
    assert set(found["embedding_tasks"]) <= {
        item["_id"] for item in served.older_embedding_tasks.items()
    }
    assert found["embedding_tasks"]


def test_no_request_that_a_fuzzer_makes_leaves_the_specification() -> None:
    # Facts of the official specification; but it does not say that a filter must not be empty, nor
    # how many digits a number may have.
    with FakePlatform.demo(200, seed=5, conforming=True).run_in_thread() as platform:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", str(HERE / "openapi.json")),
                *("--url", str(platform.base_url), "-H", f"x-api-key: {platform.api_key}"),
                *("--include-method", "GET", "--max-examples", "100", "--seed", "1"),
            ],
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    assert done.returncode == 0, done.stdout
