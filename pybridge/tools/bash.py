"""bash: one command in the user's shell on the remote."""

from __future__ import annotations

from pybridge.editing.truncation import last_characters
from pybridge.errors import CancelledByUserError, CommandFailedError, RemoteError, ToolError
from pybridge.host.model import Command, CommandResult
from pybridge.tools.arguments import BashArguments
from pybridge.tools.bash_permission import ask_bash
from pybridge.tools.command_output import CommandOutput
from pybridge.tools.context import ToolContext, ToolResult
from pybridge.tools.live_output import LiveOutput
from pybridge.tools.permissions import remote_path
from pybridge.tools.session import Session
from pybridge.transport.process import Stream

DEFAULT_TIMEOUT_MS = 120_000


async def execute(args: BashArguments, context: ToolContext, session: Session) -> ToolResult:
    """Run a command and show what it printed.

    A timeout and an abort are completed results that say so.

    Raises:
        ToolError: there is no command.
        CommandFailedError: it ended with another exit code than 0, or by a signal.
        FileMissingError, NotDirectoryError, FilePermissionError: the working folder; nothing was run.
        ConnectionLostError: the connection ended meanwhile.
        PermissionRejectedError: it may not be run.
    """
    if not args.command:
        raise ToolError("The command is empty; nothing was run.")
    workdir = session.workdir if args.workdir is None else remote_path(session, args.workdir)
    timeout = DEFAULT_TIMEOUT_MS if args.timeout is None else args.timeout
    await ask_bash(session, context, args.command, workdir)
    output = CommandOutput(session.spool)
    live = LiveOutput(lambda: context.progress(None, {"output": output.preview}))
    complained = False

    def take(stream: Stream, data: bytes) -> None:
        nonlocal complained
        complained = complained or stream is Stream.STDERR
        output.feed(stream, data)
        live.changed()

    context.progress(None, {"output": ""})
    command = Command(args.command, workdir, timeout / 1000, context.abort, take)
    try:
        ended = await session.host.run(command)
    except CancelledByUserError:
        ended = CommandResult(None, None, aborted=True)
    except RemoteError as error:
        output.finish()
        raise _with_output(error, output) from error
    finally:
        live.stop()
    output.finish()
    text, truncated, path = output.shown()
    failure = _failure(ended, complained)
    if failure is not None:
        raise CommandFailedError(f"{_ending_in_newline(text)}\n{failure}")
    note = _note(ended, timeout)
    if note is not None:
        text += f"\n\n<shell_metadata>\n{note}\n</shell_metadata>"
    metadata = {"output": output.preview or last_characters(text), "exit": ended.code, "truncated": truncated}
    if path is not None:
        metadata["outputPath"] = path
    return ToolResult(args.command, text, metadata)


def _failure(ended: CommandResult, complained: bool) -> str | None:
    if ended.timed_out or ended.aborted or ended.code == 0:
        return None
    if ended.signal is not None:
        return f"Killed by signal {ended.signal}"
    if ended.code is not None:
        return f"Exit code: {ended.code}"
    # Old servers sometimes end a channel without a word. Only then what is on stderr counts.
    return "The server sent no exit status, and the command wrote to its error output." if complained else None


def _note(ended: CommandResult, timeout: int) -> str | None:
    if ended.timed_out:
        return (
            f"shell tool terminated command after exceeding timeout {timeout} ms. If this command is expected to take "
            "longer and is not waiting for interactive input, retry with a larger timeout value in milliseconds."
        )
    return "User aborted the command" if ended.aborted else None


def _with_output(error: RemoteError, output: CommandOutput) -> RemoteError:
    """The same error, its message below what the command had printed by then."""
    if not output.preview:
        return error
    text, _, _ = output.shown()
    error.args = (f"{_ending_in_newline(text)}\n{error}",)
    return error


def _ending_in_newline(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"
