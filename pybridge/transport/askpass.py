"""SSH_ASKPASS: a program that asks a person for a password or passphrase, as ssh(1) uses it without a terminal."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from pybridge.errors import ConfigurationError
from pybridge.transport.first_line import read_first_line

_USUAL_NAME = "ssh-askpass"


@dataclass(frozen=True)
class Askpass:
    """The program to ask with: a path, or a name to look for on PATH."""

    program: str

    async def ask(self, prompt: str, *, seconds: float) -> str | None:
        """Show the prompt and wait for the answer.

        Args:
            prompt: shown by the program; it is no secret.
            seconds: how long the person may take.

        Returns:
            the answer, None if the person declined, gave none, or took too long.

        Raises:
            ConfigurationError: the program cannot be started.
        """
        try:
            said = await read_first_line([self.program, prompt], seconds=seconds)
        except OSError as error:
            raise ConfigurationError(
                f"SSH_ASKPASS: {self.program} cannot be started: {error.strerror or error}.",
                next_step="Correct SSH_ASKPASS, or unset it.",
            ) from error
        if said.status != 0 or not said.text:
            return None
        return said.text.decode("utf-8", "replace")


def find_askpass(environment: Mapping[str, str] = os.environ) -> Askpass | None:
    """The program to ask with by the rules of ssh(1) for a process without a terminal; None where none may be used.

    SSH_ASKPASS_REQUIRE: `never` forbids it, `force` needs no display; otherwise there must be a display to ask on.
    OpenCode has the terminal, so there is never one to ask at.
    """
    require = environment.get("SSH_ASKPASS_REQUIRE", "").lower()
    display = bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
    if require == "never" or not (display or require == "force"):
        return None
    program = environment.get("SSH_ASKPASS") or shutil.which(_USUAL_NAME, path=environment.get("PATH"))
    return Askpass(program) if program else None
