"""Replace files atomically: a reader sees the old or the new one, even after a crash.

Other users may be able to write to the folder, so no name that can be guessed is opened: it could
be a link to any file of this user.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

__all__ = ["replace_file", "replace_text"]


def replace_text(path: Path, text: str) -> None:
    """Replace a small file by one with this text and the same mode."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError as error:
        error.filename = str(path)  # The user knows this name.
        raise
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if path.is_file() and not path.is_symlink():
                new.chmod(stat.S_IMODE(path.stat().st_mode))
            file.write(text)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def replace_file(new: Path, path: Path) -> None:
    """Give a file, whose contents are on the disk, its final name."""
    new.replace(path)
    if os.name == "posix":
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
