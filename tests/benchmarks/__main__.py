"""`python -m tests.benchmarks [NAME ...]`: run benchmarks, and print each one's table.

Each prints ratios taken in this one run; none of them is a test.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

NAMES = sorted(
    path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")
)


def main(names: list[str]) -> None:
    """Run the benchmarks named, or all of them."""
    for name in names or NAMES:
        if name not in NAMES:
            sys.exit(f"there is no benchmark {name!r}; there are {', '.join(NAMES)}")
        importlib.import_module(f"tests.benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
