"""Finds a host's lines in known_hosts files, and adds to them.

Format: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT: plain, wildcard and negated patterns, `[host]:port`, hashed names,
@revoked and @cert-authority markers. A line that cannot be read is passed over, as OpenSSH does.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pybridge.transport.asyncssh_quietly import asyncssh
from pybridge.transport.ssh_config import match_pattern_list

DEFAULT_PORT = 22


@dataclass(frozen=True)
class KnownHost:
    """One line that names the host: where it stands, its marker ("revoked", "cert-authority" or None), its key.

    `path` is None for a line that KnownHostsCommand printed.
    """

    path: Path | None
    line: int
    marker: str | None
    key: asyncssh.SSHKey

    @property
    def place(self) -> str:
        """Where the line is, for a person."""
        return f"{self.path or 'the output of KnownHostsCommand'} line {self.line}"


def known_hosts_name(host: str, port: int) -> str:
    """The name a host has in known_hosts: `host` at port 22, else `[host]:port`; lower case."""
    return host.lower() if port == DEFAULT_PORT else f"[{host.lower()}]:{port}"


def find_known_hosts(paths: Iterable[Path], name: str) -> list[KnownHost]:
    """Every line of the files that names the host, in order. Missing files are empty files."""
    return [found for path in paths for found in parse_known_hosts(_read(path), name, path)]


def parse_known_hosts(text: str, name: str, path: Path | None = None) -> Iterator[KnownHost]:
    """Every line of a file's content that names the host, in order.

    Args:
        path: the file, None if it is a command's output.
    """
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        marker = words.pop(0)[1:] if words and words[0].startswith("@") else None
        if len(words) < 3 or words[0].startswith("#") or marker not in (None, "revoked", "cert-authority"):
            continue
        if _names_host(words[0], name):
            try:
                key = asyncssh.import_public_key(" ".join(words[1:3]))
            except (asyncssh.KeyImportError, ValueError):
                continue
            yield KnownHost(path, number, marker, key)


def _read(path: Path) -> str:
    try:
        if stat.S_ISFIFO(path.stat().st_mode):
            return ""  # Reading it would wait for a writer, maybe for ever.
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except (OSError, ValueError):
        return ""


def _names_host(patterns: str, name: str) -> bool:
    if not patterns.startswith("|1|"):
        return match_pattern_list(patterns, name)
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in patterns[3:].split("|"))
    except (ValueError, binascii.Error):
        return False
    wanted = hmac.new(salt, name.encode(errors="backslashreplace"), hashlib.sha1).digest()
    return hmac.compare_digest(wanted, digest)


def add_known_host(path: Path, name: str, key: asyncssh.SSHKey, *, hashed: bool) -> None:
    """Append a host's key to a file, which is created with mode 0600 in a folder of mode 0700 if missing.

    One write at the end of the file, so that several processes can add at once; a key that has been added meanwhile is
    not added again.

    Raises:
        OSError: the file cannot be written.
    """
    if any(found.marker is None and found.key == key for found in find_known_hosts([path], name)):
        return
    if hashed:
        salt = secrets.token_bytes(20)
        digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
        name = f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    algorithm, data = key.export_public_key("openssh").decode().split()[:2]
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "rb+", buffering=0) as file:
        line = f"{name} {algorithm} {data}\n".encode()
        if file.seekable() and file.seek(0, os.SEEK_END) > 0:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)
