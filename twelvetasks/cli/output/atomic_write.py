"""Files that are at any time the old or the new one, whatever ends the command meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["replace_file", "replace_text"]


def replace_text(path: Path, text: str) -> None:
    """Replace a small file by one with this text."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def replace_file(new: Path, path: Path) -> None:
    """Give a file, whose contents are on the disk, its name there as well."""
    new.replace(path)
    if os.name == "posix":
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
