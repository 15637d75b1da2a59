"""Key revocation lists are read as ssh-keygen writes them, and refused where they are not understood."""

from __future__ import annotations

import subprocess
from pathlib import Path

import asyncssh
import pytest

from pybridge.errors import ConfigurationError
from pybridge.transport.host_certificates import read_host_key
from pybridge.transport.krl import KeyRevocationList, KrlError
from pybridge.transport.revoked_keys import RevokedKeys
from tests.kit.counterparts import need
from tests.kit.sshd import call, make_key

SERIALS = [*range(1, 5), *range(10, 90, 3), 1000, 70_000, 2**63]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities `ca`, `other`, plain keys `a`, `b`, and certificates of `ca` over copies of `a`."""
    folder = tmp_path_factory.mktemp("krl")
    for name in ("ca", "other", "a", "b"):
        make_key(folder / name)
    for serial in (0, 1, 11, 13, 1000, 1001, 2**63):
        certify(folder, "ca", f"id-{serial}", serial)
    certify(folder, "other", "of-other", 1)
    return folder


def certify(folder: Path, authority: str, name: str, serial: int) -> None:
    public = folder / f"{name}.pub"
    public.write_text((folder / "a.pub").read_text())
    words = ["-q", "-s", str(folder / authority), "-I", name, "-h", "-z", str(serial), "-n", "box", str(public)]
    call(need("ssh-keygen"), *words)


def make_krl(keys: Path, tmp_path: Path, text: str, *options: str) -> Path:
    """A list made from a specification, as in ssh-keygen(1)."""
    (tmp_path / "specification").write_text(text)
    krl = tmp_path / "krl"
    call(need("ssh-keygen"), "-q", "-k", "-f", str(krl), *options, str(tmp_path / "specification"))
    return krl


def ours(krl: Path, file: Path) -> bool:
    kind, data = file.read_text().split()[:2]
    blob = asyncssh.import_public_key(f"{kind} {data}").public_data if "-cert" not in kind else None
    key, certificate = read_host_key(blob or asyncssh.import_certificate(f"{kind} {data}").public_data)
    return RevokedKeys.read(krl).revokes(key, certificate)


def theirs(krl: Path, file: Path) -> bool:
    """ssh-keygen -Q, which fails where the key is revoked."""
    words = [need("ssh-keygen"), "-Q", "-f", str(krl), str(file)]
    return subprocess.run(words, capture_output=True, check=False).returncode != 0


SPECIFICATIONS = {
    "keys": ("key: {a}", ()),
    "hashes of SHA1": ("sha1: {a}", ()),
    "hashes of SHA256": ("sha256: {b}", ()),
    "fingerprints": ("hash: {a_hash}", ()),
    "an authority": ("key: {ca}", ()),
    "serial numbers": ("\n".join(f"serial: {serial}" for serial in SERIALS), ("-s", "ca.pub")),
    "a range": ("serial: 1-1000", ("-s", "ca.pub")),
    "key ids": ("id: id-0\nid: id-1000", ("-s", "ca.pub")),
    "key ids of every authority": ("id: of-other\nid: id-1", ("-s", "none")),
    "everything": ("key: {b}\nsha256: {other}\nserial: 11\nid: id-1", ("-s", "ca.pub")),
    "nothing": ("", ()),
}


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_what_is_revoked_is_what_ssh_keygen_says(keys: Path, tmp_path: Path, name: str) -> None:
    text, options = SPECIFICATIONS[name]
    publics = {file.stem: file.read_text().strip() for file in keys.glob("*.pub")}
    publics["a_hash"] = call(need("ssh-keygen"), "-lf", str(keys / "a.pub")).split()[1]
    paths = [str(keys / word) if word.endswith(".pub") else word for word in options]
    krl = make_krl(keys, tmp_path, text.format(**publics) + "\n", *paths)
    for file in sorted(keys.glob("*.pub")):
        assert ours(krl, file) is theirs(krl, file), file.name


def test_a_list_that_is_cut_or_of_the_future_is_refused(keys: Path, tmp_path: Path) -> None:
    data = make_krl(keys, tmp_path, "key: " + (keys / "a.pub").read_text()).read_bytes()
    assert KeyRevocationList.parse(data).keys
    start = len(data) - len(data[44:])  # Behind the fixed part of the header and two empty strings.
    for end in range(8, len(data)):
        if end != start:
            with pytest.raises(KrlError):
                KeyRevocationList.parse(data[:end])
    unknown_section = data + b"\x09" + (0).to_bytes(4, "big")
    critical = b"\0\0\0\1x\1\0\0\0\0"
    for bad in (
        data[:8] + b"\0\0\0\2" + data[12:],
        unknown_section,
        data + b"\xff" + len(critical).to_bytes(4, "big") + critical,
        data + b"\x01" + (13).to_bytes(4, "big") + bytes(8) + b"\x77\0\0\0\0",
    ):
        with pytest.raises(KrlError, match="unknown|not known"):
            KeyRevocationList.parse(bad)
        (tmp_path / "bad").write_bytes(bad)
        with pytest.raises(ConfigurationError, match="REMOTE_TRANSPORT=openssh"):
            RevokedKeys.read(tmp_path / "bad")
    harmless = b"\0\0\0\1x\0\0\0\0\0"
    KeyRevocationList.parse(data + b"\xff" + len(harmless).to_bytes(4, "big") + harmless)
