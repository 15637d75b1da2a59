"""Several OpenCode processes of one user at once: on two remotes, and twice on one. Nothing of one shows in another."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from pybridge.demo.model_server import ModelServer, ToolCall, Turn, call, calls, say
from tests.e2e.conftest import LAUNCH, Remote
from tests.kit.opencode import OpenCodeHome, ToolUse, opencode_binary
from tests.kit.opencode_serve import OpenCodeServe
from tests.kit.processes import wait_until_none, with_home
from tests.kit.remote_truth import RemoteTruth
from tests.kit.sshd import SshServer, start_openssh


@pytest.fixture(scope="module")
def folder(remote: Remote, truth: RemoteTruth) -> Iterator[str]:
    """A path that is a folder on each of the two remotes."""
    folder = f"{remote.work}/side-by-side"
    truth.make_folder(folder)
    yield folder
    truth.remove(folder)


@pytest.fixture(scope="module")
def other_remote(remote: Remote, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A second sshd, for which the folder of the first is another file system."""
    where = tmp_path_factory.mktemp("other-remote")
    (where / "home").mkdir()
    server = start_openssh(where / "sshd", hidden=[remote.work], home=where / "home")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def other_truth(other_remote: SshServer, folder: str) -> Iterator[RemoteTruth]:
    server = other_remote
    with RemoteTruth(
        "127.0.0.1", server.port, server.user, known_hosts=server.known_hosts, identity_file=server.key
    ) as truth:
        truth.make_folder(folder)
        yield truth


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer() as model:
        yield model


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenCodeHome]:
    """The one home folder, and so the one database, of them all."""
    home = OpenCodeHome(tmp_path_factory.mktemp("side-by-side") / "opencode", opencode_binary())
    yield home
    assert wait_until_none(home.home) == []


def serve(home: OpenCodeHome, model: ModelServer, server: SshServer, folder: str) -> OpenCodeServe:
    remote = {"REMOTE_SSH": server.ssh_command, "REMOTE_WORKDIR": folder}
    return OpenCodeServe(home, launcher=LAUNCH, environment=remote, model=model)


@pytest.fixture(scope="module")
def first(home: OpenCodeHome, model: ModelServer, remote: Remote, folder: str) -> Iterator[OpenCodeServe]:
    with serve(home, model, remote.server, folder) as server:
        yield server


@pytest.fixture(scope="module")
def second(home: OpenCodeHome, model: ModelServer, remote: Remote, folder: str) -> Iterator[OpenCodeServe]:
    """On the same remote and folder as the first."""
    with serve(home, model, remote.server, folder) as server:
        yield server


@pytest.fixture(scope="module")
def elsewhere(
    home: OpenCodeHome, model: ModelServer, other_remote: SshServer, other_truth: RemoteTruth, folder: str
) -> Iterator[OpenCodeServe]:
    """On the same path of the other remote."""
    with serve(home, model, other_remote, folder) as server:
        yield server


def at_once(turns: dict[str, tuple[OpenCodeServe, str, list[Turn]]]) -> dict[str, list[ToolUse]]:
    """Send a message to each of some sessions at the same time; the tool calls of each, by name."""
    for name, (server, _, script) in turns.items():
        server.model.play_for(f"the script of {name}", [*script, say("done")])
    with ThreadPoolExecutor(len(turns)) as pool:
        running = {
            name: pool.submit(server.message, session, None, text=f"Play the script of {name}")
            for name, (server, session, _) in turns.items()
        }
        return {name: future.result() for name, future in running.items()}


def meet(mark: str, others: list[str]) -> Turn:
    """A command that only ends when the others are there."""
    waits = "; ".join(f"until [ -e {other} ]; do sleep 0.05; done" for other in others)
    return call("bash", command=f"touch {mark}; {waits}; echo met", description="d", timeout=90_000)


def test_10_two_processes_on_two_remotes_act_each_on_its_own(
    first: OpenCodeServe,
    elsewhere: OpenCodeServe,
    home: OpenCodeHome,
    remote: Remote,
    other_remote: SshServer,
    truth: RemoteTruth,
    other_truth: RemoteTruth,
    folder: str,
) -> None:
    """The same path on both, with a content of its own: whatever was mixed up would show."""
    truth.write(f"{folder}/who.txt", b"the first remote\nis unchanged\n")
    other_truth.write(f"{folder}/who.txt", b"the other remote\nis unchanged\n")
    script = [
        call("bash", command="echo $SSH_CONNECTION | cut -d' ' -f4; head -1 who.txt", description="where"),
        call("read", filePath=f"{folder}/who.txt"),
        call("grep", pattern="remote$"),
        call("edit", filePath=f"{folder}/who.txt", oldString="unchanged", newString="edited"),
        call("write", filePath=f"{folder}/same.txt", content="the same on both\n"),
        call("read", filePath=f"{folder}/who.txt"),
    ]
    sessions = {"first": first.session(), "other": elsewhere.session()}
    used = at_once({"first": (first, sessions["first"], script), "other": (elsewhere, sessions["other"], script)})
    ports = {"first": remote.server.port, "other": other_remote.port}
    for name, (bash, read, grep, edit, write, again) in used.items():
        assert bash.text == f"{ports[name]}\nthe {name} remote\n"
        assert f"1: the {name} remote" in read.text
        assert f"Line 1: the {name} remote" in grep.text
        assert (edit.text, write.text) == ("Edit applied successfully.", "Wrote file successfully.")
        assert f"1: the {name} remote\n2: is edited" in again.text
    for name, there in (("first", truth), ("other", other_truth)):
        assert there.tree(folder) == {
            "who.txt": f"the {name} remote\nis edited\n".encode(),
            "same.txt": b"the same on both\n",
        }
    # Each has a folder here that stands for its remote, a mirror, a sidecar, and its own sessions in the one database.
    anchors = [Path(server.request("GET", "/path")["directory"]) for server in (first, elsewhere)]
    assert len(set(anchors)) == 2
    assert len(mirrors(home)) == 2
    assert len([running for running in with_home(home.home) if "pybridge.sidecar" in running.command]) == 2
    for server, name, anchor in ((first, "first", anchors[0]), (elsewhere, "other", anchors[1])):
        listed = {s["id"] for s in server.request("GET", f"/session?directory={quote(str(anchor))}")}
        assert listed & set(sessions.values()) == {sessions[name]}


def test_10_a_session_of_one_remote_is_not_continued_on_the_other(
    first: OpenCodeServe, elsewhere: OpenCodeServe, truth: RemoteTruth, other_truth: RemoteTruth, folder: str
) -> None:
    """The database is one, so any process can open any session; the folder it was made in tells where it belongs."""
    session = first.session()
    script = [call("bash", command="touch continued", description="d"), say("done")]
    (used,) = elsewhere.message(session, script)
    assert used.status == "error"
    assert first.request("GET", "/path")["directory"] in used.text
    assert elsewhere.request("GET", "/path")["directory"] in used.text
    assert "continued" not in truth.names(folder) + other_truth.names(folder)
    (used,) = first.message(session, script)
    assert used.status == "completed", used
    assert "continued" in truth.names(folder)
    assert "continued" not in other_truth.names(folder)


def mirrors(home: OpenCodeHome) -> list[Path]:
    """The mirrors of a home folder: one for each remote folder."""
    return [folder for folder in (home.home / ".opencode" / "mirrors").glob("*/*") if folder.is_dir()]


@pytest.mark.whole
def test_10_two_processes_in_one_remote_folder_work_at_once_and_lose_nothing(
    first: OpenCodeServe, second: OpenCodeServe, truth: RemoteTruth, folder: str
) -> None:
    """Laws 2 and 3 between processes: what was said to be applied is in the file, and what was refused is not."""
    numbers = range(5)
    names = ["one", "two"]
    lines = [f"{name} {n}" for name in names for n in numbers]
    truth.write(f"{folder}/shared.txt", "".join(f"{line} old\n" for line in lines).encode())

    def script(name: str, other: str) -> list[Turn]:
        edits = [
            ToolCall(
                "edit",
                {"filePath": f"{folder}/shared.txt", "oldString": f"{name} {n} old", "newString": f"{name} {n} new"},
            )
            for n in numbers
        ]
        return [meet(f"mark-{name}", [f"mark-{other}"]), calls(*edits)]

    used = at_once(
        {
            "one": (first, first.session(), script("one", "two")),
            "two": (second, second.session(), script("two", "one")),
        }
    )
    expected = []
    for name in names:
        met, *edits = used[name]
        assert met.text == "met\n"  # both were running at that moment
        assert len(edits) == len(numbers)
        for n, edit in zip(numbers, edits, strict=True):
            applied = edit.text == "Edit applied successfully."
            assert applied or "changed" in edit.text, edit
            expected.append(f"{name} {n} {'new' if applied else 'old'}\n")
    assert truth.read(f"{folder}/shared.txt").decode() == "".join(expected)
    assert sum("new" in line for line in expected) >= len(numbers)


@pytest.mark.whole
def test_10_what_the_other_process_changed_is_not_overwritten(
    first: OpenCodeServe, second: OpenCodeServe, truth: RemoteTruth, folder: str
) -> None:
    path = f"{folder}/noted.txt"
    truth.write(path, b"old\n")
    reader, writer = first.session(), second.session()
    first.model.play([call("read", filePath=path), say("done")])
    (read,) = first.message(reader, None)
    assert "1: old" in read.text
    (written,) = second.message(writer, [call("write", filePath=path, content="by the other\n"), say("done")])
    assert written.text == "Wrote file successfully."
    (refused,) = first.message(reader, [call("write", filePath=path, content="blind\n"), say("done")])
    assert refused.status == "error"
    assert "changed since it was read" in refused.text
    assert truth.read(path) == b"by the other\n"
    read, accepted = first.message(
        reader, [call("read", filePath=path), call("write", filePath=path, content="knowing\n"), say("done")]
    )
    assert "1: by the other" in read.text
    assert accepted.text == "Wrote file successfully."
    assert truth.read(path) == b"knowing\n"
