"""Profiles: settings from a file, the key from elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import AS_SCRIPT, KEY, Command, Outcome, at, spawn
from twelvetasks.cli.profiles import profiles_path
from twelvetasks.cli.program import cli
from twelvetasks.testing import FakePlatform

OTHER_KEY = "tlk_ANOTHER0KEY0OF0ANOTHER0ACCOUNT"


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WORK_KEY", KEY)
    monkeypatch.setenv("TWELVE_LABS_API_KEY", OTHER_KEY)


def write(text: str) -> None:
    profiles_path().parent.mkdir(parents=True, exist_ok=True)
    profiles_path().write_text(text, "utf-8")


class TestSettings:
    def test_a_profile_says_where_the_platform_and_the_key_are(
        self, command: Command, account: FakePlatform
    ) -> None:
        write(f'[work]\nbase_url = "{account.base_url}"\nkey_variable = "WORK_KEY"\n')
        assert command("count", "--profile", "work").out == "100\n"
        assert account.requests[0].headers["x-api-key"] == KEY

    def test_a_variable_chooses_one(
        self, command: Command, account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(f'[work]\nbase_url = "{account.base_url}"\nkey_variable = "WORK_KEY"\n')
        monkeypatch.setenv("TWELVETASKS_PROFILE", "work")
        assert command("count").out == "100\n"

    def test_flags_come_before_a_profile_and_a_profile_before_variables(
        self, command: Command, account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write('[work]\nbase_url = "http://127.0.0.1:9/v1.3"\nkey_variable = "WORK_KEY"\n')
        monkeypatch.setenv("TWELVETASKS_BASE_URL", str(account.base_url))
        assert command("count", "--profile", "work", "--base-url", str(account.base_url)).code == 0
        sent = len(account.requests)
        # Its key must not go to another platform only because a variable is still set.
        assert command("count", "--profile", "work", "--timeout", "1").code == 1
        assert len(account.requests) == sent

    def test_settings_that_one_command_lacks_do_not_harm_it(
        self, command: Command, account: FakePlatform
    ) -> None:
        write(
            '[work]\nkey_variable = "WORK_KEY"\nconcurrency = 2\ntimeout = "9s"\nprogress = false'
        )
        assert command("count", "--profile", "work", *at(account)).out == "100\n"
        assert len(command("list", "--profile", "work", *at(account)).tasks) == 100

    def test_without_a_place_of_its_own_the_key_is_the_usual_one(
        self, command: Command, account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write("[work]\nconcurrency = 2\n")
        monkeypatch.setenv("TWELVE_LABS_API_KEY", KEY)
        assert command("count", "--profile", "work", *at(account)).out == "100\n"

    def test_a_demo_needs_no_key_of_it(self, command: Command) -> None:
        write('[work]\nbase_url = "https://example.org"\nkey_variable = "NOT_SET"\n')
        assert command("count", "--profile", "work", "--demo").out == "1000\n"

    @pytest.mark.parametrize("name", sorted(set(cli.commands) - {"completion"}))
    def test_every_command_has_it(self, name: str) -> None:
        assert "--profile" in {flag for option in cli.commands[name].params for flag in option.opts}

    def test_a_shell_completes_their_names(self) -> None:
        write("[work]\n[home]\n[holidays]\n")
        completed = subprocess.run(
            AS_SCRIPT,
            check=True,
            env={
                "PATH": "",
                "XDG_CONFIG_HOME": str(profiles_path().parent.parent),
                "COMP_WORDS": "twelvetasks count --profile ho",
                "COMP_CWORD": "3",
                "_TWELVETASKS_COMPLETE": "bash_complete",
            },
            capture_output=True,
            encoding="utf-8",
        )
        assert completed.stdout.split() == ["plain,home", "plain,holidays"]


class TestTheKeyring:
    PROGRAM = """
import sys
import keyring, keyring.backend
from twelvetasks.__main__ import main

class Keyring(keyring.backend.KeyringBackend):
    priority = 9

    def get_password(self, service, username):
        return {("twelvetasks", "work"): "KEY"}.get((service, username))

    def set_password(self, service, username, password): ...
    def delete_password(self, service, username): ...

keyring.set_keyring(Keyring())
main()
""".replace("KEY", KEY)

    def run(self, program: str, *arguments: str) -> Outcome:
        with spawn(arguments, program=(sys.executable, "-c", program)) as process:
            out, err = process.communicate()
        return Outcome(process.returncode, out.decode(), err.decode())

    def test_it_may_hold_the_key(self, account: FakePlatform) -> None:
        write("[work]\nkeyring = true\n[other]\nkeyring = true\n")
        counted = self.run(self.PROGRAM, "count", "--profile", "work", *at(account))
        assert (counted.code, counted.out, counted.err) == (0, "100\n", "")
        missing = self.run(self.PROGRAM, "count", "--profile", "other", *at(account))
        assert missing.code == 2
        assert "`keyring set twelvetasks other`" in missing.complaint

    def test_a_machine_without_one_is_an_error(self, account: FakePlatform) -> None:
        write("[work]\nkeyring = true\n")
        program = (
            "import keyring; from keyring.backends.fail import Keyring;"
            "keyring.set_keyring(Keyring()); from twelvetasks.__main__ import main; main()"
        )
        refused = self.run(program, "count", "--profile", "work", *at(account))
        assert refused.code == 1
        assert "The keyring cannot be read" in refused.complaint

    def test_the_extra_is_named_where_it_is_missing(self, account: FakePlatform) -> None:
        write("[work]\nkeyring = true\n")
        program = (
            "import sys; sys.modules['keyring'] = None;"
            "from twelvetasks.__main__ import main; main()"
        )
        refused = self.run(program, "count", "--profile", "work", *at(account))
        assert refused.code == 1
        assert "pip install 'twelvetasks[cli,keyring]'" in refused.complaint


class TestRefusals:
    @pytest.mark.parametrize(
        "text",
        [
            f'[work]\napi_key = "{KEY}"\n',
            f'[work]\nkey = "{KEY}"\n',
            '[work]\napi-key = "0123456789abcdef"\n',
            '[work]\nTOKEN = "0123456789abcdef"\n',
            f'[work]\nkey_variable = "{KEY}"\n',
            f"[work]\napi_key = {KEY}\n",
            f'[work]\nbase_url = "https://example.org/{KEY}"\n',
            f'[work]\n[other]\napi_key = "{KEY}"\n',
            '[work]\n[work.more]\nsecret = "0123456789abcdef"\n',
            f"# {KEY}\n[work]\n",
            f'x-api-key = "{KEY}"\n[work]\n',
        ],
    )
    def test_a_key_in_the_file_is_refused_and_not_shown(
        self, command: Command, account: FakePlatform, text: str
    ) -> None:
        write(text)
        refused = command("count", "--profile", "work", *at(account))
        assert refused.code == 2
        assert "holds an API key or another secret" in refused.complaint
        assert "key_variable" in refused.complaint
        assert "keyring = true" in refused.complaint
        assert "0123456789abcdef" not in refused.err
        assert account.requests == []

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[home]\n", "has no profile 'work'. There are home"),
            ("[works]\n[home]\n", "Did you mean works?"),
            ("", "has no profile 'work'. It holds none"),
            ("[work", "is not TOML: "),
            ("concurrency = 3\n[work]\n", "sets 'concurrency' outside a profile"),
            ("[work]\nconcurency = 3\n", "Did you mean concurrency? There are key_variable"),
            ("[work]\nkey_variabel = 'A'\n", "there is no setting 'key_variabel'"),
            ("[work]\nconcurrency = 0\n", "Invalid value for concurrency in the profile 'work'"),
            ("[work]\ntimeout = [3]\n", "timeout is neither text, a number, true nor false"),
            ("[work]\nkeyring = 'yes'\n", "keyring is true or false"),
            ("[work]\nkey_variable = 'A B'\n", "the name of an environment variable"),
            ("[work]\nkey_variable = 'A'\nkeyring = true\n", "either key_variable or keyring"),
            ("[work]\nkey_variable = 'NOT_SET'\n", "NOT_SET, which is not set"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, command: Command, account: FakePlatform, text: str, said: str
    ) -> None:
        write(text)
        refused = command("list", "--profile", "work", *at(account))
        assert refused.code == 2
        assert said in refused.complaint
        assert account.requests == []

    def test_a_missing_file_is_named(self, command: Command) -> None:
        refused = command("list", "--profile", "work")
        assert refused.code == 2
        assert str(profiles_path()) in refused.complaint

    def test_what_is_not_utf_8_is_named(self, command: Command) -> None:
        write("")
        profiles_path().write_bytes(b"[work]\n# \xff\n")
        assert "is not TOML: not UTF-8" in command("list", "--profile", "work").complaint
