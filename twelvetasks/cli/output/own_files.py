"""The files that the command may use: regular files of its own user.

Other users may be able to write to the folder. They can put links, named pipes and files of theirs
where the command looks for its own.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

import click

# Without these, a link leads to another file, and a named pipe blocks.
_SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

MOST_LINKS = 40
"""Links that are followed one after the other; the limit of Linux."""

MOST_MOVES = 100
"""How many times a file may appear and disappear while it is opened."""


def output_path(_: click.Context, __: click.Parameter, value: Path | None) -> Path | None:
    """Return the place of an output: a new file, or one of this user. None for `-`.

    This user's links are followed, so that they stay links. Raises click.BadParameter for anything
    but a regular file, and for a link or file of another user.
    """
    if value is None or str(value) == "-":
        return None
    path = value
    for _number in range(MOST_LINKS):
        try:
            status = path.lstat()
        except FileNotFoundError:
            return path
        except OSError as error:
            raise click.BadParameter(f"{str(value)!r}: {error.strerror}") from None
        is_link = stat.S_ISLNK(status.st_mode)
        if not is_link and not stat.S_ISREG(status.st_mode):
            raise click.BadParameter(f"{str(value)!r} is not a file that could be replaced")
        if not is_own(status, or_root=is_link):
            raise click.BadParameter(
                f"{str(path)!r} is a {'link' if is_link else 'file'} of another user: remove it, "
                "or choose another name"
            )
        if not is_link:
            return path
        path = path.parent / path.readlink()
    raise click.BadParameter(f"{str(value)!r} is a link to itself")


def is_device(path: Path) -> bool:
    """Return whether this is a file that the system provides, such as /dev/stdout or /dev/fd/63."""
    absolute = path.absolute()
    if absolute.parent in (Path("/dev/fd"), Path("/proc/self/fd")):
        return True
    return absolute.parent == Path("/dev") and path.exists() and not path.is_dir()


def is_own(status: os.stat_result, *, or_root: bool = False) -> bool:
    """Return whether a file belongs to this user, or to root."""
    return os.name != "posix" or status.st_uid == os.geteuid() or (or_root and not status.st_uid)


def open_own(path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a file, or make it: a regular file of this user, with no other name if it is written to.

    Raises click.ClickException for anything else, OSError if it cannot be opened.
    """
    descriptor = _open(path, flags, mode)
    status = os.fstat(descriptor)
    has_other_name = flags & (os.O_WRONLY | os.O_RDWR) and status.st_nlink > 1
    if not stat.S_ISREG(status.st_mode) or not is_own(status) or has_other_name:
        os.close(descriptor)
        raise _not_own(path)
    return descriptor


def _open(path: Path, flags: int, mode: int) -> int:
    existing = (flags & ~os.O_CREAT) | _SAFELY
    try:
        for _ in range(MOST_MOVES if flags & os.O_CREAT else 0):
            with suppress(FileExistsError):
                return os.open(path, existing | os.O_CREAT | os.O_EXCL, mode)
            with suppress(FileNotFoundError):  # Another command may just have moved it away.
                return os.open(path, existing)
        return os.open(path, existing)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _not_own(path) from None
        raise


def read_own(path: Path) -> bytes:
    """Read a regular file of this user. Raises as `open_own` does."""
    with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
        return file.read()


def _not_own(path: Path) -> click.ClickException:
    return click.ClickException(
        f"{path} is a link, a pipe or a file of another user, or is known by a second name, so "
        "it is not used: remove it, or choose another folder"
    )
