"""Settings: what the variables mean, and what is refused (D1, D6)."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import pickle
import re
from pathlib import Path

import pytest

from pybridge import settings as module
from pybridge.errors import ConfigurationError
from pybridge.settings import SECRET_NAMES, VARIABLES, Secret, Settings, markdown_table

pytestmark = pytest.mark.unit

SSH = {"REMOTE_SSH": "user@host"}
README = Path(__file__).parents[1] / "README.md"


def test_d6_only_remote_ssh_is_required_and_the_rest_has_its_default() -> None:
    settings = Settings.from_environment(SSH)
    assert settings == Settings(ssh="user@host")
    assert (settings.command_connections, settings.file_connections, settings.stagger_ms) == (3, 2, 0)
    assert (settings.workdir, settings.login, settings.all_dirs, settings.log_level) == ("~", True, False, "info")


@pytest.mark.parametrize("env", [{}, {"REMOTE_SSH": ""}, {"REMOTE_SSH": "  "}])
def test_d1_a_missing_remote_ssh_is_named(env: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="REMOTE_SSH"):
        Settings.from_environment(env)


def test_every_variable_is_read() -> None:
    settings = Settings.from_environment(
        {
            "REMOTE_SSH": " -p 22 u@h ",
            "REMOTE_WORKDIR": "/srv/my app",
            "REMOTE_POOL_COMMAND_SIZE": " 5 ",
            "REMOTE_POOL_FILE_SIZE": "1",
            "REMOTE_POOL_STAGGER_MS": "250",
            "REMOTE_SHELL": "/bin/zsh",
            "REMOTE_LOGIN": "0",
            "REMOTE_ENCODING": "Latin-1",
            "REMOTE_ANCHOR": str(Path.cwd()),
            "REMOTE_ALL_DIRS": "1",
            "PYBRIDGE_LOG": "DEBUG",
        },
        {"REMOTE_PASSWORD": "p", "REMOTE_SUDO_PASSWORD": "s", "REMOTE_KEY_PASSPHRASE": "k"},
    )
    assert settings == Settings(
        ssh="-p 22 u@h",
        workdir="/srv/my app",
        password=Secret("p"),
        sudo_password=Secret("s"),
        key_passphrase=Secret("k"),
        command_connections=5,
        file_connections=1,
        stagger_ms=250,
        shell="/bin/zsh",
        login=False,
        encoding="iso8859-1",
        anchor=Path.cwd(),
        all_dirs=True,
        log_level="debug",
    )
    assert [s.reveal() for s in settings.secrets()] == ["p", "s", "k"]


def test_an_empty_value_is_an_absent_one() -> None:
    assert Settings.from_environment({**{v.name: "" for v in VARIABLES}, **SSH}) == Settings(ssh="user@host")


def test_secrets_handed_over_apart_win_over_the_environment() -> None:
    env = {**SSH, "REMOTE_PASSWORD": "old"}
    assert Settings.from_environment(env, {"REMOTE_PASSWORD": "new"}).password == Secret("new")
    assert Settings.from_environment(env).password == Secret("old")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("REMOTE_POOL_COMMAND_SIZE", "0", "1 to 64"),
        ("REMOTE_POOL_COMMAND_SIZE", "65", "1 to 64"),
        ("REMOTE_POOL_COMMAND_SIZE", "three", "1 to 64"),
        ("REMOTE_POOL_FILE_SIZE", "-1", "1 to 64"),
        ("REMOTE_POOL_FILE_SIZE", "1.5", "1 to 64"),
        ("REMOTE_POOL_FILE_SIZE", "٣", "1 to 64"),
        ("REMOTE_POOL_STAGGER_MS", "60001", "0 to 60000"),
        ("REMOTE_POOL_STAGGER_MS", "9" * 5000, "0 to 60000"),
        ("REMOTE_LOGIN", "maybe", "1 or 0"),
        ("REMOTE_ALL_DIRS", "2", "1 or 0"),
        ("REMOTE_SHELL", "sh\nrm", "shell"),
        ("REMOTE_ENCODING", "klingon", "latin-1"),
        ("REMOTE_ENCODING", "base64", "latin-1"),
        ("REMOTE_ENCODING", "idna", "latin-1"),
        ("REMOTE_ENCODING", "unicode_escape", "latin-1"),
        ("REMOTE_ENCODING", "undefined", "latin-1"),
        ("REMOTE_ANCHOR", "relative/folder", "absolute"),
        ("PYBRIDGE_LOG", "verbose", "debug, info or warning"),
    ],
)
def test_a_bad_value_is_refused_with_name_value_and_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({**SSH, name: value})
    assert str(caught.value).startswith(f"{name} is {value!r}")
    assert caught.value.next_step is not None and allowed in caught.value.next_step


def test_a_secret_shows_itself_nowhere() -> None:
    settings = Settings.from_environment(SSH, dict.fromkeys(SECRET_NAMES, "hunter2"))
    secret = settings.password
    assert secret is not None and secret.reveal() == "hunter2"
    shown = [repr(settings), str(settings), f"{secret}", f"{secret!r:>20}", "%s %r" % (secret, secret)]  # noqa: UP031
    shown += [repr(dataclasses.asdict(settings)), repr(copy.copy(settings)), repr(copy.deepcopy(settings))]
    assert "hunter2" not in " ".join(shown)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert not hasattr(secret, "__dict__")


def test_a_bad_secret_never_appears_in_an_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({"REMOTE_PASSWORD": "hunter2"}, {"REMOTE_PASSWORD": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_the_table_names_every_variable_the_code_reads() -> None:
    read = set(re.findall(r'"((?:REMOTE|PYBRIDGE)_[A-Z_]+)"', inspect.getsource(Settings) + _helpers()))
    # The plugin reads this one, before there is any Python.
    assert read == {v.name for v in VARIABLES} - {"PYBRIDGE_PYTHON"}


def _helpers() -> str:
    functions = [f for _, f in inspect.getmembers(module, inspect.isfunction) if f.__module__ == module.__name__]
    return "".join(inspect.getsource(f) for f in functions)


@pytest.mark.parametrize("variable", [v for v in VARIABLES if v.default], ids=lambda v: v.name)
def test_the_default_in_the_table_is_the_default_of_the_code(variable: module.Variable) -> None:
    assert Settings.from_environment({**SSH, variable.name: variable.default}) == Settings.from_environment(SSH)


def test_readme_has_the_table_of_the_code() -> None:
    rows = [line for line in README.read_text("utf-8").splitlines() if re.match(r"\| *`(REMOTE|PYBRIDGE)_", line)]
    assert rows == markdown_table().splitlines()[2:]
