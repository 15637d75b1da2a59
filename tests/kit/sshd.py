"""Private SSH servers for tests: OpenSSH's sshd and dropbear, on 127.0.0.1, with throw-away keys.

Each runs in a folder of its own, in the foreground of its own process, and is stopped by its process id.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.kit.counterparts import missing, need, need_root

_START_SECONDS = 10.0
_HIDE = """
set -e
mount --make-rprivate /
if [ -n "$PASSWD" ]; then mount --bind "$PASSWD" /etc/passwd; fi
for pair in $REPLACED; do mount --bind "${pair#*=}" "${pair%%=*}"; done
for folder in $HIDDEN; do mount -t tmpfs tmpfs "$folder"; done
exec "$@"
"""


class SshServer:
    """A running server, and what a client needs to reach it.

    `key` is a private key it accepts, `known_hosts` a file with its host keys, `host_keys` their public halves,
    `home` the remote user's home folder.
    """

    def __init__(self, folder: Path, port: int, process: subprocess.Popen[bytes], log: Path, home: Path) -> None:
        self.folder = folder
        self.port = port
        self.user = getpass.getuser()
        self.key = folder / "user_key"
        self.known_hosts = folder / "known_hosts"
        self.host_keys = _host_keys(folder)
        self.home = home
        self.pid = process.pid
        self._process = process
        self._begin: Callable[[], subprocess.Popen[bytes]] | None = None
        self._log = log

    @property
    def ssh_command(self) -> str:
        """A value for REMOTE_SSH that uses nothing of the user's own ssh configuration."""
        return self.ssh_command_with()

    def ssh_command_with(
        self, *extra: str, known_hosts: Path | None = None, strict: str = "yes", key: Path | None = None, port: int = 0
    ) -> str:
        """Like `ssh_command`, with some of it replaced, and `extra` words before the host."""
        words = ["ssh", "-F", "none", "-o", f"UserKnownHostsFile={_quoted(known_hosts or self.known_hosts)}"]
        words += ["-o", "GlobalKnownHostsFile=none", "-o", f"StrictHostKeyChecking={strict}"]
        words += ["-o", "IdentityAgent=none", "-i", str(key or self.key), "-p", str(port or self.port)]
        return shlex.join([*words, *extra, f"{self.user}@127.0.0.1"])

    def log(self) -> str:
        """What the server has written to its log."""
        return self._log.read_text(errors="replace")

    def connections(self) -> list[int]:
        """Process ids of the server's children: one or two for each connection."""
        found = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = [tuple(map(int, line.split())) for line in found.splitlines()]
        return [pid for pid, parent in pairs if parent == self.pid]

    def kill(self) -> None:
        """End the server and all it serves, as a machine that goes down does."""
        for pid in self.connections():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def start_again(self) -> None:
        """Start it again on its port."""
        assert self._begin is not None
        self._process = self._begin()
        self.pid = self._process.pid
        assert await_server(self.port, self._process), self.log()[-400:]

    def stop(self) -> None:
        """End the server (not the sessions it serves; see `connections`)."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def start_openssh(
    folder: Path,
    options: Sequence[str] = (),
    *,
    hidden: Sequence[Path] = (),
    home: Path | None = None,
    shell: str | None = None,
    replaced: Mapping[str, Path] | None = None,
    environment: Mapping[str, str] | None = None,
) -> SshServer:
    """Start OpenSSH's sshd.

    Args:
        folder: a folder for its files; keys that are already there (user_key, host_ed25519 ...) are used.
        options: lines of sshd_config, which win over the kit's own.
        hidden: folders that are empty file systems for the remote only: what it writes there is invisible here (root).
        home: the remote user's home folder (root); an empty one in `folder` if not given, so that nothing of the
            real user's start-up files runs.
        shell: the remote user's login shell (root); the real one's if not given.
        replaced: files that are others for the remote (root), such as /etc/shadow.
        environment: variables of every session; the values without spaces.
    """
    program = need("sshd")
    _make_keys(folder, ["ed25519", "rsa", "ecdsa"])
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    port = free_port()
    lines = [*options, f"Port {port}", "ListenAddress 127.0.0.1", f"PidFile {folder / 'pid'}", "UsePAM no"]
    lines += [f"HostKey {folder / f'host_{kind}'}" for kind in ("ed25519", "rsa", "ecdsa")]
    lines += [f"AuthorizedKeysFile {folder / 'authorized_keys'}", "StrictModes no", "PermitRootLogin yes"]
    lines += ["PasswordAuthentication no", "KbdInteractiveAuthentication no", "PrintMotd no", "UseDNS no"]
    lines += ["LogLevel VERBOSE", "AcceptEnv PYBRIDGE_TEST_*"]
    if not any(line.startswith("Subsystem") for line in options):
        lines.append("Subsystem sftp internal-sftp")
    variables = dict(environment or {})
    if home is None:
        home = folder / "home"
        home.mkdir()
        variables["HOME"] = str(home)
        namespace_home = home if shell or _can_unshare() else None
    else:
        namespace_home = home
    if variables:  # sshd heeds the first such line only
        also = [line.removeprefix("SetEnv ") for line in options if line.startswith("SetEnv ")]
        lines.insert(0, " ".join(["SetEnv", *(f"{name}={value}" for name, value in variables.items()), *also]))
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    words = [program, "-D", "-e", "-f", str(folder / "sshd_config")]
    server = _start(folder, port, words, hidden, namespace_home, shell, replaced)
    server.home = home
    return server


def start_dropbear(
    folder: Path,
    options: Sequence[str] = (),
    *,
    hidden: Sequence[Path] = (),
    home: Path | None = None,
    shell: str | None = None,
    replaced: Mapping[str, Path] | None = None,
    host_keys: Sequence[str] = ("ed25519", "rsa"),
) -> SshServer:
    """Start dropbear. It reads authorized_keys in the home folder only, so it gets one of its own (root).

    Args:
        folder: an empty folder for its files.
        options: further arguments.
        hidden: as for `start_openssh`.
        home: the remote user's home folder; one in `folder` if not given.
        shell: the remote user's login shell, one that /etc/shells names; the real one's if not given.
        replaced: as for `start_openssh`.
        host_keys: types of host keys to make; `options` may name further ones, with their host_TYPE.pub in `folder`.
    """
    program, convert = need("dropbear"), need("dropbearconvert")
    need_root("give dropbear a home folder of its own")
    _make_keys(folder, host_keys)
    words = [program, "-F", "-E", "-P", str(folder / "pid"), *options]
    for kind in host_keys:
        native = folder / f"dropbear_{kind}"
        subprocess.run(
            [convert, "openssh", "dropbear", str(folder / f"host_{kind}"), str(native)], check=True, capture_output=True
        )
        words += ["-r", str(native)]
    home = home or folder / "home"
    (home / ".ssh").mkdir(parents=True, exist_ok=True)
    for path in (home, home / ".ssh"):
        path.chmod(0o700)
    (home / ".ssh" / "authorized_keys").write_text((folder / "authorized_keys").read_text())
    (home / ".ssh" / "authorized_keys").chmod(0o600)
    port = free_port()
    return _start(folder, port, [*words, "-p", f"127.0.0.1:{port}"], hidden, home, shell, replaced)


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def call(*words: str, environment: dict[str, str] | None = None) -> str:
    """Run a program that must succeed; its standard output."""
    done = subprocess.run(
        words,
        check=True,
        text=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    return done.stdout


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "", bits: int = 0) -> Path:
    """Make a key pair with ssh-keygen; the public half is beside it, with `.pub`."""
    words = [need("ssh-keygen"), "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run([*words, *(["-b", str(bits)] if bits else [])], check=True, stdin=subprocess.DEVNULL)
    return path


def _make_keys(folder: Path, kinds: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    if not (folder / "user_key").exists():
        make_key(folder / "user_key")
    (folder / "authorized_keys").write_text((folder / "user_key.pub").read_text())
    for kind in kinds:
        if not (folder / f"host_{kind}").exists():
            make_key(folder / f"host_{kind}", kind, bits=2048 if kind == "rsa" else 0)


def _start(
    folder: Path,
    port: int,
    words: list[str],
    hidden: Sequence[Path],
    home: Path | None,
    shell: str | None = None,
    replaced: Mapping[str, Path] | None = None,
) -> SshServer:
    environment = dict(os.environ)
    if hidden or home or replaced:
        need_root("hide the remote's folders in a mount namespace")
        words = [need("unshare"), "-m", "sh", "-c", _HIDE, "sh", *words]
        environment["REPLACED"] = " ".join(f"{there}={here}" for there, here in (replaced or {}).items())
        environment["HIDDEN"] = " ".join(map(str, hidden))
        environment["PASSWD"] = str(_write_passwd(folder, home, shell)) if home else ""
    log = folder / "log"

    def begin() -> subprocess.Popen[bytes]:
        with log.open("ab") as sink:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=environment)

    process = begin()
    lines = [f"[127.0.0.1]:{port} {' '.join(public.read_text().split()[:2])}" for public in _host_keys(folder)]
    (folder / "known_hosts").write_text("\n".join(lines) + "\n")
    server = SshServer(folder, port, process, log, home or Path.home())
    server._begin = begin
    if not await_server(port, process):
        server.stop()
        missing(f"{words[0]} does not start here: {server.log().strip()[-400:]}")
    return server


def _host_keys(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("host_*.pub") if "-cert" not in path.name)


def _can_unshare() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


def _write_passwd(folder: Path, home: Path, shell: str | None) -> Path:
    """A copy of /etc/passwd in which this user has another home folder, and another shell if one is given."""
    lines = []
    for line in Path("/etc/passwd").read_text().splitlines():
        fields = line.split(":")
        if fields[0] == getpass.getuser():
            fields[5] = str(home)
            fields[6] = shell or fields[6]
        lines.append(":".join(fields))
    path = folder / "passwd"
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o644)
    return path


def await_server(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until an SSH server answers on a port of this machine; whether it does."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
                if probe.recv(4) == b"SSH-":
                    return True
        except OSError:
            time.sleep(0.05)
    return False


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
