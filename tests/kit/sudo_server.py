"""An SSH server whose user has a password and a sudo: in a mount namespace with users, sudoers and home of its own.

Nothing of the machine's own /etc, /run or /home is touched; sudo, PAM and the servers are the real ones.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import subprocess
from pathlib import Path

from tests.kit.counterparts import need, need_root
from tests.kit.sshd import await_server, free_port, make_key

USER = "pbdev"
UID = 4711
SUDOERS = f"Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n{USER} ALL=(ALL:ALL) ALL\n"

_PAM = "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n"
_SETUP = """
set -e
mount --make-rprivate /
for file in passwd shadow group sudoers; do mount --bind "$KIT/$file" /etc/$file; done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd /run/sudo /run/kit
mount --bind "$KIT" /run/kit
[ ! -d /var/lib/sudo ] || mount -t tmpfs tmpfs /var/lib/sudo
mount -t tmpfs -o mode=755 tmpfs /home
mkdir -p /home/$NAME/.ssh
cp "$KIT/user_key.pub" /home/$NAME/.ssh/authorized_keys
chown -R $NUMBER:$NUMBER /home/$NAME
chmod 700 /home/$NAME/.ssh
chmod 600 /home/$NAME/.ssh/authorized_keys
eval "$MORE"
exec "$@"
"""


class SudoServer:
    """A running server.

    Args:
        folder: an empty folder for its files.
        kind: "openssh" or "dropbear".
        shell: the user's login shell.
        setup: POSIX sh run as root in the namespace before the server starts; `folder` is also at /run/kit there.
        password: the user's; one that is hard to handle if not given.
        passphrase: of the user's key.
        root_password: root's; sudo then asks for this one (and for the user's own otherwise).
        asks_password: whether sshd wants the password, through PAM, after the key.

    Attributes:
        home: the user's home folder, as the remote knows it.
        password: the user's, no other server's, with everything that a shell, sudo or printf could take for something
            else.
        needle: a part of it that is the same however a shell quotes it.
    """

    def __init__(
        self,
        folder: Path,
        kind: str = "openssh",
        *,
        shell: str = "/bin/bash",
        setup: str = "",
        password: str | None = None,
        passphrase: str = "",
        root_password: str | None = None,
        asks_password: bool = False,
    ) -> None:
        need_root("give a server users and sudoers of its own")
        need("sudo")
        self.folder = folder
        self.home = f"/home/{USER}"
        self.needle = f'c"r\\t{secrets.token_hex(8)} $HOME `x` %p é'
        self.password = password or f" s3'{self.needle}# "
        self._root_password = root_password
        self._asks_password = asks_password
        self._write_users(shell)
        self.sudoers(SUDOERS + ("Defaults rootpw\n" if root_password else ""))
        make_key(folder / "user_key", passphrase=passphrase)
        make_key(folder / "host_key")
        self.port = free_port()
        if asks_password:
            (folder / "pam").write_text(_PAM)
            setup = f'mount --bind "$KIT/pam" /etc/pam.d/sshd\n{setup}'
        words = self._sshd() if kind == "openssh" else self._dropbear()
        public = (folder / "host_key.pub").read_text().split()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n")
        environment = {**os.environ, "KIT": str(folder), "NAME": USER, "NUMBER": str(UID), "MORE": setup}
        self._log = folder / "log"
        with self._log.open("wb") as sink:
            self._process = subprocess.Popen(
                [need("unshare"), "-m", "sh", "-c", _SETUP, "sh", *words],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env=environment,
            )
        if not await_server(self.port, self._process):
            self.stop()
            raise AssertionError(f"{kind} did not start: {self._log.read_text(errors='replace')[-600:]}")

    @property
    def ssh_command(self) -> str:
        """A value for REMOTE_SSH."""
        words = ["ssh", "-F", "none", "-o", f"UserKnownHostsFile={self.folder / 'known_hosts'}"]
        words += ["-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes", "-o", "IdentityAgent=none"]
        return shlex.join([*words, "-i", str(self.folder / "user_key"), "-p", str(self.port), f"{USER}@127.0.0.1"])

    @property
    def pid(self) -> int:
        """A process that sees what the remote sees."""
        return self._process.pid

    def sudoers(self, text: str) -> None:
        """What /etc/sudoers says from now on."""
        path = self.folder / "sudoers"
        if not path.exists():
            path.touch(0o440)
        path.write_text(text)

    def path(self, remote: str) -> Path:
        """A path of the remote, as this process can look at it."""
        return Path(f"/proc/{self._process.pid}/root{remote}")

    def run(self, *words: str) -> str:
        """Run a program in the remote's namespace as root; its standard output."""
        enter = [need("nsenter"), "-t", str(self._process.pid), "-m", *words]
        return subprocess.run(enter, check=True, capture_output=True, text=True).stdout

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write_users(self, shell: str) -> None:
        crypt = _crypt(self.password)
        lines = {
            "passwd": f"{USER}:x:{UID}:{UID}::{self.home}:{shell}",
            "shadow": f"{USER}:{crypt}:19000:0:99999:7:::",
            "group": f"{USER}:x:{UID}:",
        }
        for name, line in lines.items():
            path = self.folder / name
            path.touch(0o600 if name == "shadow" else 0o644)
            text = Path(f"/etc/{name}").read_text()
            if name == "shadow" and self._root_password:
                text = re.sub(r"(?m)^root:[^:]*:", lambda _: f"root:{_crypt(self._root_password or '')}:", text)
            path.write_text(text + line + "\n")
            path.chmod(0o640 if name == "shadow" else 0o644)

    def _sshd(self) -> list[str]:
        lines = [f"Port {self.port}", "ListenAddress 127.0.0.1", "PidFile /run/kit/pid"]
        if self._asks_password:
            lines += ["UsePAM yes", "PasswordAuthentication yes", "AuthenticationMethods publickey,password"]
        lines += ["UsePAM no", "HostKey /run/kit/host_key", "StrictModes no", "PasswordAuthentication no", "UseDNS no"]
        lines += ["PrintMotd no", "MaxStartups 50", "Subsystem sftp internal-sftp"]
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")
        return [need("sshd"), "-D", "-e", "-f", "/run/kit/sshd_config"]

    def _dropbear(self) -> list[str]:
        native = self.folder / "host_dropbear"
        convert = [need("dropbearconvert"), "openssh", "dropbear", str(self.folder / "host_key"), str(native)]
        subprocess.run(convert, check=True, capture_output=True)
        return [need("dropbear"), "-F", "-E", "-P", "/run/kit/pid", "-r", "/run/kit/host_dropbear",
                "-p", f"127.0.0.1:{self.port}"]  # fmt: skip


def _crypt(password: str) -> str:
    words = [need("openssl"), "passwd", "-6", "-stdin"]
    return subprocess.run(words, input=password.encode(), check=True, capture_output=True).stdout.decode().strip()
