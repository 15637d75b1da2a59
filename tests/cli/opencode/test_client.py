"""Which command lines make OpenCode a client of another server, and what such a client is given."""

from __future__ import annotations

import pytest

from pybridge.cli.opencode.client import client_environment, is_client

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "line",
    [
        "attach http://127.0.0.1:4096",
        "--print-logs attach http://127.0.0.1:4096 --continue",
        "--log-level DEBUG attach http://127.0.0.1:4096",
        "--log-level=DEBUG --pure attach http://127.0.0.1:4096",
        "run --attach http://127.0.0.1:4096 hello",
        "run hello --attach=http://127.0.0.1:4096",
    ],
)
def test_a_client_is_known_by_its_command(line: str) -> None:
    assert is_client(line.split())


@pytest.mark.parametrize(
    "line",
    [
        "",
        ".",
        "--continue",
        "serve --port 4096",
        "web",
        "run attach http://127.0.0.1:4096",
        "run -- --attach http://127.0.0.1:4096",
        "--agent attach",
        "--prompt attach",
        "-- attach",
        "--prompt",
    ],
)
def test_whatever_runs_sessions_itself_is_none(line: str) -> None:
    assert not is_client(line.split())


def test_a_client_gets_nothing_of_the_remote() -> None:
    env = {"REMOTE_SSH": "h", "REMOTE_WORKDIR": "~/p", "REMOTE_PASSWORD": "secret", "REMOTE_ANCHOR": "/a", "PATH": "/b"}
    assert client_environment(env) == {"PATH": "/b"}
