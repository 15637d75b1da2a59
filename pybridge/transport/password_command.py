"""REMOTE_PASSWORD_COMMAND: a local command whose first line of output is the password, such as a password manager's."""

from __future__ import annotations

from pybridge.errors import ConfigurationError
from pybridge.transport.first_line import read_first_line

_SEE_FOR_YOURSELF = "Run it in a terminal to see why; it gets no standard input and no terminal here."


async def run_password_command(command: str, *, seconds: float) -> str:
    """Run the command with the system's shell. What it prints is in no log and no error.

    Args:
        command: a line for `/bin/sh -c`; on Windows for `cmd /c`.
        seconds: how long it may take; a person may have to unlock something.

    Raises:
        ConfigurationError: it failed, said nothing, took too long, or cannot be started.
    """
    try:
        said = await read_first_line(command, seconds=seconds)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"REMOTE_PASSWORD_COMMAND cannot be started: {reason}.", next_step="Correct REMOTE_PASSWORD_COMMAND."
        ) from None
    if said.status is None:
        what = f"did not end within {seconds:g} s, and was ended"
    elif said.status != 0:
        what = f"failed with exit status {said.status}"
    elif not said.text:
        what = "printed no password: the first line of its output is empty"
    else:
        try:
            return said.text.decode("utf-8")
        except UnicodeDecodeError:
            what = "printed something that is not UTF-8 text"
    raise ConfigurationError(
        f"REMOTE_PASSWORD_COMMAND {what}. No password was sent to the host.", next_step=_SEE_FOR_YOURSELF
    )
