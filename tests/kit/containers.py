"""SSH servers in containers, through testcontainers: images come from local files (`root_files`), none is pulled.

    with ssh_container(image_of("busybox", busybox_root())) as server:
        ... server.ssh_command ... server.look("cat", "/etc/passwd")

An image is named after its content, so it is made once on a machine; images of an earlier content are removed.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import os
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from filelock import FileLock

from tests.kit.counterparts import missing, need
from tests.kit.root_files import PASSWORD, USER, RootFiles
from tests.kit.sshd import make_key

START_SECONDS = 60.0
_SECONDS = 120.0
DROPBEAR = ("/usr/sbin/dropbear", "-F", "-E", "-r", "/.keys/host", "-p", "22")
SSHD = ("/usr/sbin/sshd", "-D", "-e", "-f", "/.keys/sshd_config")
_SSHD_CONFIG = """
HostKey /.keys/host
AuthorizedKeysFile /.keys/user/authorized_keys
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
PasswordAuthentication yes
MaxStartups 50
Subsystem sftp internal-sftp
"""


@functools.cache
def docker() -> str:
    """The docker program, its daemon running; else the test is skipped (fails when counterparts are required)."""
    program = need("docker")
    done = subprocess.run([program, "info"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        missing(f"docker does not answer: {done.stderr.strip()[-300:]}")
    return program


def image_of(name: str, make: Callable[[], RootFiles]) -> str:
    """The name of an image with these files, made if it is not there yet.

    Args:
        name: what the image is for; images of the same name with other files are removed.
        make: makes the files. Called once in a test process.
    """
    docker()
    if name not in _IMAGES:
        _IMAGES[name] = _import(f"pybridge-test-{name}", make().tar())
    return _IMAGES[name]


_IMAGES: dict[str, str] = {}


def _import(repository: str, archive: bytes) -> str:
    tag = f"{repository}:{hashlib.sha256(archive).hexdigest()[:16]}"
    with FileLock(Path(tempfile.gettempdir()) / f"{repository}-{os.getuid()}.lock"):
        known = _run(docker(), "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository).decode().split()
        if tag not in known:
            _run(docker(), "import", "-", tag, stdin=archive)
        for old in set(known) - {tag}:
            # One that a container still uses stays; the next run removes it.
            subprocess.run([docker(), "image", "rm", old], capture_output=True, check=False)
    return tag


def _run(*words: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(words, input=stdin, capture_output=True, check=False, timeout=_SECONDS)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise AssertionError(f"{shlex.join(words[:6])}... failed with {done.returncode}: {said}")
    return done.stdout


class SshContainer:
    """A running container with an SSH server, and what a client needs to reach it.

    Attributes:
        identity: the container's name for docker.
        user: its user, number 1000, whose password is `password` and whose private key is `key`.
        known_hosts: a file with its host key.
    """

    def __init__(self, identity: str, host: str, port: int, folder: Path) -> None:
        self.identity = identity
        self.host = host
        self.port = port
        self.user = USER
        self.password = PASSWORD
        self.key = folder / "user_key"
        self.known_hosts = folder / "known_hosts"
        kind, data = (folder / "host_key.pub").read_text().split()[:2]
        self.known_hosts.write_text(f"[{host}]:{port} {kind} {data}\n")

    @property
    def ssh_command(self) -> str:
        """A value for REMOTE_SSH that logs in with the key and uses nothing of the user's own ssh configuration."""
        return self.ssh_command_with()

    def ssh_command_with(self, *extra: str, key: bool = True) -> str:
        """Like `ssh_command`, with `extra` words before the host, or without the key."""
        words = ["ssh", "-F", "none", "-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "GlobalKnownHostsFile=none"]
        words += ["-o", "StrictHostKeyChecking=yes", "-o", "IdentityAgent=none", "-p", str(self.port)]
        words += ["-i", str(self.key)] if key else ["-o", "IdentityFile=none"]
        return shlex.join([*words, *extra, f"{self.user}@{self.host}"])

    def look(self, *words: str, stdin: bytes = b"") -> bytes:
        """Run a program of the busybox in `/.truth` as root, past the SSH server; its standard output.

        Raises:
            AssertionError: it failed.
        """
        return _run(*self.looking, *words, stdin=stdin)

    @property
    def looking(self) -> tuple[str, ...]:
        """The words before those of such a program."""
        return (docker(), "exec", "-i", "-e", "PATH=/.truth/bin", self.identity)

    def log(self) -> str:
        """What the server wrote."""
        done = subprocess.run([docker(), "logs", self.identity], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


@contextlib.contextmanager
def ssh_container(
    image: str,
    folder: Path,
    command: tuple[str, ...] = DROPBEAR,
    *,
    setup: str = "",
    sshd_config: str = "",
    tmpfs: Mapping[str, str] = {},
    options: Mapping[str, object] = {},
) -> Iterator[SshContainer]:
    """A container that runs for the length of the context.

    Args:
        image: from `image_of`.
        folder: an empty local folder for its keys.
        command: the server, `DROPBEAR` or `SSHD`.
        setup: a script of busybox's sh, run as root before the server starts; it must succeed.
        sshd_config: lines that win over the kit's own.
        tmpfs: further file systems in memory: their place, and mount options.
        options: further arguments of docker's `create`, such as `read_only`.
    """
    docker()
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # its image cannot be pulled; we remove our own
    from testcontainers.core.container import DockerContainer

    make_key(folder / "user_key")
    make_key(folder / "host_key")
    host_key = (folder / "host_key").read_bytes()
    if command[0] == DROPBEAR[0]:
        native = folder / "host_key_dropbear"
        _run(need("dropbearconvert"), "openssh", "dropbear", str(folder / "host_key"), str(native))
        host_key = native.read_bytes()
    container = DockerContainer(image).with_command(["/.truth/start", *command]).with_exposed_ports(22)
    container.with_env("PB_AUTHORIZED", (folder / "user_key.pub").read_text().strip())
    container.with_env("PB_HOST_KEY", base64.b64encode(host_key).decode())
    container.with_env("PB_SSHD_CONFIG", sshd_config + _SSHD_CONFIG)
    container.with_env("PB_SETUP", setup)
    for place, mount in {"/.keys": "mode=0755", **tmpfs}.items():
        container.with_tmpfs_mount(place, mount)
    container.with_kwargs(**options)
    try:
        container.start()
        identity = str(container.get_wrapped_container().id)
        host = container.get_container_host_ip()
        host = "127.0.0.1" if host == "localhost" else host
        server = SshContainer(identity, host, int(container.get_exposed_port(22)), folder)
        _await_banner(server)
        yield server
    finally:
        container.stop()


def _await_banner(server: SshContainer) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        # Docker's own proxy accepts before anything listens inside.
        with contextlib.suppress(OSError), socket.create_connection((server.host, server.port), timeout=5) as probe:
            if probe.recv(4) == b"SSH-":
                return
        time.sleep(0.05)
    raise AssertionError(f"no SSH server in the container answered; its log: {server.log()[-600:]}")
