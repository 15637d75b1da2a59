"""The start of the sidecar: nothing of the interpreter's stays changed, and wrong settings come before the host."""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pybridge.errors import ConfigurationError, ConnectionRefusedByHostError, RemoteError
from pybridge.sidecar import start
from pybridge.sidecar.idle_memory import give_back
from pybridge.sidecar.target import connect_remote


@pytest.mark.unit
def test_after_the_start_all_is_as_usual() -> None:
    usual = sys.getswitchinterval()
    start.begin()
    try:
        assert not gc.isenabled()
        assert sys.getswitchinterval() < usual
    finally:
        start.end()
    assert gc.isenabled()
    assert sys.getswitchinterval() == pytest.approx(usual)
    assert gc.get_freeze_count() > 0
    give_back()
    assert gc.get_freeze_count() == 0


@pytest.mark.unit
def test_its_end_is_told_of_more_than_once() -> None:
    gc.unfreeze()
    start.end()  # as after a second attempt to connect
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("", ConnectionRefusedByHostError),
        ("-o RevokedHostKeys=/nowhere/at/all", ConfigurationError),
        ("-o HostKeyAlgorithms=none-such", ConfigurationError),
        ("-o Ciphers=none-such", ConfigurationError),
    ],
)
async def test_what_is_wrong_with_the_settings_comes_first(
    options: str, error: type[RemoteError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    env: Mapping[str, str] = {"REMOTE_SSH": f"ssh -F none {options} -p {port} user@127.0.0.1"}
    with pytest.raises(error):
        await connect_remote(env, {}, lambda state, problem: None)
