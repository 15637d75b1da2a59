"""What goes wrong reaches the model as a text a person can act on, and changes nothing anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybridge.demo.model_server import call, say
from tests.e2e.conftest import LAUNCH, MakeHome, Remote
from tests.kit.remote_truth import RemoteTruth
from tests.kit.sshd import free_port


@dataclass(frozen=True)
class Failure:
    """A remote that cannot be used.

    Args:
        name: of the case.
        change: what to change in REMOTE_*, given the remote and an empty folder.
        says: words the error must contain.
    """

    name: str
    change: Callable[[Remote, Path], dict[str, str]]
    says: tuple[str, ...]


def _wrong_password(remote: Remote, folder: Path) -> dict[str, str]:
    ssh = remote.server.ssh_command_with("-o", "PubkeyAuthentication=no")
    return {"REMOTE_SSH": ssh, "REMOTE_PASSWORD": "not-the-password"}


def _unknown_host_key(remote: Remote, folder: Path) -> dict[str, str]:
    empty = folder / "known_hosts"
    empty.touch()
    return {"REMOTE_SSH": remote.server.ssh_command_with(known_hosts=empty)}


def _changed_host_key(remote: Remote, folder: Path) -> dict[str, str]:
    other = folder / "known_hosts"
    user_key = remote.server.key.with_name("user_key.pub").read_text().split()
    other.write_text(f"[127.0.0.1]:{remote.server.port} {user_key[0]} {user_key[1]}\n")
    return {"REMOTE_SSH": remote.server.ssh_command_with(known_hosts=other)}


def _missing_workdir(remote: Remote, folder: Path) -> dict[str, str]:
    return {"REMOTE_WORKDIR": f"{remote.work}/no/such/folder"}


def _file_as_workdir(remote: Remote, folder: Path) -> dict[str, str]:
    return {"REMOTE_WORKDIR": "/etc/passwd"}


def _refused(remote: Remote, folder: Path) -> dict[str, str]:
    return {"REMOTE_SSH": remote.server.ssh_command_with(port=free_port())}


def _unknown_host(remote: Remote, folder: Path) -> dict[str, str]:
    return {"REMOTE_SSH": "-F none nobody@no-such-host.invalid"}


FAILURES = [
    Failure("missing workdir", _missing_workdir, ("/no/such/folder",)),
    Failure("wrong password", _wrong_password, ("password",)),
    Failure("unknown host key", _unknown_host_key, ("host key", "known_hosts")),
    Failure("changed host key", _changed_host_key, ("host key", "known_hosts")),
    Failure("connection refused", _refused, ("refused",)),
    Failure("file as workdir", _file_as_workdir, ("/etc/passwd",)),
    Failure("unknown host", _unknown_host, ("no-such-host.invalid",)),
]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(each, id=each.name.replace(" ", "-"), marks=[pytest.mark.whole] if number > 0 else [])
        for number, each in enumerate(FAILURES)
    ],
)
def test_an_unusable_remote_is_told_to_the_model(
    make_home: MakeHome,
    settings: dict[str, str],
    remote: Remote,
    workdir: str,
    truth: RemoteTruth,
    tmp_path: Path,
    failure: Failure,
) -> None:
    """D26, D30 and the bad input of the core: a typed error with the next step, for every tool."""
    home = make_home(environment=settings | failure.change(remote, tmp_path))
    local = home.project / "here.txt"
    local.write_text("local\n")
    before = remote.server.log().count("Failed password")
    run = home.run(
        [
            call("bash", command=f"touch '{workdir}/made' '{local}.made'; cat '{local}'", description="d"),
            call("read", filePath=str(local)),
            call("write", filePath=f"{workdir}/made", content="x"),
            say("sorry"),
        ],
        launcher=LAUNCH,
    )
    assert [use.status for use in run.tools] == ["error"] * 3, run
    for use, told in zip(run.tools, run.requests[-1].tool_results, strict=True):
        for word in failure.says:
            assert word.lower() in use.text.lower(), use
        assert "Traceback" not in use.text
        assert "not-the-password" not in use.text
        assert use.text in told
    assert run.texts == ["sorry"]
    assert truth.tree(workdir) == {}
    assert sorted(p.name for p in home.project.iterdir()) == ["here.txt"]
    if failure.change is _wrong_password:
        assert remote.server.log().count("Failed password") - before == 1  # accounts lock: never tried again


@pytest.mark.whole
@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("read", {"filePath": "{w}/none.txt"}, "File not found: {w}/none.txt"),
        ("edit", {"filePath": "{w}/f.txt", "oldString": "absent", "newString": "x"}, "Could not find oldString"),
        ("edit", {"filePath": "{w}/folder", "oldString": "a", "newString": "x"}, "directory"),
        ("write", {"filePath": "{w}/folder", "content": "x"}, "directory"),
        ("read", {"filePath": "{w}/binary"}, "Cannot read binary file: {w}/binary"),
        ("read", {}, "invalid arguments"),
        ("grep", {"pattern": "("}, "("),
        ("bash", {"command": "pwd", "workdir": "{w}/none"}, "{w}/none"),
    ],
)
def test_a_call_that_cannot_be_done_changes_nothing(
    make_home: MakeHome,
    settings: dict[str, str],
    workdir: str,
    truth: RemoteTruth,
    tool: str,
    arguments: dict[str, str],
    says: str,
) -> None:
    truth.write(f"{workdir}/f.txt", b"one\n")
    truth.write(f"{workdir}/binary", b"\0\1\2" * 100)
    truth.write(f"{workdir}/folder/in.txt", b"in\n")
    before = truth.tree(workdir)
    given = {name: value.replace("{w}", workdir) for name, value in arguments.items()}
    run = make_home(environment=settings).run([call(tool, **given), say("sorry")], launcher=LAUNCH)
    assert run.only.status == "error", run
    assert says.replace("{w}", workdir) in run.only.text
    assert truth.tree(workdir) == before
