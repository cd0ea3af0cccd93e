"""The API key of a session: given, from the environment, or returned by a callable.

A key is checked and wrapped as soon as it is known. No error is raised while it is unwrapped: a
traceback that shows locals must not show it.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

from twelvetasks.values.errors import AuthenticationError
from twelvetasks.values.secret import ApiKey

API_KEY_VARIABLE = "TWELVE_LABS_API_KEY"
"""The environment variable that the official SDK reads, too."""

KeyCallable = Callable[[], str | Awaitable[str]]
"""Returns the key, or an awaitable of it."""

REMEMBERED = 16
"""Recent keys of a callable: a late answer may still quote one."""


def read_api_key(given: Any) -> tuple[ApiKey | KeyCallable, AuthenticationError | None]:
    """Return the key given, or that of the environment; or the error if it cannot be a key.

    The error is returned: raised here, its traceback would show `given` where locals are shown.
    """
    if callable(given) and not isinstance(given, type):
        return cast("KeyCallable", given), None
    key = os.environ.get(API_KEY_VARIABLE, "") if given is None else given
    fault = _fault_of(key)
    if isinstance(key, str) and not fault:
        return ApiKey(key), None
    advice = f"Check api_key or the environment variable {API_KEY_VARIABLE}"
    if not isinstance(key, str):
        fault = f"api_key must be a string, not {type(key).__name__}"
        advice = "It may also be a callable that returns the key"
    elif not key:
        advice = f"Pass api_key=... or set the environment variable {API_KEY_VARIABLE}"
        if given is None and (other := _similar_variable()):
            fault = f"{fault}: {other} is set, but not {API_KEY_VARIABLE}, which is read"
    return ApiKey(), AuthenticationError(fault, advice=advice)


def _similar_variable() -> str:
    """Return the variable that is set under another spelling, such as TWELVELABS_API_KEY."""
    letters = API_KEY_VARIABLE.replace("_", "")
    similar = (name for name in os.environ if name.replace("_", "").upper() == letters)
    return next((name for name in similar if os.environ[name]), "")


def _fault_of(key: Any) -> str:
    if not isinstance(key, str):
        return f"this is of type {type(key).__name__}"
    if not key:
        return "there is no API key"
    if not all("!" <= character <= "~" for character in key):
        return "the API key has a character that no key has, perhaps a space or a line break"
    return ""


class KeySource:
    """Returns the key for each attempt, and removes the keys that it returned from any text."""

    def __init__(self, given: ApiKey | KeyCallable) -> None:
        self._callable = None if isinstance(given, ApiKey) else given
        self._keys: deque[ApiKey] = deque(maxlen=REMEMBERED)
        if isinstance(given, ApiKey):
            self._keys.append(given)

    async def ask(self, *, timeout: float) -> ApiKey | AuthenticationError:  # noqa: ASYNC109
        """Return the key, or the error if the callable gives none within so many seconds."""
        if self._callable is None:
            return self._keys[0]
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                key, fault = _checked(await _awaited(self._callable()))
        except Exception as error:  # noqa: BLE001 - a callable of the caller's raises what it likes
            # Its message stays in the cause: it may quote a key.
            fault = f"raised {type(error).__name__}"
            if limit.expired():
                fault = f"gave no key within {timeout:g} seconds"
            refusal = _refusal(fault)
            refusal.__cause__ = error
            return refusal
        if fault:
            return _refusal(f"gave no key: {fault}")
        if key not in self._keys:
            self._keys.append(key)
        return key

    async def has_another(self, refused: ApiKey, *, timeout: float) -> bool:  # noqa: ASYNC109
        """Whether the callable now gives another key than the one that was refused."""
        if self._callable is None:
            return False
        key = await self.ask(timeout=timeout)
        return isinstance(key, ApiKey) and key != refused

    def redact(self, text: str) -> str:
        """Return `text` with every occurrence of a key replaced by ``***``."""
        for key in self._keys:
            text = key.redact(text)
        return text


def _checked(given: Any) -> tuple[ApiKey, str]:
    fault = _fault_of(given)
    return (ApiKey(), fault) if fault else (ApiKey(given), "")


async def _awaited(given: Any) -> Any:
    return await given if inspect.isawaitable(given) else given


def _refusal(fault: str) -> AuthenticationError:
    return AuthenticationError(
        f"the callable passed as `api_key` {fault}",
        advice="It must return the key, a string, or an awaitable of it",
    )
