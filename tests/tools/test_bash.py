"""bash: texts, errors, questions and live output, on a host that is a dictionary."""

from __future__ import annotations

import pytest

from pybridge.errors import CommandFailedError, ConnectionLostError, PermissionRejectedError, ToolArgumentsError
from pybridge.host.model import Command, CommandResult
from pybridge.transport.process import Stream
from tests.tools.kit import Call, Desk

pytestmark = pytest.mark.unit

OUT, ERR = Stream.STDOUT, Stream.STDERR


async def test_D16_timeout_default_and_given(desk: Desk) -> None:
    await desk("bash", command="true")
    await desk("bash", command="true", timeout=1500)
    assert [command.timeout for command in desk.host.commands] == [120.0, 1.5]
    with pytest.raises(ToolArgumentsError, match="got 0"):
        await desk("bash", command="true", timeout=0)


@pytest.mark.parametrize(
    ("output", "result", "message"),
    [
        ([(OUT, b"a\n")], CommandResult(2, None), "a\n\nExit code: 2"),
        ([(OUT, b"a")], CommandResult(2, None), "a\n\nExit code: 2"),
        ([], CommandResult(1, None), "(no output)\n\nExit code: 1"),
        ([(ERR, b"x\n")], CommandResult(None, "SEGV"), "x\n\nKilled by signal SEGV"),
    ],
)
async def test_D16_a_failed_command_is_an_error(
    desk: Desk, output: list[tuple[Stream, bytes]], result: CommandResult, message: str
) -> None:
    desk.host.output, desk.host.result = output, result
    with pytest.raises(CommandFailedError) as caught:
        await desk("bash", command="x")
    assert str(caught.value) == message


async def test_D16_stderr_counts_only_when_the_server_sent_no_exit_status(desk: Desk) -> None:
    desk.host.output, desk.host.result = [(ERR, b"permission denied\n")], CommandResult(None, None)
    with pytest.raises(CommandFailedError, match="sent no exit status"):
        await desk("bash", command="x")
    desk.host.output = [(OUT, b"fine\n")]
    assert (await desk("bash", command="x")).output == "fine\n"
    desk.host.output, desk.host.result = [(ERR, b"permission denied\n")], CommandResult(0, None)
    assert (await desk("bash", command="x")).output == "permission denied\n"


async def test_a_long_failure_is_cut_like_a_long_success(desk: Desk) -> None:
    desk.host.output, desk.host.result = [(OUT, b"line\n" * 5000)], CommandResult(1, None)
    with pytest.raises(CommandFailedError) as caught:
        await desk("bash", command="x")
    text = str(caught.value)
    assert text.startswith("...output truncated...\n\nFull output saved to: ")
    assert text.endswith("line\n\nExit code: 1")
    assert text.count("\n") < 2010


async def test_an_error_of_the_connection_comes_below_what_was_printed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(command: Command) -> CommandResult:
        command.on_output(OUT, b"half\n")
        raise ConnectionLostError("The connection ended.")

    monkeypatch.setattr(desk.host, "run", lose)
    with pytest.raises(ConnectionLostError) as caught:
        await desk("bash", command="x")
    assert str(caught.value) == "half\n\nThe connection ended."


async def test_D33_live_output_is_throttled_and_ends_before_the_result(desk: Desk) -> None:
    desk.host.output = [(OUT, b"%d\n" % n) for n in range(2000)]
    context = Call()
    await desk("bash", context, command="x")
    shown = len(context.shown)
    assert context.shown[0] == {"output": ""}
    assert 2 <= shown < 20
    assert all(set(metadata) == {"output"} for metadata in context.shown)


async def test_D33_live_output_is_the_last_30000_characters(desk: Desk) -> None:
    desk.host.output = [(OUT, b"x" * 40_000)]
    context = Call()
    await desk("bash", context, command="x")
    assert context.shown[-1]["output"] == "...\n\n" + "x" * 30_000


async def test_the_questions_before_a_command_runs(desk: Desk) -> None:
    desk.host.contents |= {"/w/a": b"", "/etc/conf.d/x": b"", "/opt/file": b""}
    context = Call()
    await desk("bash", context, command="cd /etc/conf.d && cat x /opt/file > out; git status -s", workdir="/opt")
    external, bash = context.asks
    assert external.permission == "external_directory"
    assert external.patterns == external.always == ["/etc/conf.d/*", "/opt/*"]
    assert external.metadata["directories"] == ["/etc/conf.d", "/opt"]
    assert (bash.permission, bash.patterns, bash.always) == (
        "bash",
        ["cat x /opt/file", "git status -s"],
        ["cat *", "git status *"],
    )
    assert desk.host.commands[0].workdir == "/opt"


async def test_D13_a_command_that_reaches_out_through_a_symlink_is_asked(desk: Desk) -> None:
    desk.host.contents |= {"/w/a": b"", "/etc/x": b""}
    desk.host.links["/w/link"] = "/etc"
    context = Call(refuse=frozenset({"external_directory"}))
    with pytest.raises(PermissionRejectedError):
        await desk("bash", context, command="rm -rf link/x")
    assert context.asked("external_directory") == [["/etc/*"]]
    assert desk.host.commands == []


async def test_a_command_without_paths_costs_no_round_trip_of_its_own(desk: Desk) -> None:
    context = Call()
    await desk("bash", context, command="make test")
    assert desk.host.fetches == []
    assert context.asked("external_directory") == []


async def test_cd_alone_is_not_asked_for(desk: Desk) -> None:
    desk.host.contents["/w/sub/a"] = b""
    context = Call()
    await desk("bash", context, command="cd sub")
    assert context.asks == []
