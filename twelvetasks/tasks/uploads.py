"""Uploads: the arguments of `POST /tasks`, checked before anything is sent, and the form to send.

A video is sent in pieces, so its size costs no memory. An error while its bytes are read is kept as
the upload's `fault`, because aiohttp raises an error of its own instead.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import mimetypes
import os
import stat
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import aiohttp
import attrs
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from twelvetasks.transport.base_url import shown_address
from twelvetasks.transport.home_loop import needed_loop
from twelvetasks.values.checks import check_flag, content, is_encodable, refuse, whole_number
from twelvetasks.values.errors import UploadError

MAX_FILESIZE = 2 * 1024**3
"""Bytes. The API reference says "up to 2 GB"; whether that is 2 GiB is left to the platform."""

PIECE = 256 * 1024
"""Bytes in one piece: the most that are read, sent and reported at once."""

VideoFile = str | os.PathLike[str] | AsyncIterable[bytes]
"""A path, or an async iterable of the bytes."""

OnProgress = Callable[[int, int | None], object]
"""Called with the number of bytes sent so far and the size of the video, None if unknown."""


@attrs.frozen(kw_only=True)
class _OnDisk:
    path: Path
    filename: str
    size: int
    begun = False
    """Whether bytes were consumed that cannot be read again."""

    async def pieces(self) -> AsyncGenerator[bytes | memoryview, None]:
        """Yield the bytes from the start."""
        reader = _Reader(self.path)
        try:
            while piece := await asyncio.to_thread(reader.read):
                yield piece
        except OSError as error:
            raise UploadError(
                f"{self.path} could not be read: {error.strerror}", advice="Check the file"
            ) from error
        finally:
            reader.close()


class _Reader:
    """A file that is opened and read in threads, and can be closed even during a read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: Any = None
        self._closed = False

    def read(self) -> bytes:
        with self._lock:
            if self._closed:
                return b""
            if self._file is None:
                self._file = self._path.open("rb", buffering=0)
            piece: bytes = self._file.read(PIECE)
            return piece

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._file is not None:
                self._file.close()


@attrs.define(kw_only=True)
class _Streamed:
    """Bytes that can be read only once."""

    source: AsyncIterable[bytes]
    filename: str
    size: int | None
    begun: bool = attrs.field(default=False, init=False)

    async def pieces(self) -> AsyncGenerator[bytes | memoryview, None]:
        self.begun = True
        chunks = aiter(self.source)
        try:
            async for chunk in chunks:
                if not isinstance(chunk, (bytes, bytearray, memoryview)):
                    raise UploadError(
                        f"`video_file` yielded {type(chunk).__name__} instead of bytes"
                    )
                view = memoryview(chunk).cast("B")
                for start in range(0, len(view), PIECE):
                    yield view[start : start + PIECE]
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()


_Video = _OnDisk | _Streamed
"""Where the bytes of a video come from."""


@attrs.define(kw_only=True, eq=False)
class Upload:
    """One task to create. Every attempt to send it needs a new `form`."""

    index_id: str
    video_url: str | None
    enable_video_stream: bool
    user_metadata: str | None
    """JSON."""
    on_progress: OnProgress | None = attrs.field(repr=False)
    stall_timeout: float
    """Seconds in which each piece of the video must be sent."""
    _video: _Video | None = attrs.field(alias="video")
    fault: BaseException | None = attrs.field(default=None, init=False)
    """The error raised while the video's bytes were read and sent."""
    fault_traceback: TracebackType | None = attrs.field(default=None, init=False, repr=False)
    """Its traceback without aiohttp's frames, which hold the API key."""

    @property
    def has_bytes(self) -> bool:
        """Whether it carries a video, and not only the address of one."""
        return self._video is not None

    def is_repeatable(self) -> bool:
        """Whether another form can be made, whatever happened to the last one."""
        return self._video is None or not self._video.begun

    def form(self) -> aiohttp.MultipartWriter:
        """Make the body. The parameters come first, so that the platform can refuse them early.

        Raises UploadError if an earlier form consumed bytes that can be read only once.
        """
        if not self.is_repeatable():
            raise UploadError(
                "the upload would have to start again, but its bytes can be read only once",
                advice="Create the task again with a new iterable, or from a file",
            )
        self.fault = self.fault_traceback = None
        form = aiohttp.MultipartWriter("form-data")
        texts = {
            "index_id": self.index_id,
            "video_url": self.video_url,
            "enable_video_stream": "true" if self.enable_video_stream else "false",
            "user_metadata": self.user_metadata,
        }
        for name, text in texts.items():
            if text is not None:
                part = form.append(text)
                part.headers.clear()
                part.headers["Content-Disposition"] = f'form-data; name="{name}"'
        if self._video is not None:
            form.append_payload(_VideoPart(self, self._video))
        return form

    async def pieces(self, video: _Video) -> AsyncGenerator[bytes | memoryview, None]:
        """Yield the video's bytes and count them; keep the error of reading or of `on_progress`.

        Raises UploadError in place of what is no Exception, such as KeyboardInterrupt: aiohttp does
        not pass that on.
        """
        sent = 0
        try:
            async with aclosing(video.pieces()) as pieces:
                async for piece in pieces:
                    sent += len(piece)
                    if sent > (MAX_FILESIZE if video.size is None else video.size):
                        _refuse_size(video.size, sent)
                    yield piece
                    self._tell(sent, video.size)
            if not sent or (video.size is not None and sent < video.size):
                _refuse_size(video.size, sent)
        except BaseException as error:
            if error is not self.fault and isinstance(
                error, asyncio.CancelledError | GeneratorExit
            ):
                raise
            self.fault, self.fault_traceback = error, error.__traceback__
            if isinstance(error, Exception):
                raise
            raise UploadError("the caller's code ended the upload") from error

    def _tell(self, sent: int, size: int | None) -> None:
        if self.on_progress is None:
            return
        try:
            self.on_progress(sent, size)
        except BaseException as error:
            # Here a CancelledError is the caller's own, and does not cancel this task.
            self.fault = error
            raise


class _VideoPart(aiohttp.Payload):
    def __init__(self, upload: Upload, video: _Video) -> None:
        kind = mimetypes.guess_type(video.filename)[0] or "application/octet-stream"
        super().__init__(None, content_type=kind)
        # By the HTML standard, and unlike aiohttp: characters beyond ASCII are not escaped. But a
        # backslash is doubled, because form parsers read it as an escape character.
        filename = video.filename.replace("\\", "\\\\").replace('"', "%22")
        self.headers["Content-Disposition"] = f'form-data; name="video_file"; filename="{filename}"'
        self._size = video.size
        self._upload = upload
        self._video = video

    async def write(self, writer: AbstractStreamWriter) -> None:
        async with aclosing(self._upload.pieces(self._video)) as pieces:
            async for piece in pieces:
                async with asyncio.timeout(self._upload.stall_timeout):
                    await writer.write(piece)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002
        raise TypeError("a video is not text")


async def checked_upload(
    *,
    index_id: object,
    video_url: object = None,
    video_file: object = None,
    filename: object = None,
    size: object = None,
    enable_video_stream: object = True,
    user_metadata: object = None,
    on_progress: Any = None,
    stall_timeout: float,
) -> Upload:
    """Return an upload, or raise InvalidArgumentError with the parameter and its value."""
    if not isinstance(index_id, str) or not index_id or not _is_sendable(index_id):
        refuse("index_id", index_id, "must be the id of an index")
    if (video_url is None) == (video_file is None):
        refuse("video_file", video_file, "give either video_file or video_url")
    if on_progress is not None and (
        not callable(on_progress) or inspect.iscoroutinefunction(on_progress)
    ):
        refuse("on_progress", on_progress, "must be a plain function, not an async one")
    return Upload(
        index_id=content(index_id),
        video_url=None if video_url is None else _checked_url(video_url, filename, size),
        enable_video_stream=check_flag("enable_video_stream", enable_video_stream),
        user_metadata=None if user_metadata is None else _json_of(user_metadata),
        on_progress=on_progress,
        stall_timeout=stall_timeout,
        video=None if video_file is None else await _checked_video(video_file, filename, size),
    )


def _checked_url(video_url: object, filename: object, size: object) -> str:
    for name, given in (("filename", filename), ("size", size)):
        if given is not None:
            refuse(name, given, "goes with video_file, not with video_url")
    if not isinstance(video_url, (str, URL)):
        refuse("video_url", video_url, "must be an http(s) address")
    # Sent unchanged: normalizing it may invalidate a signature in it.
    text = content(video_url) if isinstance(video_url, str) else str(video_url)
    try:
        url = URL(text)
    except ValueError:
        url = URL()  # Refused below, where the error's context does not quote the address.
    if url.scheme not in ("http", "https") or not url.host:
        demand = "must be an http(s) address; for a file there is video_file"
        refuse("video_url", shown_address(text), demand)
    if not _is_sendable(text) or " " in text:
        refuse("video_url", shown_address(text), "must not hold spaces or line breaks")
    return text


async def _checked_video(video_file: object, filename: object, size: object) -> _Video:
    if isinstance(video_file, (str, os.PathLike)):
        if size is not None:
            refuse("size", size, "must be left out: the size of a file is known")
        path = Path(content(os.fsdecode(video_file)))
        needed_loop()  # asyncio's own error would not say what to do.
        found = await asyncio.to_thread(_checked_size_of, path)
        name = _checked_filename(path.name if filename is None else filename)
        return _OnDisk(path=path, filename=name, size=found)
    if not isinstance(video_file, AsyncIterable):
        refuse("video_file", video_file, "must be a path or an async iterable of bytes")
    return _Streamed(
        source=video_file,
        filename=_checked_filename("video" if filename is None else filename),
        size=None if size is None else whole_number("size", size, least=1, most=MAX_FILESIZE),
    )


def _checked_size_of(path: Path) -> int:
    try:
        facts = path.stat()
        regular = stat.S_ISREG(facts.st_mode)
        # Opening a pipe, for one, would wait for its other end.
        if regular:
            path.open("rb").close()
    except (OSError, ValueError) as error:
        refuse("video_file", str(path), f"must be a file that can be read ({error})")
    if not regular:
        refuse("video_file", str(path), "must be a regular file")
    if not 0 < facts.st_size <= MAX_FILESIZE:
        refuse("video_file", str(path), f"has {facts.st_size} bytes; must have 1 to {MAX_FILESIZE}")
    return facts.st_size


def _checked_filename(filename: object) -> str:
    if not isinstance(filename, str) or not filename or not _is_sendable(filename):
        refuse("filename", filename, "must be a file name of one line, which UTF-8 can encode")
    return content(filename)


def _is_sendable(text: str) -> bool:
    """Whether a form can hold the text."""
    return is_encodable(text) and not any(sign < " " or sign == "\x7f" for sign in text)


def _json_of(user_metadata: object) -> str:
    if not isinstance(user_metadata, Mapping) or not all(
        isinstance(name, str) for name in user_metadata
    ):
        refuse("user_metadata", user_metadata, "must be a mapping with strings as keys")
    try:
        return json.dumps(dict(user_metadata), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        refuse("user_metadata", user_metadata, f"must be serializable to JSON: {error}")


def _refuse_size(announced: int | None, sent: int) -> NoReturn:
    if not sent:
        fault = "it has no bytes"
    elif announced is None:
        fault = f"it has more than {MAX_FILESIZE} bytes"
    elif sent < announced:
        fault = f"it ended after {sent} of {announced} bytes"
    else:
        fault = f"it has more than the {announced} bytes announced"
    raise UploadError(
        f"the video was not sent to its end: {fault}",
        advice="Upload it once it no longer changes, and pass the right `size` if you pass one",
    )
