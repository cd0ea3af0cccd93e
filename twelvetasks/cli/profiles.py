"""Profiles: named settings in a TOML file of the user's configuration folder, and whose key to use.

The file never holds a key: a profile names the environment variable or the keyring that does.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import attrs
import click
import platformdirs

from twelvetasks.cli.suggestions import did_you_mean
from twelvetasks.session import API_KEY_VARIABLE
from twelvetasks.values.secret import ApiKey

KEY_VARIABLE, KEYRING = "key_variable", "keyring"
SERVICE = "twelvetasks"
"""The name under which a keyring holds the keys; the user name is that of the profile."""

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII | re.IGNORECASE)
_SECRET = re.compile(r"key|token|secret|password", re.IGNORECASE)
_KEY = re.compile(r"tlk_\w", re.IGNORECASE)
"""How an API key begins."""


@attrs.frozen
class Profile:
    """A table of the file: settings by the names of their flags, and where the key is."""

    name: str
    settings: Mapping[str, str]
    key_variable: str | None = None
    keyring: bool = False

    def key(self) -> ApiKey | None:
        """Read the key. None if the profile does not say where it is.

        Raises click.UsageError if there is no key there, and click.ClickException without the
        extra or a keyring.
        """
        if self.key_variable is not None:
            if key := os.environ.get(self.key_variable):
                return ApiKey(key)
            raise click.UsageError(
                f"The profile {self.name!r} reads the API key from the environment variable "
                f"{self.key_variable}, which is not set"
            )
        return self._key_in_keyring() if self.keyring else None

    def _key_in_keyring(self) -> ApiKey:
        try:
            import keyring  # noqa: PLC0415 - an extra
            from keyring.errors import KeyringError  # noqa: PLC0415 - the same
        except ImportError as missing:
            if (missing.name or "").partition(".")[0] != "keyring":
                raise
            raise click.ClickException(
                f"The profile {self.name!r} needs an extra: pip install 'twelvetasks[cli,keyring]'"
            ) from None
        try:
            key = keyring.get_password(SERVICE, self.name)
        except KeyringError as fault:
            raise click.ClickException(
                f"The keyring cannot be read: {str(fault) or type(fault).__name__}"
            ) from None
        if not key:
            raise click.UsageError(
                f"The keyring holds no API key of the profile {self.name!r}. Store it by "
                f"`keyring set {SERVICE} {self.name}`"
            )
        return ApiKey(key)


def profiles_path() -> Path:
    """Return the file that holds the profiles, whether it exists or not."""
    return platformdirs.user_config_path("twelvetasks", appauthor=False) / "profiles.toml"


def profile_named(name: str, known: frozenset[str]) -> Profile:
    """Read a profile. `known` are the settings that it may have.

    Raises click.BadParameter if there is no such profile, or the file is not one of profiles.
    """
    tables = _tables()
    if name not in tables:
        hint = did_you_mean(name, tables)
        held = f"There are {', '.join(tables)}" if tables else "It holds none"
        raise click.BadParameter(f"{profiles_path()} has no profile {name!r}. {hint}{held}")
    settings = dict(tables[name])
    key_variable, keyring = settings.pop(KEY_VARIABLE, None), settings.pop(KEYRING, False)
    if not isinstance(keyring, bool):
        raise _wrong(name, f"{KEYRING} is true or false")
    is_text = isinstance(key_variable, str)
    if key_variable is not None and not (is_text and _VARIABLE.fullmatch(key_variable)):
        raise _wrong(name, f"{KEY_VARIABLE} is the name of an environment variable")
    if key_variable is not None and keyring:
        raise _wrong(name, f"give either {KEY_VARIABLE} or {KEYRING}")
    for setting, value in settings.items():
        if setting not in known:
            hint = did_you_mean(setting, known)
            listed = ", ".join((KEY_VARIABLE, KEYRING, *sorted(known)))
            raise _wrong(name, f"there is no setting {setting!r}. {hint}There are {listed}")
        if not isinstance(value, str | int | float):
            raise _wrong(name, f"{setting} is neither text, a number, true nor false")
    return Profile(
        name, {one: str(value) for one, value in settings.items()}, key_variable, keyring
    )


def complete_profiles(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a profile."""
    try:
        return [name for name in _tables() if name.startswith(incomplete)]
    except click.BadParameter:
        return []


def _tables() -> dict[str, dict[str, Any]]:
    """Read the file, and refuse a key anywhere in it."""
    path = profiles_path()
    try:
        text = path.read_bytes().decode()
        if _KEY.search(text):
            raise _holds_secret()
        tables = tomllib.loads(text)
    except FileNotFoundError:
        raise click.BadParameter(f"there is no file {path}, which holds the profiles") from None
    except OSError as fault:
        raise click.BadParameter(f"{path}: {fault.strerror}") from None
    except (ValueError, RecursionError) as fault:
        where = str(fault) if isinstance(fault, tomllib.TOMLDecodeError) else "not UTF-8"
        raise click.BadParameter(f"{path} is not TOML: {where}") from None
    _refuse_secrets(tables)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise click.BadParameter(
                f"{path} sets {name!r} outside a profile: begin one by a line such as [work]"
            )
    return tables


def _refuse_secrets(table: Mapping[str, object]) -> None:
    places = (KEY_VARIABLE, KEYRING)
    for name, value in table.items():
        if isinstance(value, Mapping):
            _refuse_secrets(value)
        # A setting that says where the key is may be misspelled.
        elif _SECRET.search(name) and not get_close_matches(name, places, cutoff=0.8):
            raise _holds_secret()


def _holds_secret() -> click.BadParameter:
    """Make the error for a key in the file, which does not repeat the key."""
    return click.BadParameter(
        f"{profiles_path()} holds an API key or another secret, but other programs and backups "
        "read such a file. Replace that key, and let the profile say "
        f'{KEY_VARIABLE} = "{API_KEY_VARIABLE}" or {KEYRING} = true'
    )


def _wrong(name: str, fault: str) -> click.BadParameter:
    return click.BadParameter(f"{profiles_path()}, profile {name!r}: {fault}")
