"""The password for sudo, while a command of the user's runs (REMOTE_SUDO_PASSWORD).

It comes with the command, in the script its shell reads from the channel, and stays in the memory of that shell and of
a feeder beside it. sudo asks a small askpass program, and that asks the feeder, over FIFOs in a private folder: so the
password is in no file, no argument and no environment (law 6), and every sudo the command leads to is answered, in
scripts, pipelines and the background too. The feeder answers nobody but sudo, and never the same sudo twice: what sudo
refuses once is not offered to another one as long as the folder stands. The text of the command is not touched.

sudo runs the program by itself where there is no terminal (sudo(8): SUDO_ASKPASS, -A), if DISPLAY is set to anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pybridge.host.facts import script
from pybridge.host.framing import quote


@dataclass(frozen=True)
class Sudo:
    """What commands need for sudo.

    Args:
        password: the remote user's.
        folder: remote absolute path of a private folder for our programs and FIFOs; made by the first command.
    """

    password: str = field(repr=False)
    folder: str

    @property
    def settings(self) -> str:
        """The assignments that make the password known to a script that may have to end what sudo started."""
        return f"set +a; pb_d={quote(self.folder)} pb_pw={quote(self.password)}"

    @property
    def opening(self) -> str:
        """POSIX sh for a shell that is about to become a command, ahead of `pb_guard`."""
        functions = script("sudo.sh").replace("@ASKPASS@", script("askpass.sh"))
        return f"{self.settings}\n{functions}\npb_sudo"

    def clearing(self, pid: int) -> str:
        """POSIX sh that removes what is left of a command whose feeder was ended with it."""
        place = quote(f"{self.folder}/{pid}")
        return f"[ ! -e {place} ] || rm -f {place} {place}.*"
