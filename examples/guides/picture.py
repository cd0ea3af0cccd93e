"""Draw the picture of the command at work: `nox -s picture` runs this.

The command runs for real, against its demo platform, and rich draws what it prints. The picture
loads nothing from the network: a font of the system stands in for the one that rich would fetch.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parent / "_static" / "command.svg"
WIDTH = 112
COMMANDS = (
    "list --demo --max-items 6 --format table",
    "count --demo --status failed",
)


def run(arguments: str) -> str:
    """Run the command as in a terminal of the picture's width, and return what it prints."""
    ended = subprocess.run(  # noqa: S603 - its arguments are those above
        [sys.executable, "-m", "twelvetasks", *arguments.split()],
        check=True,
        env=os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    return ended.stdout


def draw() -> str:
    """Return the picture as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for arguments in COMMANDS:
        console.print(Text(f"$ twelvetasks {arguments}", style="bold"))
        console.print(Text.from_ansi(run(arguments).rstrip()))
    return console.export_svg(
        title="twelvetasks",
        unique_id="command",
        code_format=re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL),
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
