"""Real servers that take a password: root's, in a copy of /etc/shadow that only they see (a mount namespace)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from tests.kit.counterparts import need, need_root
from tests.kit.sshd import SshServer, call, start_dropbear, start_openssh

_PAM = "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n"


def start_openssh_with_password(folder: Path, password: str, options: Sequence[str] = ()) -> SshServer:
    """OpenSSH's sshd, asking for the password through PAM.

    Args:
        folder: an empty folder for its files.
        password: the only good one.
        options: lines of sshd_config, which win.
    """
    need_root("replace /etc/shadow for a server")
    replaced = {"/etc/shadow": _shadow(folder, password), "/etc/pam.d/sshd": folder / "pam"}
    (folder / "pam").write_text(_PAM)
    return start_openssh(folder, [*options, "UsePAM yes"], replaced=replaced)


def start_dropbear_with_password(folder: Path, password: str, options: Sequence[str] = ()) -> SshServer:
    """dropbear, which reads /etc/shadow itself."""
    need_root("replace /etc/shadow for a server")
    return start_dropbear(folder, options, replaced={"/etc/shadow": _shadow(folder, password)})


def attempts(server: SshServer) -> list[str]:
    """What the server's log says of each password it was shown: `Failed` or `Accepted`, in their order.

    For OpenSSH through both methods, for dropbear by its own words.
    """
    found = re.findall(
        r"(Failed|Accepted|Partial) (?:password|keyboard-interactive/pam) for|(Bad) password attempt|"
        r"Password (auth) succeeded",
        server.log(),
    )
    meaning = {"Bad": "Failed", "auth": "Accepted", "Partial": "Accepted"}
    return [meaning.get(word, word) for word in map("".join, found)]


def without_keys(server: SshServer, *extra: str) -> str:
    """A value for REMOTE_SSH that reaches the server and offers no key."""
    words = shlex.split(server.ssh_command_with(*extra))
    at = words.index("-i")
    return shlex.join([*words[:at], "-o", "IdentityFile=none", *words[at + 2 :]])


def _shadow(folder: Path, password: str) -> Path:
    """A copy of /etc/shadow in which root has the password."""
    folder.mkdir(parents=True, exist_ok=True)
    crypted = call(need("openssl"), "passwd", "-6", password).strip()
    lines = [
        f"root:{crypted}:19000:0:99999:7:::" if line.startswith("root:") else line
        for line in Path("/etc/shadow").read_text().splitlines()
    ]
    path = folder / "shadow"
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return path
