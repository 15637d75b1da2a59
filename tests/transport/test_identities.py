"""Identity files that cannot be used are remarked on with the true reason."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pybridge.transport.asyncssh_quietly import asyncssh, public_key
from pybridge.transport.credentials import Credentials
from pybridge.transport.identities import IdentityLoader
from pybridge.transport.ssh_target import SshTarget


async def remarks(tmp_path: Path, passphrase: str) -> list[str]:
    path = tmp_path / "id"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(path, passphrase="right")
    target = SshTarget(alias="box", host="box", port=22, user="a", identities=(path,))
    return (await IdentityLoader(target, Credentials(key_passphrase=passphrase)).load()).remarks


@pytest.mark.unit
def test_bcrypt_is_a_dependency() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert any(line.startswith("asyncssh[bcrypt]") for line in project["dependencies"])


@pytest.mark.unit
async def test_wrong_passphrase(tmp_path: Path) -> None:
    assert await remarks(tmp_path, "right") == []
    assert "REMOTE_KEY_PASSPHRASE does not open it" in (await remarks(tmp_path, "wrong"))[0]


@pytest.mark.unit
async def test_bcrypt_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "id"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(path, passphrase="right")
    target = SshTarget(alias="box", host="box", port=22, user="a", identities=(path,))
    monkeypatch.setattr(public_key, "_bcrypt_available", False)
    found = await IdentityLoader(target, Credentials(key_passphrase="right")).load()
    assert "cannot be decrypted here" in found.remarks[0] and "bcrypt" in found.remarks[0]
    assert "REMOTE_KEY_PASSPHRASE" not in found.remarks[0]
