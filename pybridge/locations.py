"""Where our own files lie on this machine, and how they are written: private, and whole or not at all.

Files we put here belong to one user: folders 0700, files 0600 (on Windows the profile folder's own access rules hold).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
import time
from pathlib import Path

import platformdirs

from pybridge.errors import LocalStorageError

TEMPORARY_PREFIX = ".pybridge-"
TEMPORARY_SUFFIX = ".tmp"

_APPLICATION = "pybridge"
_SAFE = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,46}[a-z0-9])?")
# Windows refuses these as the part of a name before its first dot.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")


def home() -> Path:
    """The user's home folder, looked up at each call.

    Raises:
        LocalStorageError: there is none.
    """
    try:
        return Path.home()
    except RuntimeError as error:
        raise LocalStorageError(
            f"No home folder is known for this user: {error}.", next_step="Set HOME and try again."
        ) from error


def slug(readable: str, identity: str | None = None, *, limit: int = 40) -> str:
    """A folder name that people can read and that is different for every identity.

    Args:
        readable: what the name should look like.
        identity: what it stands for; `readable` if not given. Different identities never give the same slug.
        limit: characters kept of `readable`.

    Returns:
        lower case ASCII letters, digits, dots and dashes, followed by ten hexadecimal digits of a SHA-256.
    """
    text = re.sub(r"[^a-z0-9.]+", "-", readable.lower()).strip("-.")
    text = text[-limit:].strip("-.")  # the end of a path says more than its beginning
    identity = readable if identity is None else identity
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{text or 'x'}-{digest}" if not _RESERVED.fullmatch(text) else f"x-{text}-{digest}"


def session_folder(target_slug: str, workdir: str) -> Path:
    """The folder OpenCode is started in for one target and remote folder (not created).

    The same target gives the same folder; different targets never share one.

    Args:
        target_slug: names user, host, port and jump hosts (the transport's slug of REMOTE_SSH).
        workdir: REMOTE_WORKDIR as written; trailing slashes do not make another target.
    """
    workdir = _tidy(workdir)
    host = re.sub(r"[^a-z0-9.]+", "-", target_slug.lower()).strip("-.")[:40].strip("-.") or "x"
    return _opencode("remote-sessions") / f"{host}_{slug(workdir, target_slug + chr(0) + workdir)}"


def mirror_folder(host_slug: str, root: str) -> Path:
    """The folder for what we know of the files under one remote folder (not created).

    Args:
        host_slug: names user, host, port and jump hosts (the transport's slug of REMOTE_SSH).
        root: remote absolute folder, symlinks resolved.
    """
    safe = _SAFE.fullmatch(host_slug) is not None and _RESERVED.fullmatch(host_slug) is None
    # Short, so that Windows, which counts 260 characters in all, has some left for what lies below.
    return _opencode("mirrors") / (host_slug if safe else slug(host_slug, limit=36)) / slug(_tidy(root), limit=24)


def log_folder() -> Path:
    """The platform's folder for log files of this application (not created)."""
    return platformdirs.user_log_path(_APPLICATION, appauthor=False)


def state_folder() -> Path:
    """The platform's folder for what must outlive a process: records of remote temporaries (not created)."""
    return platformdirs.user_state_path(_APPLICATION, appauthor=False)


def data_folder() -> Path:
    """The platform's folder for what the user would miss: saved connections (not created)."""
    return platformdirs.user_data_path(_APPLICATION, appauthor=False)


def opencode_data_folder() -> Path:
    """Where OpenCode keeps its own data: the same place on every platform.

    Raises:
        LocalStorageError: this user has no home folder.
    """
    named = os.environ.get("XDG_DATA_HOME")
    return (Path(named) if named else home() / ".local" / "share") / "opencode"


def private_folder(path: Path) -> Path:
    """Create a folder, and its missing parents, that only this user can enter.

    Args:
        path: an existing one is narrowed to 0700.

    Returns:
        `path`.

    Raises:
        LocalStorageError: it cannot be created, or a file stands there.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()  # as nearly always, and then one look is enough
            if stat.S_ISDIR(found.st_mode) and not (os.name == "posix" and found.st_mode & 0o077):
                return path
        for missing in [p for p in reversed(path.parents) if not p.exists()]:
            missing.mkdir(mode=0o700, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        if os.name == "posix" and path.stat().st_mode & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise _failed(f"The folder {path} cannot be used", error) from error
    return path


def write_private(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Put a file in place, 0600, so that a reader or a crash finds the old content or the new, never a part.

    Args:
        path: in a folder that exists.
        content: the whole file.
        durable: wait until the disk has it, so that it also survives a power failure.

    Raises:
        LocalStorageError: it cannot be written; what was there before is still there.
    """
    put_private(stage_private(path, content, durable=durable), path)
    if durable:
        _sync_folder(path.parent)


def stage_private(path: Path, content: bytes, *, durable: bool = False) -> Path:
    """The first half of `write_private`, for a file that may not be wanted: beside its place, not in it.

    Returns:
        what `put_private` puts in place; else it is to be removed.

    Raises:
        LocalStorageError: it cannot be written.
    """
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        try:
            with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _failed(f"The file {path} cannot be written", error) from error
    return temporary


def put_private(staged: Path, path: Path) -> None:
    """The second half of `write_private`.

    Raises:
        LocalStorageError: it cannot be put there; what was there before still is, and `staged` is gone.
    """
    try:
        try:
            _replace(staged, path)
        except BaseException:
            with contextlib.suppress(OSError):
                staged.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _failed(f"The file {path} cannot be written", error) from error


def remove_abandoned(folder: Path, *, older_than: float = 3600.0) -> None:
    """Remove what `write_private` left when its process was killed.

    Args:
        folder: looked at itself, not what is below it.
        older_than: seconds; younger ones may still be in use by another process.
    """
    limit = time.time() - older_than
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{TEMPORARY_PREFIX}*{TEMPORARY_SUFFIX}"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < limit:
                    path.unlink()


def _opencode(name: str) -> Path:
    return home() / ".opencode" / name


def _tidy(path: str) -> str:
    """One spelling for one remote folder, as far as text alone can tell (`..` may cross a symlink: left alone)."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/"):
        return "/" + "/".join(parts)
    return "/".join(parts if path.startswith("~") else ["~", *parts])


def _replace(source: Path, target: Path) -> None:
    # Windows refuses to replace a file another process has open at that moment; such moments are short.
    for wait in (0.01, 0.02, 0.05, 0.1, 0.2) if os.name == "nt" else ():
        try:
            source.replace(target)
            return
        except PermissionError:
            time.sleep(wait)
    source.replace(target)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _failed(what: str, error: OSError) -> LocalStorageError:
    return LocalStorageError(
        f"{what}: {error.strerror or error}.", next_step="Check its permissions and the free space on this machine."
    )
