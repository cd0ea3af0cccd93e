"""Replace files atomically: a reader sees the old or the new one, even after a crash.

Other users may be able to write to the folder, so no name that can be guessed is opened: it could
be a link to any file of this user.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from pathlib import Path


def mode_of(path: Path) -> int | None:
    """Return the mode that a regular file has; None if there is none."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return stat.S_IMODE(status.st_mode) if stat.S_ISREG(status.st_mode) else None


def replace_text(path: Path, text: str, mode: int | None = None) -> None:
    """Replace a small file by one with this text. It keeps its mode unless another is given."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    mode = mode_of(path) if mode is None else mode
    try:
        # No other user may open it before it has its mode.
        created = 0o666 if mode is None else 0o600
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, created)
    except OSError as error:
        error.filename = str(path)  # The user knows this name.
        raise
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if mode is not None:
                set_mode(descriptor, mode)
            file.write(text)
            file.flush()
            # A power cut after the rename must not leave an empty file.
            os.fsync(descriptor)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def set_mode(descriptor: int, mode: int) -> None:
    """Set the mode of an open file, even if another file has taken its name."""
    if sys.platform != "win32":
        os.fchmod(descriptor, mode)


def replace_file(new: Path, path: Path) -> None:
    """Rename a file, whose contents are on the disk, to its final name."""
    new.replace(path)
    if os.name == "posix":
        try:
            directory = os.open(path.parent, os.O_RDONLY)
        except PermissionError:
            return  # Some folders can be written to but not read.
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
