"""Root file systems for containers, made of this machine's own programs and packages: nothing is downloaded.

Every root has `/.truth`: a busybox of its own outside PATH, for root only. It starts the container's server, and tests
look at the container with it (`docker exec`), whatever was taken from the userland under test.
"""

from __future__ import annotations

import functools
import io
import re
import stat
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.kit.counterparts import missing, need

USER = "dev"
PASSWORD = "letmein-test"
_HASH = "$6$pybridge$KQcjKVUwBqK42gIsWALvJEr8vt54mTBS4L6eS07zioopCJFYmuf3.TeyQI6HQqRGlx0vc5HKBIZjP3WNnRJ4n0"

_START = """#!/.truth/bin/sh
# Keys and the test's own changes come in the environment, and are gone from it before the server starts.
PATH=/.truth/bin; umask 022
mkdir -p /.keys/user
printf '%s\\n' "$PB_AUTHORIZED" > /.keys/user/authorized_keys
printf '%s' "$PB_HOST_KEY" | base64 -d > /.keys/host
printf '%s\\n' "$PB_SSHD_CONFIG" > /.keys/sshd_config
chmod 600 /.keys/host; chmod 700 /.keys/user; chown -R 1000:1000 /.keys/user
[ -z "$PB_SETUP" ] || sh -c "set -e; $PB_SETUP" || exit 1
unset PB_AUTHORIZED PB_HOST_KEY PB_SSHD_CONFIG PB_SETUP
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec "$@"
"""


class RootFiles:
    """The files of a root file system, by their path in it without the leading slash."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
        self._programs: list[str] = []

    def folder(self, path: str, mode: int = 0o755, owner: int = 0) -> None:
        """Add a folder; its parents come by themselves."""
        self._add(path, tarfile.DIRTYPE, b"", mode, owner)

    def file(self, path: str, content: bytes | str, mode: int = 0o644, owner: int = 0) -> None:
        """Add a file."""
        data = content.encode() if isinstance(content, str) else content
        self._add(path, tarfile.REGTYPE, data, mode, owner)

    def link(self, path: str, target: str) -> None:
        """Add a symlink."""
        self._add(path, tarfile.SYMTYPE, b"", 0o777, 0, target)

    def copy(self, source: str, path: str | None = None) -> None:
        """Add a file of this machine, and the shared libraries it needs if it is a program; to its own path, or to
        `path`."""
        where = Path(source)
        data = where.read_bytes()
        self.file(path or str(_merged(where)), data, stat.S_IMODE(where.stat().st_mode))
        if data[:4] == b"\x7fELF":
            self._programs.append(str(where.resolve()))

    def package(self, *names: str) -> None:
        """Add what Debian packages installed here consist of, without their documentation and translations."""
        done = subprocess.run([need("dpkg"), "-L", *names], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            missing(f"packages to copy into a container: {done.stderr.strip()}")
        for line in sorted(set(done.stdout.splitlines())):
            path = Path(line)
            if _UNWANTED.match(line) or not path.is_absolute() or line == "/.":
                continue
            if path.is_symlink() and not path.is_dir():
                self.link(str(_merged(path)), str(path.readlink()))
            elif path.is_file():
                self.copy(line)

    def tar(self) -> bytes:
        """All of it as a tar archive; the same files always give the same bytes."""
        for library in _libraries(tuple(sorted(set(self._programs)))):
            self.copy(library)
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path in sorted(self._entries):
                info, data = self._entries[path]
                archive.addfile(info, io.BytesIO(data))
        return output.getvalue()

    def _add(self, path: str, kind: bytes, data: bytes, mode: int, owner: int, target: str = "") -> None:
        info = tarfile.TarInfo(path.lstrip("/"))
        info.type, info.mode, info.size, info.linkname = kind, mode, len(data), target
        info.uid = info.gid = owner
        self._entries[info.name] = (info, data)


_UNWANTED = re.compile(
    r"/usr/share/(doc|man|locale|info|lintian|bash-completion|bug|menu|zsh/help)/|/lib/(systemd|udev)/"
)


def _merged(path: Path) -> Path:
    """Where a file lies whose folder may be reached by a symlink such as /bin."""
    return path.parent.resolve() / path.name


@functools.cache
def _libraries(programs: tuple[str, ...]) -> tuple[str, ...]:
    found: set[str] = set()
    # Some are scripts' helpers or static: ldd complains of these, and goes on.
    done = subprocess.run([need("ldd"), *programs], capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        found.update(word for word in line.split() if word.startswith("/") and not word.endswith(":"))
    return tuple(sorted(found))


def skeleton(*, shell: str, home: str = f"/home/{USER}") -> RootFiles:
    """A root with users, folders and `/.truth`, and no programs.

    Args:
        shell: login shell of the user `dev` (number 1000, password `PASSWORD`).
        home: the user's home folder as /etc/passwd has it.
    """
    busybox = need("busybox", why="to look at containers with")
    root = RootFiles()
    for name in ("dev", "proc", "sys", "run", "root", "var/tmp", "var/run", "etc", "home"):
        root.folder(name)
    for name in ("tmp", "var/tmp"):
        root.folder(name, 0o1777)
    for name in ("bin", "sbin", "lib", "lib64"):
        root.folder(f"usr/{name}")
        root.link(name, f"usr/{name}")
    root.folder(".truth", 0o700)
    root.file(".truth/busybox", Path(busybox).read_bytes(), 0o755)
    for applet in busybox_applets():
        root.link(f".truth/bin/{applet}", "../busybox")
    root.file(".truth/start", _START, 0o755)
    root.file("etc/passwd", f"root:x:0:0:root:/root:/bin/sh\n{USER}:x:1000:1000:Dev:{home}:{shell}\n{_SSHD_USER}")
    root.file("etc/group", f"root:x:0:\n{USER}:x:1000:\nshadow:x:42:\nsudo:x:27:{USER}\nnogroup:x:65534:\n")
    root.file(
        "etc/shadow", f"root:*:19000:0:99999:7:::\n{USER}:{_HASH}:19000:0:99999:7:::\nsshd:*:19000::::::\n", 0o640
    )
    root.file("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n")
    root.file("etc/profile", 'PS1="$ "\nexport IN_LOGIN=1\n')
    root.folder(f"home/{USER}", 0o755, 1000)
    # dropbear reads the keys in the home folder; sshd is told where they are.
    root.link(f"home/{USER}/.ssh", "/.keys/user")
    return root


_SSHD_USER = "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"


@functools.cache
def busybox_applets() -> tuple[str, ...]:
    """The applets of this machine's busybox."""
    done = subprocess.run([need("busybox"), "--list"], capture_output=True, text=True, check=True)
    return tuple(done.stdout.split())


def busybox_root(*without: str, shell: str = "/bin/sh") -> RootFiles:
    """busybox, dropbear, sudo and nothing else: about 12 MB, no SFTP server.

    Args:
        without: applets that are not there, not even for the shell, which prefers its own applets to PATH.
        shell: login shell of the user.
    """
    root = skeleton(shell=shell)
    root.file("usr/bin/busybox", _busybox_without(without), 0o755)
    for applet in set(busybox_applets()) - {"busybox"}:
        root.link(f"usr/bin/{renamed(applet) if applet in without else applet}", "busybox")
    root.copy(need("dropbear"), "usr/sbin/dropbear")
    root.file("etc/shells", "/bin/sh\n/bin/ash\n")
    root.package(*_SUDO)
    _configure_sudo(root)
    return root


def renamed(applet: str) -> str:
    """What an applet is called in a busybox "without" it, for wrappers that lend some of it back."""
    names = sorted(busybox_applets())
    at = names.index(applet)
    before, after = names[at - 1], names[at + 1] if at + 1 < len(names) else "~"
    for letter in "~_!+":
        new = applet[:-1] + letter
        if before < new < after and new not in names:
            return new
    raise ValueError(f"{applet} cannot be renamed in order")


def _busybox_without(applets: tuple[str, ...]) -> bytes:
    # Its table of names is sorted, each ended by NUL: a name of the same length in the same place keeps it valid.
    data = Path(need("busybox")).read_bytes()
    names = sorted(busybox_applets())
    for applet in applets:
        at = names.index(applet)
        old = b"\0".join(name.encode() for name in names[at - 1 : at + 2]) + b"\0"
        new = b"\0".join(name.encode() for name in (names[at - 1], renamed(applet), *names[at + 1 : at + 2])) + b"\0"
        if data.count(old) != 1:
            missing(f"this busybox keeps its table of applets otherwise: {applet} cannot be taken out of it")
        data = data.replace(old, new)
        names = [renamed(name) if name == applet else name for name in names]
    return data


_SUDO = ("sudo", "libpam-modules", "libpam-modules-bin", "libpam-runtime")
DEBIAN_PACKAGES = (
    "base-files", "bash", "bsdutils", "coreutils", "dash", "debianutils", "diffutils", "findutils", "grep", "gzip",
    "hostname", "libc-bin", "login", "mawk", "ncurses-base", "procps", "sed", "tar", "util-linux",
    "openssh-server", "openssh-sftp-server", "ripgrep", "attr", "acl",
    "passwd", *_SUDO,
)  # fmt: skip


def debian_root(*packages: str, shell: str = "/bin/bash", home: str = f"/home/{USER}") -> RootFiles:
    """A small Debian with sshd, sudo, GNU tools, bash and ripgrep, made of the packages installed on this machine.

    Args:
        packages: further packages.
        shell: login shell of the user.
        home: as in /etc/passwd; `/home/dev` is what exists.
    """
    need("sshd")
    root = skeleton(shell=shell, home=home)
    root.package(*DEBIAN_PACKAGES, *packages)
    _configure_sudo(root)
    root.link("usr/bin/sh", "dash")
    root.link("usr/bin/awk", "mawk")
    root.copy(need("openssl"))
    root.folder("run/sshd")
    _add_locale(root, "de_DE", "ISO-8859-1")
    return root


def _add_locale(root: RootFiles, language: str, charset: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / f"{language}.{charset}"
        words = [need("localedef"), "-i", language, "-f", charset, str(folder)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if not (folder / "LC_CTYPE").exists():
            missing(f"localedef cannot make {folder.name} (Debian's package `locales`): {done.stderr.strip()[-300:]}")
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                # glibc looks for the charset in lower case without hyphens.
                place = f"{language}.{charset.lower().replace('-', '')}/{path.relative_to(folder)}"
                root.file(f"usr/lib/locale/{place}", path.read_bytes())


def _configure_sudo(root: RootFiles) -> None:
    """The user may do everything, with the password."""
    # What the packages' own scripts would have written.
    for kind in ("auth", "account", "password", "session"):
        module = "pam_permit.so" if kind == "session" else "pam_unix.so"
        root.file(f"etc/pam.d/common-{kind}", f"{kind} required {module}\n")
    root.file("etc/pam.d/common-session-noninteractive", "session required pam_permit.so\n")
    root.file("etc/sudoers", "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n", 0o440)
    root.folder("etc/sudoers.d", 0o750)
