"""The real sidecar process in front of a pretended remote, steered by the arguments of the calls.

It takes the arguments of `python` as the shim gives them (`-m pybridge.sidecar`) and ignores them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from pybridge.errors import AuthenticationError, CancelledByUserError, ToolError, UnknownHostError
from pybridge.mirror.reverted_changes import Reverted
from pybridge.sidecar import reverts
from pybridge.sidecar.calls import ToolCall
from pybridge.sidecar.run import main
from pybridge.sidecar.target import LinkReport
from pybridge.tools.conversation import Conversation, Point
from pybridge.tools.instructions import Instruction
from pybridge.tools.mentions.user_message import UserMessage
from pybridge.tools.surroundings.descriptions import Where
from pybridge.tools.surroundings.prompt import RemoteSurroundings
from pybridge.tools.surroundings.remote import Wanted


class PretendedRemote:
    host = "pretended.example"
    workdir = "/srv/project"
    where = Where(host, "freebsd", "zsh", workdir, "/srv", "/tmp/pybridge-temporary")

    def __init__(self, env: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        self._env = dict(env)
        self._secrets = dict(secrets)
        self._barrier = asyncio.Barrier(2)

    async def call(self, tool: str, args: object, call: ToolCall) -> dict[str, Any]:
        assert isinstance(args, dict)
        return await getattr(self, "do_" + str(args.get("command", "echo")))(tool, args, call)

    async def do_echo(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        context = {"session": call.session_id, "message": call.message_id, "call": call.call_id, "agent": call.agent}
        return {"title": f"{tool} title", "output": args.get("text", "hello"), "metadata": {"args": args, **context}}

    async def do_settings(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        metadata = {"env": self._env, "secrets": self._secrets, "environ": dict(os.environ), "pid": os.getpid()}
        return {"title": "", "output": "settings", "metadata": metadata}

    async def do_meet(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        # Two calls come through only if both run at once.
        return {"title": "", "output": str(await self._barrier.wait()), "metadata": {}}

    async def do_wait(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        marker = Path(args["marker"]) if "marker" in args else None
        call.progress("waiting", {"output": "so far"})
        if marker:
            marker.touch()
        await call.abort.wait()
        if marker:
            marker.write_text("aborted")
        return {"title": "", "output": "ended because it was aborted", "metadata": {"exit": None}}

    async def do_wait_a_second(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        await asyncio.sleep(1)
        return {"title": "", "output": "waited", "metadata": {}}

    async def do_ignore_abort(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        call.progress("waiting", {})
        await asyncio.Event().wait()
        raise AssertionError

    async def do_block(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        Path(args["begun"]).touch()
        while True:
            time.sleep(60)

    async def do_ask(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        await call.ask("edit", ["a.txt"], ["*"], {"filepath": "a.txt", "diff": "-a\n+b"})
        return {"title": "", "output": "done after asking", "metadata": {}}

    async def do_fail(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        raise ToolError("The pretended tool failed.", next_step="Do something else.")

    async def do_cancelled(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        raise CancelledByUserError("aborted")

    async def do_bug(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        raise KeyError("no such thing")

    async def do_no_json(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        return {"title": object()}

    async def do_print(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        print("a stray print")
        os.write(1, b"a stray write\n")
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print('a child', input.__name__)")
        await process.wait()
        return {"title": "", "output": "printed", "metadata": {}}

    async def do_die(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        print(f"dying with {self._secrets.get('REMOTE_PASSWORD')}", file=sys.stderr, flush=True)
        os._exit(9)

    async def do_garbage(self, tool: str, args: dict[str, Any], call: ToolCall) -> dict[str, Any]:
        # Past the protection of standard output: straight into every descriptor that could be the protocol's.
        for descriptor in range(3, 20):
            try:
                os.write(descriptor, b'{"jsonrpc": "2.0", "id"\n')
            except OSError:
                continue
        await asyncio.Event().wait()
        raise AssertionError

    async def deliver(self, message: UserMessage) -> list[dict[str, Any]]:
        if message.agent == "stuck":
            await asyncio.Event().wait()
        if message.agent == "bug":
            raise KeyError("no such thing")
        texts = [read.path for read in message.reads] + [word.name for word in message.words]
        return [{"keep": 0}, *({"id": f"prt_new{n}", "type": "text", "text": t} for n, t in enumerate(texts))]

    async def surroundings(self, wanted: Wanted, deadline: float) -> RemoteSurroundings:
        if "silent" in wanted.entries:
            raise TimeoutError
        rules = [Instruction(f"{self.workdir}/{name}", "Rule.\n") for name in wanted.names[:1]]
        return RemoteSurroundings(self.workdir, "/srv", True, "freebsd", "Thu Jan 01 1970", project=rules)

    async def revert(self, point: Point | None, conversation: Conversation) -> dict[str, str]:
        if point is not None and point.message_id == "msg_stuck":
            await asyncio.Event().wait()
        if point is not None and point.message_id == "msg_bug":
            raise KeyError("no such thing")
        if point is not None and point.message_id == "msg_lost":
            raise ToolError("The pretended link was lost.", next_step="Try again.")
        messages = [
            [m.id, m.copied, *(f"{p.id}/{p.call_id}/{p.session_id}/{p.time}" for p in m.parts)]
            for m in conversation.messages
        ]
        facts = [conversation.session_id, point and [point.message_id, point.part_id], messages, conversation.parents]
        with open(os.environ["FAKE_REVERTS"], "a") as file:  # noqa: PTH123
            file.write(json.dumps(facts) + "\n")
        await asyncio.sleep(0.05)
        reverts.reverted_changes().put(conversation.session_id, Reverted({"change": "part"} if point else {}))
        return {"message": f"taken back to {point and point.message_id}", "variant": "success"}

    def forget(self, session_id: str) -> None:
        Path(os.environ["FAKE_FORGOTTEN"]).write_text(session_id)

    def add_skill(self, folder: str) -> None:
        Path(os.environ["FAKE_SKILL"]).write_text(folder)

    async def run(
        self, text: str, folder: str, abort: asyncio.Event, send: Callable[[int, bytes], Awaitable[None]]
    ) -> tuple[int | None, str | None]:
        await send(1, f"{text} in {folder}\n".encode())
        return 0, None

    async def close(self) -> None:
        if marker := os.environ.get("FAKE_CLOSED_MARKER"):
            with open(marker, "a") as file:  # noqa: PTH123
                file.write("closed\n")


attempts = 0


async def connect(env: Mapping[str, str], secrets: Mapping[str, str], report: LinkReport) -> PretendedRemote:
    global attempts
    attempts += 1
    how = os.environ.get("FAKE_CONNECT", "")
    if how == "never":
        await asyncio.Event().wait()
    if how == "refused_once" and attempts == 1:
        raise UnknownHostError(f"attempt {attempts} failed")
    if how == "wrong_password":
        raise AuthenticationError(f"attempt {attempts}: the password is wrong")
    return PretendedRemote(env, secrets)


if __name__ == "__main__":
    sys.exit(main(connect))
