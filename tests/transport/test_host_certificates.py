"""Host certificates count where the system's ssh lets them count, and else the key in them does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.errors import HostKeyChangedError, HostKeyUnknownError, RemoteError
from tests.kit.counterparts import need
from tests.kit.sshd import SshServer, call, make_key, start_openssh
from tests.kit.system_ssh import ask_system_ssh
from tests.transport.test_host_keys_as_ssh import connect, public_words


@dataclass(frozen=True)
class Case:
    """One certificate, and what is known.

    `signing` are words for ssh-keygen -s; `lines` is known_hosts, with {name}, {ca}, {other} (another authority) and
    {key}. `says` must be in the error's text.
    """

    name: str
    signing: tuple[str, ...] = ("-n", "127.0.0.1")
    lines: str = "@cert-authority {name} {ca}\n"
    options: tuple[str, ...] = ()
    error: type[RemoteError] | None = None
    says: str = ""


CASES = [
    Case("valid"),
    Case("without names", ()),
    Case("several names", ("-n", "x,127.0.0.1")),
    Case("names are no patterns", ("-n", "127.0.*"), error=HostKeyUnknownError, says="127.0.*"),
    Case("known at port 22", lines="@cert-authority 127.0.0.1 {ca}\n"),
    Case("known for everybody", lines="@cert-authority * {ca}\n"),
    Case("of another authority", lines="@cert-authority * {other}\n", error=HostKeyUnknownError, says="authority"),
    Case("expired", ("-n", "127.0.0.1", "-V", "20200101:20200102"), error=HostKeyUnknownError, says="expired"),
    Case("not yet valid", ("-n", "127.0.0.1", "-V", "20900101:20900102"), error=HostKeyUnknownError, says="only from"),
    Case("for another host", ("-n", "else.example"), error=HostKeyUnknownError, says="else.example, not for 127.0.0.1"),
    Case("for the alias", ("-n", "alias"), "@cert-authority alias {ca}\n", ("-oHostKeyAlias=alias",)),
    Case("expired, with its key known", ("-V", "20200101:20200102"), "@cert-authority * {ca}\n{name} {key}\n"),
    Case("of another authority, with its key known", lines="@cert-authority * {other}\n{name} {key}\n"),
    Case("the authority is revoked", lines="@cert-authority * {ca}\n@revoked * {ca}\n", error=HostKeyChangedError),
    Case("the key is revoked", lines="@cert-authority * {ca}\n@revoked * {key}\n", error=HostKeyChangedError),
    Case("in a list of revoked keys", options=("-oRevokedHostKeys={folder}/krl",), error=HostKeyChangedError),
    Case(
        "signed with what is not wanted", options=("-oCASignatureAlgorithms=rsa-sha2-512",), error=HostKeyUnknownError
    ),
    Case("accept-new", lines="@cert-authority * {other}\n", options=("-oStrictHostKeyChecking=accept-new",)),
]


@pytest.mark.whole
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_as_ssh_does(tmp_path: Path, case: Case) -> None:
    with certified(tmp_path, case.signing) as server:
        words = {
            "name": f"[127.0.0.1]:{server.port}",
            "folder": str(tmp_path),
            "ca": public_words(tmp_path / "ca.pub"),
            "other": public_words(tmp_path / "other.pub"),
            "key": public_words(server.folder / "host_ed25519.pub"),
        }
        (tmp_path / "specification").write_text("serial: 7\n")
        krl = ["-k", "-f", str(tmp_path / "krl"), "-s", str(tmp_path / "ca.pub"), str(tmp_path / "specification")]
        call(need("ssh-keygen"), "-q", *krl)
        known = [tmp_path / "theirs", tmp_path / "ours"]
        for file in known:
            file.write_text(case.lines.format(**words))
        options = [option.format(**words) for option in case.options]
        commands = [server.ssh_command_with(known_hosts=file) for file in known]
        answer = await ask_system_ssh(commands[0], *options)
        ours = await connect(" ".join(["ssh", *options, commands[1].removeprefix("ssh ")]))
        assert (ours is None) == answer.got_in == (case.error is None), (ours, answer.said)
        if case.error is not None:
            assert isinstance(ours, case.error)
            assert case.says in str(ours)


@contextlib.contextmanager
def certified(folder: Path, signing: tuple[str, ...]) -> Iterator[SshServer]:
    """A server that shows a certificate with the serial number 7, of the authority `ca`."""
    for name in ("ca", "other"):
        make_key(folder / name)
    server_folder = folder / "server"
    server_folder.mkdir()
    public = make_key(server_folder / "host_ed25519").with_suffix(".pub")
    call(need("ssh-keygen"), "-q", "-s", str(folder / "ca"), "-I", "id", "-h", "-z", "7", *signing, str(public))
    server = start_openssh(server_folder, [f"HostCertificate {server_folder / 'host_ed25519-cert.pub'}"])
    try:
        yield server
    finally:
        server.stop()
