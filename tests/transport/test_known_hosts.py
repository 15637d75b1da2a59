"""known_hosts files are read and written as OpenSSH does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import asyncssh
import pytest

from pybridge.transport.known_hosts import add_known_host, find_known_hosts, known_hosts_name
from tests.kit.counterparts import need
from tests.kit.sshd import call

pytestmark = pytest.mark.unit

KEY = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
OTHER = asyncssh.generate_private_key("ecdsa-sha2-nistp256").convert_to_public()


def line(names: str, key: asyncssh.SSHKey = KEY) -> str:
    return f"{names} {' '.join(key.export_public_key('openssh').decode().split()[:2])}\n"


@pytest.mark.parametrize(
    ("names", "name", "found"),
    [
        ("box", "box", True),
        ("BOX", "box", True),
        ("box", "boxes", False),
        ("a,box,c", "box", True),
        ("*.example.org", "x.example.org", True),
        ("*.example.org,!x.example.org", "x.example.org", False),
        ("b?x", "box", True),
        ("[box]:2222", "[box]:2222", True),
        ("box", "[box]:2222", False),
        ("[box]:2222", "box", False),
        ("10.0.0.*", "10.0.0.7", True),
    ],
)
def test_patterns(tmp_path: Path, names: str, name: str, found: bool) -> None:
    file = tmp_path / "known"
    file.write_text(line(names))
    assert bool(find_known_hosts([file], name)) is found


def test_lines_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "known"
    text = "# box ssh-ed25519 AAAA\n\nbox\nbox ssh-ed25519 !!!\n@unknown " + line("box") + "|1|x|y " + line("a")
    file.write_bytes(
        text.encode() + b"\xff\xfe box\n" + line("box").encode() + b"@revoked " + line("box", OTHER).encode()
    )
    found = find_known_hosts([tmp_path / "missing", file], "box")
    assert [(entry.line, entry.marker, entry.key == KEY) for entry in found] == [(8, None, True), (9, "revoked", False)]


def test_names_hashed_by_openssh_are_found(tmp_path: Path) -> None:
    file = tmp_path / "known"
    file.write_text(line("box") + line("[box]:2200", OTHER))
    call(need("ssh-keygen"), "-q", "-H", "-f", str(file))
    assert "box" not in file.read_text()
    assert [entry.key for entry in find_known_hosts([file], "box")] == [KEY]
    assert [entry.key for entry in find_known_hosts([file], "[box]:2200")] == [OTHER]


@pytest.mark.parametrize("hashed", [False, True])
def test_added_keys_are_found_by_openssh(tmp_path: Path, hashed: bool) -> None:
    file = tmp_path / "new" / "known"
    add_known_host(file, "[box]:2200", KEY, hashed=hashed)
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
    file.write_text(file.read_text().rstrip("\n"))  # A file without a final newline stays readable.
    add_known_host(file, "other", OTHER, hashed=hashed)
    for name, key in (("[box]:2200", KEY), ("other", OTHER)):
        shown = call(need("ssh-keygen"), "-F", name, "-f", str(file))
        assert key.export_public_key("openssh").decode().split()[1] in shown
    assert ("other" in file.read_text()) is not hashed


def test_a_key_that_is_there_is_not_added_again(tmp_path: Path) -> None:
    file = tmp_path / "known"
    for _ in range(2):
        add_known_host(file, "box", KEY, hashed=True)
    assert len(file.read_text().splitlines()) == 1


@pytest.mark.whole
def test_processes_that_add_at_once_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "known"
    code = (
        "import sys, asyncssh\nfrom pathlib import Path\nfrom pybridge.transport.known_hosts import add_known_host\n"
        "key = asyncssh.import_public_key(sys.argv[1])\n"
        "for i in range(50): add_known_host(Path(sys.argv[2]), f'{sys.argv[3]}-{i}', key, hashed=False)\n"
    )
    words = " ".join(KEY.export_public_key("openssh").decode().split()[:2])
    started = [subprocess.Popen([sys.executable, "-c", code, words, str(file), f"p{i}"]) for i in range(4)]
    assert [process.wait() for process in started] == [0] * 4
    lines = file.read_text().splitlines()
    assert sorted(lines) == sorted(f"p{i}-{j} {words}" for i in range(4) for j in range(50))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs on Windows")
def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert find_known_hosts([tmp_path / "fifo"], "box") == []


def test_names() -> None:
    assert known_hosts_name("Box", 22) == "box"
    assert known_hosts_name("::1", 2200) == "[::1]:2200"
