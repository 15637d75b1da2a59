"""What is really on a remote, seen past pybridge: by docker exec, the system's ssh, or fabric."""

from __future__ import annotations

import secrets
import shlex
import subprocess
from typing import Protocol

from tests.kit.containers import SshContainer
from tests.kit.counterparts import need
from tests.kit.remote_truth import RemoteTruth

_SECONDS = 120


class Truth(Protocol):
    """An independent look at a remote. Paths are absolute."""

    def run(self, script: str, *arguments: str, stdin: bytes = b"") -> bytes:
        """Standard output of a POSIX sh script, which must succeed."""
        ...

    def read(self, path: str) -> bytes:
        """Content of a file."""
        ...


class DockerExec:
    """A look into a container with a busybox of its own, as root; what it makes belongs to the remote's user."""

    def __init__(self, container: SshContainer) -> None:
        self._container = container

    def run(self, script: str, *arguments: str, stdin: bytes = b"") -> bytes:
        return self._container.look("sh", "-c", script, "sh", *arguments, stdin=stdin)

    def read(self, path: str) -> bytes:
        return self._container.look("cat", path)


class SystemSsh:
    """OpenSSH's own client, with the words of a REMOTE_SSH."""

    def __init__(self, ssh_command: str) -> None:
        self._words = shlex.split(ssh_command)
        self._words[0] = need("ssh", why="to look at the remote past pybridge")

    def run(self, script: str, *arguments: str, stdin: bytes = b"") -> bytes:
        command = "exec /bin/sh -c " + shlex.join([script, "sh", *arguments])
        done = subprocess.run([*self._words, command], input=stdin, capture_output=True, timeout=_SECONDS, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    def read(self, path: str) -> bytes:
        return self.run('cat < "$1"', path)


class Fabric:
    """fabric, that is paramiko: an SSH implementation that is neither ours nor OpenSSH's.

    Args:
        remote: an open connection.
        folder: a folder on the remote for its own temporaries.
    """

    def __init__(self, remote: RemoteTruth, folder: str) -> None:
        self._remote = remote
        self._folder = folder

    def run(self, script: str, *arguments: str, stdin: bytes = b"") -> bytes:
        # Its commands have no input of our own, and their output is text: the input goes through a file, the output is
        # written in hexadecimal.
        source = "/dev/null"
        if stdin:
            source = f"{self._folder}/{secrets.token_hex(8)}"
            self._remote.write(source, stdin)
        command = f"/bin/sh -c {shlex.join([script, 'sh', *arguments])} < {source}"
        told = bytes.fromhex(self._remote.run(f"{{ {command}; printf ' %d' $?; }} | od -An -v -tx1"))
        output, _, status = told.rpartition(b" ")
        assert status == b"0", f"{script!r} failed with {status.decode()}"
        if stdin:
            self._remote.remove(source)
        return output

    def read(self, path: str) -> bytes:
        return self._remote.read(path)


class Looking:
    """Common questions, on top of any `Truth`.

    Args:
        truth: what answers.
        area: what is made in it is given to the owner of this folder.
    """

    def __init__(self, truth: Truth, area: str) -> None:
        self._truth = truth
        self._area = area

    def run(self, script: str, *arguments: str, stdin: bytes = b"") -> bytes:
        """Standard output of a POSIX sh script, which must succeed."""
        return self._truth.run(script, *arguments, stdin=stdin)

    def read(self, path: str) -> bytes:
        """Content of a file."""
        return self._truth.read(path)

    def write(self, path: str, content: bytes = b"", *, mode: int = 0o644, time: str = "") -> None:
        """Put a file there, with its folders.

        Args:
            mode: its permission bits.
            time: when it was changed, as POSIX touch has it (CCYYMMDDhhmm.SS).
        """
        self.run(
            'mkdir -p "${1%/*}" && cat > "$1" && chmod "$2" "$1" && { [ -z "$3" ] || touch -t "$3" "$1"; }' + _GIVE,
            path, f"{mode:o}", time, self._area, stdin=content,
        )  # fmt: skip

    def link(self, path: str, target: str) -> None:
        """Put a symlink there."""
        self.run('ln -s "$2" "$1"', path, target)

    def folder(self, path: str) -> None:
        """Make a folder and its parents."""
        self.run('mkdir -p "$1"' + _GIVE, path, "", "", self._area)

    def exists(self, path: str) -> bool:
        """Whether anything lies at `path`, links followed."""
        return self.run('if [ -e "$1" ]; then echo yes; fi', path) == b"yes\n"

    def names(self, path: str) -> list[str]:
        """Names in a folder, hidden ones too, sorted."""
        # Not by ls: that of busybox shows question marks for what is not ASCII.
        script = (
            'cd "$1" && for name in * .[!.]* ..?*; do'
            ' if [ -e "$name" ] || [ -h "$name" ]; then printf \'%s\\000\' "$name"; fi; done'
        )
        return sorted(self.run(script, path).decode("utf-8", "surrogateescape").split("\0")[:-1])

    def mode(self, path: str) -> int:
        """Permission bits of a file."""
        letters = self.run('ls -ld "$1"', path).decode()[1:10]
        return int("".join("0" if letter == "-" else "1" for letter in letters), 2)

    def runs(self, words: str) -> bool:
        """Whether a process with `words` in its command line is there; one that has ended but is not reaped is not."""
        # The words come by standard input, so that the process that looks does not find itself.
        script = (
            "read -r wanted; for f in /proc/[0-9]*/cmdline; do"
            " case $(tr '\\000' ' ' < \"$f\" 2>/dev/null) in *\"$wanted\"*) echo yes;; esac; done"
        )
        return b"yes" in self.run(script, stdin=words.encode() + b"\n")


_GIVE = """ && case $(id -u) in 0) set -- "$4" $(ls -ldn "$4"); chown -R "$4:$5" "$1";; esac"""
