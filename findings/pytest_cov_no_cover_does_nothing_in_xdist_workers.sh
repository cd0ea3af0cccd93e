#!/usr/bin/env bash
# pytest-cov 7.1.0 with pytest-xdist 3.8.0: `@pytest.mark.no_cover` does nothing in a worker.
#
# Guess before the run: a test marked no_cover runs without a tracer, with and without workers.
# Seen: a worker is given the command line's own `-n`, so pytest-cov starts in it the measurement of
# a controller, beside that of a worker. `no_cover` pauses the one that was started last, and with
# that the other one goes on. The test is traced, and takes the time of a traced test. Nothing in the
# report shows it, since a line that is covered twice is covered.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .venv
.venv/bin/pip install --quiet pytest==9.2.0 pytest-cov==7.1.0 pytest-xdist==3.8.0 coverage==7.17.4

cat > measured.py <<'PROGRAM'
def total(numbers):
    return sum(numbers)
PROGRAM

cat > test_measured.py <<'PROGRAM'
import os
import sys

import pytest
from measured import total


@pytest.mark.no_cover
def test_without_coverage():
    assert total([1, 2]) == 3
    with open(os.environ["SEEN"], "w") as seen:
        seen.write("traced" if sys.gettrace() is not None else "not traced")
PROGRAM

# The tracer in C, which shows itself to sys.gettrace; newer versions of Python have another one.
export COVERAGE_CORE=ctrace PYTEST_DISABLE_PLUGIN_AUTOLOAD=
seen_with() {
    SEEN=$folder/seen .venv/bin/python -m pytest -q --cov measured "$@" > /dev/null
    cat "$folder/seen"
}
seen="no worker: $(seen_with)
one worker: $(seen_with -n 1)"
expected='no worker: not traced
one worker: traced'
echo "$seen"
[ "$seen" = "$expected" ]
