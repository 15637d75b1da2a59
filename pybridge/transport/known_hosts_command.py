"""Runs KnownHostsCommand, which prints further known_hosts lines: ssh_config(5).

OpenSSH runs it once to order the algorithms and once for the key that is shown. Here it is run once, before the
handshake, unless one of its arguments is about the key (%t, %f, %K): then again, when the key is there.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

from pybridge.errors import HostKeyError
from pybridge.transport.asyncssh_quietly import asyncssh

DEADLINE_SECONDS = 10.0


class KnownHostsCommand:
    """One command, with the tokens that are left to be replaced: %H %I %t %f %K."""

    def __init__(self, command: str, host: str, name: str) -> None:
        """
        Args:
            command: the value of KnownHostsCommand.
            host: the host's name or address, %H while the algorithms are chosen.
            name: the host's name in known_hosts, %H otherwise.
        """
        self._command = command
        self._host = host
        self._name = name
        self.wants_key = bool({"t", "f", "K"} & set(re.findall("%(.)", command)))

    def run_before(self) -> str:
        """Its lines before the key is known.

        Raises:
            HostKeyError: it failed or did not end, so nothing may be connected to.
        """
        invocation, host = ("ORDER", self._host) if self.wants_key else ("HOSTNAME", self._name)
        return self._run({"I": invocation, "H": host, "t": "NONE", "f": "NONE", "K": "NONE"})

    def run_for(self, key: asyncssh.SSHKey) -> str:
        """Its lines on a key. Blocks, for `DEADLINE_SECONDS` at most.

        Raises:
            HostKeyError: as `run_before`.
        """
        kind, data = key.export_public_key("openssh").decode().split()[:2]
        tokens = {"I": "HOSTNAME", "H": self._name, "t": kind, "K": data, "f": key.get_fingerprint("sha256")}
        return self._run(tokens)

    def _run(self, tokens: dict[str, str]) -> str:
        tokens = {**tokens, "%": "%"}
        words = [re.sub(r"%(.)", lambda match: tokens[match[1]], word) for word in self._words()]
        if not words or not Path(words[0]).is_absolute() or not Path(words[0]).exists():
            return ""  # As in OpenSSH, which then goes by the files alone.
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise self._failed(f"did not end within {DEADLINE_SECONDS:g} s") from error
        except OSError as error:
            raise self._failed(f"cannot be run: {error.strerror}") from error
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip()[-300:]
            raise self._failed(f"ended with {done.returncode}" + (f": {said}" if said else ""))
        return done.stdout.decode("utf-8", "surrogateescape")

    def _words(self) -> list[str]:
        lexer = shlex.shlex(self._command, posix=True)
        lexer.whitespace_split = True
        lexer.commenters = ""
        lexer.escape = "" if os.name == "nt" else "\\"
        try:
            return list(lexer)
        except ValueError as error:
            raise self._failed("cannot be read: a quotation mark is not closed") from error

    def _failed(self, how: str) -> HostKeyError:
        return HostKeyError(
            f"KnownHostsCommand {self._command!r} {how}. Nothing was sent to {self._name}.",
            next_step="Correct it in your ssh configuration, or switch it off: -o KnownHostsCommand=none",
        )
