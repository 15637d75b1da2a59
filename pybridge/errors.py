"""The one tree of errors. Every message tells a person what happened and what to do next."""

from __future__ import annotations

import re
from typing import ClassVar

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def defused(text: str) -> str:
    """`text` with its control characters (all but newline and tab) spelled out, so that no terminal obeys them."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


class RemoteError(Exception):
    """Something about the remote went wrong.

    The message may hold what a server said, so control characters in it are spelled out; not in that of a `ToolError`
    or a `FileError`, which is what OpenCode's own tools would say of the same text or name.

    Args:
        message: what happened, in a sentence that needs no other context.
        next_step: what the reader can do about it; appended to the message.
    """

    code: ClassVar[str] = "remote"
    verbatim: ClassVar[bool] = False

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        message = message if self.verbatim else defused(message)
        super().__init__(message if next_step is None else f"{message}\n{next_step}")
        self.message = message
        self.next_step = next_step


class ConfigurationError(RemoteError):
    """A setting (REMOTE_*, a flag, a file of ours) cannot be used as it is."""

    code = "configuration"


class LocalStorageError(RemoteError):
    """A folder or file of ours on this machine cannot be created, read or written."""

    code = "local_storage"


class OpenCodeError(RemoteError):
    """OpenCode itself is missing here, of a version that cannot be used, or cannot be started safely."""

    code = "opencode"


class CommandLineError(ConfigurationError):
    """REMOTE_SSH cannot be read as an ssh command line."""

    code = "command_line"


class ConnectError(RemoteError):
    """No usable connection could be made."""

    code = "connect"


class UnknownHostError(ConnectError):
    """The host's name does not resolve."""

    code = "unknown_host"


class ConnectionRefusedByHostError(ConnectError):
    """Nothing listens at the host and port."""

    code = "connection_refused"


class ConnectTimeoutError(ConnectError):
    """The host did not answer within the connect timeout."""

    code = "connect_timeout"


class ConnectionDroppedError(ConnectError):
    """The server closed the connection before it was usable.

    Args:
        authenticating: whether authentication had begun; if not, nothing was lost and trying again is safe.
    """

    code = "connection_dropped"

    def __init__(self, message: str, *, next_step: str | None = None, authenticating: bool = False) -> None:
        super().__init__(message, next_step=next_step)
        self.authenticating = authenticating


class HostKeyError(ConnectError):
    """The host key could not be verified against known_hosts."""

    code = "host_key"


class HostKeyUnknownError(HostKeyError):
    """known_hosts has no key for this host."""

    code = "host_key_unknown"


class HostKeyChangedError(HostKeyError):
    """known_hosts has another key for this host, or has it revoked."""

    code = "host_key_changed"


class AlgorithmError(ConnectError):
    """Client and server share no algorithm of one kind."""

    code = "algorithm"


class AuthenticationError(ConnectError):
    """The server refused every credential offered. Never retried by itself: accounts lock."""

    code = "authentication"


class ConnectionLostError(RemoteError):
    """The connection ended while something was under way.

    What was under way may or may not have happened on the remote: callers say which, where they can find out.
    """

    code = "connection_lost"


class ChannelError(RemoteError):
    """The server refused to open a channel or to start a process in it."""

    code = "channel"


class RemoteTimeoutError(RemoteError):
    """A wait reached its end."""

    code = "timeout"


class CancelledByUserError(RemoteError):
    """The user aborted the call."""

    code = "cancelled"


class ProtocolError(RemoteError):
    """The remote shell answered something that is not of the framed protocol."""

    code = "protocol"


class ProbeError(RemoteError):
    """The remote lacks what every operation needs: a POSIX sh."""

    code = "probe"


class FileError(RemoteError):
    """An operation on one remote file failed.

    Args:
        path: the remote absolute path.
    """

    code = "file"
    verbatim = True

    def __init__(self, message: str, *, path: str, next_step: str | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.path = path


class FileMissingError(FileError):
    """No such file or folder."""

    code = "file_missing"


class IsDirectoryError(FileError):
    """A folder stands where a file is meant."""

    code = "is_directory"


class NotDirectoryError(FileError):
    """A file stands where a folder is meant."""

    code = "not_directory"


class FilePermissionError(FileError):
    """The remote user may not do this to the file."""

    code = "file_permission"


class SpecialFileError(FileError):
    """A FIFO, socket or device, which is neither read nor written."""

    code = "special_file"


class FileChangedError(FileError):
    """The remote file is no longer the version a change was computed from."""

    code = "file_changed"


class StorageError(FileError):
    """The remote has no room, a quota is full, or the file system is read-only."""

    code = "storage"


class UnverifiedWriteError(FileError):
    """What arrived on the remote is not what was sent; the target was not touched."""

    code = "unverified_write"


class ChangeLeftError(FileError):
    """A change failed half-way and could not be taken back; the next connection does that."""

    code = "change_left"


class OutcomeUnknownError(FileError):
    """The link died at a moment when the change may or may not have been made."""

    code = "outcome_unknown"


class EncodingError(FileError):
    """The new text cannot be written in the file's encoding."""

    code = "encoding"


class SearchError(RemoteError):
    """A search could not be run: bad pattern, missing folder, failing search program."""

    code = "search"


class SearchRootError(SearchError):
    """What is to be searched is not plainly a part of the workspace; nothing was searched."""


class ToolError(RemoteError):
    """A tool call that cannot be carried out as asked; the message is what the model reads."""

    code = "tool"
    verbatim = True


class ToolArgumentsError(ToolError):
    """The arguments of a tool call do not fit the tool's schema."""

    code = "tool_arguments"


class PermissionRejectedError(ToolError):
    """OpenCode, or the user, refused the permission the tool asked for."""

    code = "permission_rejected"


class EditError(ToolError):
    """An edit that does not fit the file's text; nothing was changed."""

    code = "edit"


class TextNotFoundError(EditError):
    """oldString is not in the file."""

    code = "text_not_found"


class AmbiguousTextError(EditError):
    """oldString is in the file more than once."""

    code = "ambiguous_text"


class SpanTooLargeError(EditError):
    """What oldString was found to mean is much larger than oldString itself."""

    code = "span_too_large"


class NothingToChangeError(EditError):
    """oldString and newString are the same."""

    code = "nothing_to_change"


class EmptyTextError(EditError):
    """oldString is empty although the file exists."""

    code = "empty_text"


class PatchError(ToolError):
    """A patch that cannot be read, or does not fit the files it names; nothing was changed."""

    code = "patch"


class OffsetRangeError(ToolError):
    """A read that would begin after the end of the file."""

    code = "offset_range"


class CommandFailedError(ToolError):
    """A command ended with another exit code than 0, or by a signal; the message is its output and how it ended."""

    code = "command_failed"
