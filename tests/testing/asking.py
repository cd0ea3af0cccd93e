"""The plainest client there is: one request, one connection, closed at once."""

from __future__ import annotations

import http.client
from email.message import Message
from typing import Any
from urllib.parse import urlencode

import attrs
import msgspec

from twelvetasks.testing import FakePlatform


@attrs.frozen
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def ids(self) -> list[str]:
        return [task["_id"] for task in self.json["data"]]


def ask(
    platform: FakePlatform,
    path: str = "/tasks",
    *,
    method: str = "GET",
    key: str | None = "tlk_demo",
    **parameters: Any,
) -> Answer:
    """Send one request to a platform that runs in a thread; a list value repeats its parameter."""
    url = platform.base_url
    connection = http.client.HTTPConnection(str(url.host), url.port or 0, timeout=30)
    try:
        target = f"{url.path}{path}"
        if parameters:
            target += "?" + urlencode(parameters, doseq=True)
        headers = {} if key is None else {"x-api-key": key}
        connection.request(method, target, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()
