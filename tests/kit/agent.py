"""A real ssh-agent of a test's own, and programs for SSH_ASKPASS."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.kit.counterparts import need
from tests.kit.sshd import call
from tests.kit.waiting import wait_until


class Agent:
    """A running agent; `path` is its socket."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, key: Path, *options: str) -> None:
        """Load a private key that has no passphrase; its certificate too, if that lies beside it."""
        call(need("ssh-add"), "-q", *options, str(key), environment={"SSH_AUTH_SOCK": str(self.path)})


@contextlib.contextmanager
def running_agent(environment: dict[str, str] | None = None) -> Iterator[Agent]:
    """Start an agent, and end it.

    Args:
        environment: variables for it, such as SSH_ASKPASS for keys that want a confirmation.
    """
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # A socket's path must be short.
    path = folder / "agent"
    process = subprocess.Popen(
        [need("ssh-agent"), "-D", "-a", str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    try:
        wait_until(path.exists, "socket of ssh-agent")
        yield Agent(path)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def with_agent(command: str, path: Path | str, *extra: str) -> str:
    """A value of REMOTE_SSH of the kit, with an agent, and no key files unless `extra` names some."""
    words = shlex.split(command)
    if "-i" in words:
        at = words.index("-i")
        del words[at : at + 2]
    words = [f"IdentityAgent={path}" if word.startswith("IdentityAgent=") else word for word in words]
    if "-i" in extra:
        assert "IdentityFile=none" not in words
    else:
        extra = ("-o", "IdentityFile=none", *extra)
    return shlex.join([*words[:-1], *extra, words[-1]])


def write_askpass(folder: Path, body: str) -> Path:
    """A program for SSH_ASKPASS that writes down each prompt before it runs `body`; see `prompts_of`."""
    program = folder / "askpass"
    prompts = shlex.quote(str(folder / "prompts"))
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$1\" >>{prompts}\n{body}\n")
    program.chmod(0o700)
    return program


def prompts_of(program: Path) -> list[str]:
    """What it was asked."""
    prompts = program.with_name("prompts")
    return prompts.read_text().splitlines() if prompts.exists() else []
