"""The form of `POST /tasks`, read while it arrives: a video is counted and hashed, never kept.

Nothing of an upload exists before its last byte has come; one that breaks off leaves no trace.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from typing import Any

import attrs
import msgspec
from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from aiohttp.http_exceptions import BadHttpMessage
from yarl import URL

from twelvetasks.testing.answers import RefusalError, invalid, unknown, wrong_parameter

MAX_FILESIZE = 2_000_000_000
"""Bytes: "up to 2 GB", as the documentation puts it."""

_CHUNK = 64 * 1024
_LONGEST_TEXT = 64 * 1024
_TEXTS = frozenset(("index_id", "video_url", "enable_video_stream", "user_metadata"))
_SWITCHES = {"true": True, "false": False}


@attrs.frozen(kw_only=True)
class ReceivedFile:
    """A video file that was uploaded."""

    filename: str
    """Its filename in the form."""
    content_type: str
    """Its media type in the form, such as ``video/mp4``."""
    size: int
    """Its size in bytes."""
    sha256: str
    """The SHA-256 digest of its bytes, in hexadecimal."""


@attrs.frozen(kw_only=True)
class UploadForm:
    """A form that the platform accepts."""

    index_id: str
    """The index it was sent to."""
    video_url: str | None
    """The address of the video; None if a file was sent."""
    file: ReceivedFile | None
    """The file that was sent; None if an address was."""
    enable_video_stream: bool
    """Whether the video is to be kept for streaming."""
    user_metadata: Mapping[str, Any] | None
    """The decoded `user_metadata`; None if none was sent."""

    @property
    def filename(self) -> str:
        """The name of the file, or the last part of the address."""
        return self.file.filename if self.file else URL(self.video_url or "").name


@attrs.frozen(kw_only=True)
class RecordedUpload(UploadForm):
    """An upload that became a task."""

    task_id: str
    """The id of its task."""
    video_id: str
    """The id of its video, as answered; the task shows it once it is ready."""


async def read_form(request: web.Request, *, max_filesize: int) -> UploadForm:
    """Read a form to its end; raises `RefusalError` for what the platform refuses."""
    if request.content_type != "multipart/form-data":
        raise invalid("Content-Type", "it must be multipart/form-data")
    try:
        texts, file = await _read_parts(request)
    except RefusalError:
        raise
    except (AssertionError, ValueError, BadHttpMessage) as error:
        # Older versions of aiohttp assert what newer ones raise ValueError for.
        raise invalid("form", f"it is not well-formed ({error})") from error
    return _checked(texts, file, max_filesize)


async def _read_parts(request: web.Request) -> tuple[dict[str, str], ReceivedFile | None]:
    texts: dict[str, str] = {}
    file = None
    content: Any = _Quiet(request.content)
    async for part in MultipartReader(request.headers, content):
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise invalid("Content-Disposition", "every part must have a name")
        if part.name in texts or (part.name == "video_file" and file is not None):
            raise invalid(part.name, "it may be given only once")
        if part.name == "video_file":
            file = await _received(part)
        elif part.name in _TEXTS:
            texts[part.name] = await _text(part)
        else:
            raise unknown(part.name)
    return texts, file


def _checked(texts: Mapping[str, str], file: ReceivedFile | None, max_filesize: int) -> UploadForm:
    index_id, video_url = texts.get("index_id"), texts.get("video_url")
    if not index_id:
        raise wrong_parameter("parameter_not_provided", "The index_id parameter is required.")
    if file is None and video_url is None:
        raise wrong_parameter(
            "parameter_not_provided", "One of the video_file and video_url parameters is required."
        )
    if file is not None and video_url is not None:
        raise invalid("video_url", "it must not be given together with video_file")
    if video_url is not None and not _is_web_address(video_url):
        raise invalid("video_url", "it must be an http or https address")
    if file is not None and not file.size:
        raise wrong_parameter("video_file_broken", "The video file is empty.")
    if file is not None and file.size > max_filesize:
        raise wrong_parameter(
            "video_filesize_too_large",
            f"The video file is too large: {file.size} of at most {max_filesize} bytes.",
        )
    switch = texts.get("enable_video_stream", "true")
    if switch not in _SWITCHES:
        raise invalid("enable_video_stream", "it must be true or false")
    return UploadForm(
        index_id=index_id,
        video_url=video_url,
        file=file,
        enable_video_stream=_SWITCHES[switch],
        user_metadata=_metadata(texts.get("user_metadata")),
    )


class _Quiet:
    """The content of a request, whose `unread_data` does not warn that it is deprecated.

    aiohttp 3.14.5 hides the warning of its own calls, but for one in `BodyPartReader.read_chunk`:
    there it depends on how a form is cut into packets, and where warnings are errors the answer
    would be 500.
    """

    def __init__(self, content: StreamReader) -> None:
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    def unread_data(self, data: bytes) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self._content.unread_data(data)


async def _received(part: BodyPartReader) -> ReceivedFile:
    if part.filename is None:
        raise invalid("video_file", "it must be a file, with a filename")
    size = 0
    digest = hashlib.sha256()
    while not part.at_eof():
        chunk = await part.read_chunk(_CHUNK)
        size += len(chunk)
        digest.update(chunk)
    return ReceivedFile(
        filename=part.filename,
        content_type=part.headers.get("Content-Type", ""),
        size=size,
        sha256=digest.hexdigest(),
    )


async def _text(part: BodyPartReader) -> str:
    text = bytearray()
    while not part.at_eof():
        text += await part.read_chunk(_CHUNK)
        if len(text) > _LONGEST_TEXT:
            raise invalid(str(part.name), f"it must not be longer than {_LONGEST_TEXT} bytes")
    return text.decode()


def _metadata(text: str | None) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        metadata = msgspec.json.decode(text)
    except (RecursionError, ValueError):
        metadata = None
    if not isinstance(metadata, dict):
        raise invalid("user_metadata", "it must be a JSON object, written as a string")
    return metadata


def _is_web_address(text: str) -> bool:
    try:
        url = URL(text)
    except ValueError:
        return False
    return url.scheme in {"http", "https"} and bool(url.host)
