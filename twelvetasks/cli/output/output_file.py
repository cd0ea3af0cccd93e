"""Where a listing is written: standard output, or a file that appears only once complete.

A file is written as `FILE.part` and renamed when it is complete. Resumable formats keep the part
after an interruption, and `FILE.part.checkpoint` says how many bytes of it count. The checkpoint is
written after the data has reached the disk; bytes beyond it are cut off before resuming.
"""

from __future__ import annotations

import functools
import gzip
import io
import os
import stat
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Literal, Self, cast

import attrs
import cattrs
import click
from cattrs.preconf.json import JsonConverter, make_converter

from twelvetasks.cli.ending import say
from twelvetasks.cli.output.own_files import open_own, read_own
from twelvetasks.cli.terminal import Console
from twelvetasks.values.atomic_write import mode_of, replace_file, replace_text, set_mode
from twelvetasks.values.checkpoint import Checkpoint

if sys.platform != "win32":
    import fcntl

SYNC_INTERVAL = 0.5
"""Seconds after which the data is forced to the disk again, and the checkpoint moved on."""


_count = attrs.validators.and_(attrs.validators.instance_of(int), attrs.validators.ge(0))


@attrs.frozen(kw_only=True)
class Part:
    """An interrupted listing."""

    length: int = attrs.field(validator=_count)
    """Bytes of the part that count."""
    tasks: int = attrs.field(validator=_count)
    """How many tasks these hold."""
    listing: dict[str, Any] = attrs.field(validator=attrs.validators.instance_of(dict))
    """The options that the result depends on."""
    checkpoint: Checkpoint
    """The place after them."""

    version: Literal[1] = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str(part)`` wrote. Raises ValueError for anything else."""
        try:
            return _converter().loads(text, cls)
        except (cattrs.BaseValidationError, TypeError) as fault:
            raise ValueError(text) from fault

    def __str__(self) -> str:
        return str(_converter().dumps(self, separators=(",", ":")))


@functools.cache
def _converter() -> JsonConverter:
    converter = make_converter()
    converter.register_structure_hook(int, lambda value, _: value)  # Validators check it, strictly.
    converter.register_structure_hook(Checkpoint, lambda text, _: Checkpoint.parse(text))
    converter.register_unstructure_hook(Checkpoint, str)
    return converter


def part_of(path: Path) -> Path:
    """Return the file that is written until it is complete."""
    return path.with_name(f"{path.name}.part")


def _checkpoint_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part.checkpoint")


def kept_part(path: Path) -> Part | None:
    """Read the part that an interrupted listing has left; None if there is none."""
    part, checkpoint = part_of(path), _checkpoint_of(path)
    try:
        length = part.lstat().st_size
        kept = Part.parse(read_own(checkpoint).decode())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        raise unusable(f"{checkpoint} does not hold the checkpoint of a listing") from None
    if length < kept.length:
        raise unusable(f"{part} is shorter than its checkpoint says")
    return kept


def unusable(fault: str) -> click.UsageError:
    """Return the error for a part that cannot be continued."""
    return click.UsageError(f"{fault}. Start again without --resume")


class Target:
    """Standard output, which keeps no part."""

    kept: Part | None = None
    """The part to continue from if it ends now."""

    def __init__(self) -> None:
        self.console: Console = Console()

    @property
    def binary(self) -> IO[bytes]:
        """Where bytes go."""
        buffer: IO[bytes] | None = getattr(self.console.file, "buffer", None)
        if buffer is None:
            raise click.UsageError("This standard output takes no bytes: give --output")
        return buffer

    def keep(self, checkpoint: Checkpoint, tasks: int) -> None:
        """Note how many tasks have been written, and the place after them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Leave it as it is."""


class OutputFile(Target):
    """A file that is renamed to its place if its context ends without an error.

    After an error its part is kept if the format can be resumed, else removed. `listing` holds the
    options that the result depends on; None for a format that cannot be resumed. `part` is the part
    to continue.
    """

    def __init__(
        self,
        path: Path,
        listing: Mapping[str, Any] | None,
        part: Part | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._listing = listing
        self.kept: Part | None = part
        self._saved = part
        self._clock = clock
        self._synced: float | None = None
        self._file = _opened(path)
        try:
            self._begin()
        except BaseException:
            self._file.close()
            raise
        self._stream: IO[bytes] = self._file
        if path.suffix.lower() == ".gz":
            # Without a name and a time in it, the same tasks make the same file.
            zipped = gzip.GzipFile("", "wb", fileobj=self._file, mtime=0)
            self._stream = cast("IO[bytes]", zipped)
        self._text = io.TextIOWrapper(self._stream, encoding="utf-8", newline="\n")
        self.console: Console = Console(file=self._text, color_system=None, width=sys.maxsize)

    def _begin(self) -> None:
        if self._saved is None:
            # Otherwise a kill before the next checkpoint would leave one of other data.
            _checkpoint_of(self.path).unlink(missing_ok=True)
        elif kept_part(self.path) != self._saved:
            raise click.ClickException(f"Another command has continued {part_of(self.path)}")
        self._file.truncate(0 if self._saved is None else self._saved.length)
        self._file.seek(0, os.SEEK_END)

    def written_before(self) -> bytes:
        """Return the part that is continued, before more is written to its end."""
        self._file.seek(0)
        return self._file.read()

    def keep(self, checkpoint: Checkpoint, tasks: int) -> None:
        """Note how many tasks have been written, and the place after them."""
        if self._listing is None:
            return
        self._text.flush()
        length, listing = self._file.tell(), dict(self._listing)
        self.kept = Part(length=length, tasks=tasks, listing=listing, checkpoint=checkpoint)
        if self._synced is None or self._clock() - self._synced >= SYNC_INTERVAL:
            self._sync()

    def _sync(self) -> None:
        if self.kept is self._saved:
            return
        os.fsync(self._file.fileno())
        # It holds ids of tasks, too, so it has the same mode as the part.
        mode = stat.S_IMODE(os.fstat(self._file.fileno()).st_mode)
        replace_text(_checkpoint_of(self.path), f"{self.kept}\n", mode)
        self._saved = self.kept
        self._synced = self._clock()

    def __exit__(self, *exc_info: object) -> None:
        """Move the file to its place, or keep or remove its part."""
        error = exc_info[1]
        with self._file, self._text:
            if error is None:
                self._complete()
            else:
                # A usage error is about the part, and says itself how to continue.
                self._give_up(tell=not isinstance(error, click.UsageError))

    def _complete(self) -> None:
        try:
            self._text.flush()
            if self._stream is not self._file:
                self._stream.close()  # Writes the end of what is compressed.
                self._file.flush()
            os.fsync(self._file.fileno())
            replace_file(part_of(self.path), self.path)
        except BaseException:
            self._give_up()
            raise
        _checkpoint_of(self.path).unlink(missing_ok=True)

    def _give_up(self, *, tell: bool = True) -> None:
        if self.kept is None:
            part_of(self.path).unlink(missing_ok=True)
            return
        self._sync()
        if tell:
            with suppress(OSError):
                say(
                    f"{self.kept.tasks:,} tasks are kept in {part_of(self.path)}: the same command "
                    "with --resume continues from there"
                )


def _opened(path: Path) -> IO[bytes]:
    """Open the part, for this command alone, with the mode of the file that it will replace."""
    part, mode = part_of(path), mode_of(path)
    while True:
        created = 0o666 if mode is None else 0o600
        descriptor = open_own(part, os.O_RDWR | os.O_APPEND | os.O_CREAT, created)
        file = os.fdopen(descriptor, "a+b")
        try:
            _lock(file, part)
            if os.path.samestat(os.fstat(descriptor), part.lstat()):
                if mode is not None:
                    set_mode(descriptor, mode)
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            file.close()
            raise
        # Another command has renamed it to its final name: that file must not be written to.
        file.close()


def _lock(file: IO[bytes], part: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise click.ClickException(f"Another command is writing to {part}") from None
