"""Issue 3.5: long output through the real OpenCode: cut once, and the whole of it within the model's reach."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pybridge.demo.model_server import Turn, call, say
from tests.e2e.conftest import LAUNCH
from tests.kit.opencode import OpenCodeHome, ToolUse, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.processes import wait_until_none
from tests.kit.remote_truth import RemoteTruth
from tests.kit.sshd import start_openssh

MAX_LINES, MAX_BYTES = 2000, 51200
KEPT = re.compile(r"Full output saved to: (\S+)")


@dataclass
class Desk:
    """One `opencode serve` on a remote folder."""

    serve: OpenCodeServe
    home: OpenCodeHome
    work: str
    truth: RemoteTruth
    session: str

    def tool(self, tool: str, /, **arguments: object) -> ToolUse:
        """One call of the model's; `seen` is what it then reads."""
        [use] = self.serve.message(self.session, [call(tool, **arguments), say("ok")])
        return use

    def bash(self, command: str) -> ToolUse:
        return self.tool("bash", command=command, description="d")

    @property
    def seen(self) -> str:
        """The last result that reached the model."""
        return self.serve.model.requests[-1].tool_results[-1]


class _LongPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = "".join(f"row {n}\n" for n in range(1, 5001)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def long_page() -> Iterator[str]:
    """The address of a page that webfetch finds too long."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _LongPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture(scope="module", params=["PYBRIDGE_OPENCODE"])
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("long")
    work, here, home = folder / "work", folder / "here", folder / "home"
    for made in (work, here, home):
        made.mkdir()
    # The remote sees neither this machine's work folder nor its OpenCode: what is read of that is read here.
    server = start_openssh(folder / "sshd", hidden=[work, here], home=home)
    binary = opencode_binary(request.param)
    environment = {
        "REMOTE_SSH": server.ssh_command,
        "REMOTE_WORKDIR": str(work),
        "PYBRIDGE_OPENCODE": str(binary),
    }
    opencode = OpenCodeHome(here / "opencode", binary, {"permission": "allow"}, environment=environment)
    skill = opencode.config_folder / "skills" / "greet"
    (skill / "ref").mkdir(parents=True)
    (skill / "SKILL.md").write_text("---\nname: greet\ndescription: how to greet\n---\nSee ref/words.md\n")
    (skill / "ref" / "words.md").write_text("hello\nworld\n")
    look = RemoteTruth("127.0.0.1", server.port, server.user, known_hosts=server.known_hosts, identity_file=server.key)
    with look as truth, OpenCodeServe(opencode, launcher=LAUNCH) as serve:
        yield Desk(serve, opencode, str(work), truth, serve.session())
        assert list(work.iterdir()) == []
        assert truth.names(str(here)) == []
    assert wait_until_none(opencode.home) == []
    server.stop()


def kept_in(text: str) -> str:
    """The path the model is told, once."""
    [path] = KEPT.findall(text)
    assert "lines truncated" not in text
    return path


def test_up_to_the_limits_nothing_is_cut(desk: Desk) -> None:
    use = desk.bash(f"seq {MAX_LINES - 1}")
    assert desk.seen == use.text == "".join(f"{n}\n" for n in range(1, MAX_LINES))
    assert use.metadata["truncated"] is False
    use = desk.bash(f"head -c {MAX_BYTES} /dev/zero | tr '\\0' x")
    assert desk.seen == "x" * MAX_BYTES
    use = desk.bash(f"seq {MAX_LINES - 1}; exit 3")
    assert desk.seen.endswith(f"\n{MAX_LINES - 1}\n\nExit code: 3")
    assert "1\n2\n3\n" in desk.seen
    assert "truncated" not in desk.seen


def test_beyond_them_the_tail_stays_and_all_of_it_can_be_read_and_searched(desk: Desk) -> None:
    use = desk.bash("seq -f 'row %g' 3000; echo -n last")
    path = kept_in(desk.seen)
    assert use.metadata["outputPath"] == path
    assert use.metadata["truncated"] is True
    assert desk.seen.endswith("row 2999\nrow 3000\nlast")
    assert "\nrow 1001\n" not in desk.seen
    assert Path(path).read_text().startswith("row 1\nrow 2\n")
    assert not desk.truth.exists(path)
    desk.tool("read", filePath=path)
    assert desk.seen.startswith(f"<path>{path}</path>\n<type>file</type>\n<content>\n1: row 1\n")
    assert "(Showing lines 1-2000 of 3001. Use offset=2001 to continue.)" in desk.seen
    desk.tool("read", filePath=path, offset=2001, limit=2)
    assert "\n2001: row 2001\n2002: row 2002\n\n(Showing lines 2001-2002 of 3001." in desk.seen
    desk.tool("grep", pattern="row 77$", path=path)
    assert desk.seen == f"Found 1 matches\n{path}:\n  Line 77: row 77\n"


def test_one_long_line(desk: Desk) -> None:
    use = desk.bash("head -c 100000 /dev/zero | tr '\\0' x")
    path = kept_in(desk.seen)
    assert desk.seen.endswith("\n\n" + "x" * MAX_BYTES)
    assert not desk.seen.endswith("x" * (MAX_BYTES + 1))
    assert Path(path).stat().st_size == 100000
    assert use.status == "completed"


def test_a_failing_commands_output_is_under_the_same_limits(desk: Desk) -> None:
    use = desk.bash("seq 5000; exit 1")
    assert use.status == "error"
    assert desk.seen == use.text
    path = kept_in(use.text)
    assert use.text.endswith("\n4999\n5000\n\nExit code: 1")
    assert len(use.text.splitlines()) < MAX_LINES + 10
    assert Path(path).read_text().splitlines() == [str(n) for n in range(1, 5001)]
    desk.tool("grep", pattern="^1234$", path=path)
    assert "Line 1234: 1234" in desk.seen


def test_read_grep_and_glob_at_their_limits(desk: Desk) -> None:
    desk.truth.write(f"{desk.work}/long.txt", "".join(f"{n} {'y' * 1990}\n" for n in range(1, 3001)).encode())
    desk.truth.write(f"{desk.work}/lines.txt", b"z\n" * 2000)
    desk.truth.run(f"cd {desk.work} && mkdir -p many && cd many && for n in $(seq 150); do : > $n.tmp; done")
    use = desk.tool("read", filePath=f"{desk.work}/long.txt")
    assert desk.seen == use.text
    assert "(Output capped at 50 KB. Showing lines 1-25. Use offset=26 to continue.)" in desk.seen
    use = desk.tool("read", filePath=f"{desk.work}/lines.txt")
    assert desk.seen == use.text  # more lines and bytes than OpenCode lets a plugin's tool answer
    assert desk.seen.endswith("\n2000: z\n\n(End of file - total 2000 lines)\n</content>")
    use = desk.tool("grep", pattern="y", path=f"{desk.work}/long.txt")
    assert desk.seen == use.text
    assert desk.seen.startswith("Found 100 matches (more matches available)\n")
    assert len(desk.seen) > 100 * 1990  # as the built-in: four times what OpenCode lets a plugin's tool answer
    use = desk.tool("glob", pattern="many/*.tmp")
    assert desk.seen == use.text
    assert len(re.findall(r"\.tmp$", desk.seen, re.MULTILINE)) == 100
    assert "Results are truncated" in desk.seen


def test_what_opencode_itself_has_cut_can_be_read_and_searched(desk: Desk, long_page: str) -> None:
    desk.tool("webfetch", url=long_page, format="text")
    [path] = KEPT.findall(desk.seen)
    assert path.startswith(str(desk.home.home))
    desk.tool("read", filePath=path, offset=4999)
    assert "\n4999: row 4999\n5000: row 5000\n\n(End of file" in desk.seen
    desk.tool("grep", pattern="row 4321", path=path)
    assert "  Line 4321: row 4321\n" in desk.seen
    auth = Path(path).parents[1] / "tool_secret"
    auth.write_text("secret of this machine\n")
    (Path(path).parent / "tool_link").symlink_to(auth)
    for other in (auth, Path(path).parent / "tool_link"):
        assert desk.tool("read", filePath=str(other)).status == "error"
        assert desk.tool("grep", pattern="secret", path=str(other)).status == "error"
        assert "secret of" not in desk.seen


def test_a_skills_files_can_be_read(desk: Desk) -> None:
    folder = desk.home.config_folder / "skills" / "greet"
    desk.tool("skill", name="greet")
    assert str(folder) in desk.seen
    desk.tool("read", filePath=f"{folder}/ref/words.md")
    assert "1: hello\n2: world\n" in desk.seen
    assert desk.tool("read", filePath=str(desk.home.config_folder / "opencode.json")).status == "error"


def test_a_deleted_session_takes_nothing_with_it(desk: Desk) -> None:
    """What a session was told of stays readable: another one may be told of it by a sub-agent's answer."""
    session = desk.serve.session()
    turns: list[Turn] = [call("bash", command="seq 3000", description="d"), say("ok")]
    [use] = desk.serve.message(session, turns)
    desk.serve.request("DELETE", f"/session/{session}")
    desk.tool("read", filePath=use.metadata["outputPath"], offset=3000)
    assert "\n3000: 3000\n" in desk.seen


@pytest.mark.whole
@pytest.mark.parametrize("desk", ["PYBRIDGE_OPENCODE_115"], indirect=True)
def test_the_oldest_opencode(desk: Desk, long_page: str) -> None:
    desk.bash("seq 3000")
    path = kept_in(desk.seen)
    desk.tool("read", filePath=path, offset=3000)
    assert "\n3000: 3000\n" in desk.seen
    desk.tool("webfetch", url=long_page, format="text")
    [path] = KEPT.findall(desk.seen)
    desk.tool("read", filePath=path, offset=5000)
    assert "\n5000: row 5000\n" in desk.seen
