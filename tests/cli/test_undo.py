"""`pybridge history` and `pybridge undo`, in processes of their own, on what a session on a real server changed."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pybridge.errors import FileChangedError
from pybridge.host.host import Host, HostOptions
from pybridge.settings import Settings
from pybridge.tools.registry import call
from pybridge.tools.session import Session, open_session
from pybridge.transport.carriers import find_route
from tests.cli.conftest import TARGET, Command
from tests.kit.pools import open_pool
from tests.kit.sshd import SshServer
from tests.kit.terminal import Terminal
from tests.tools.kit import Call

NOT_BASH = "Changes that commands (bash) made are not in the journal"


@dataclass
class Desk:
    """A session at work, `folder` its workdir, and the command that has the same home folder."""

    session: Session
    folder: Path
    pybridge: Command
    environment: dict[str, str]

    async def tool(self, tool: str, session_id: str = "ses_1", **args: object) -> None:
        await call(tool, args, Call(session_id=session_id), self.session)

    def ids(self) -> list[str]:
        """The changes' ids, oldest first."""
        assert self.session.journal is not None
        return [entry.id for entry in self.session.journal.records.entries()]

    def history(self, *options: str) -> dict:
        ran = self.pybridge("history", "--json", *options)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)


@pytest.fixture
async def desk(
    openssh: SshServer, pybridge: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    folder = tmp_path / "remote"
    (folder / ".git").mkdir(parents=True)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, pybridge.variables()[name])
    settings = Settings(ssh=openssh.ssh_command, workdir=str(folder))
    target = find_route(settings).target
    async with open_pool(openssh.ssh_command) as pool:
        host = await Host.connect(pool, HostOptions(workdir=str(folder), login=False))
        session = await open_session(settings, host, target_slug=target.slug, host_name=str(target))
        yield Desk(session, folder, pybridge, {"REMOTE_SSH": openssh.ssh_command})
        await host.close()
        session.store.close()


async def test_the_last_change_is_shown_and_undone_without_any_variable(desk: Desk) -> None:
    (desk.folder / "a.txt").write_text("one\ntwo\n")
    await desk.tool("edit", filePath="a.txt", oldString="one", newString="eins")
    await desk.tool("write", filePath="new.txt", content="new\n")
    ran = desk.pybridge("undo", "--yes")
    assert ran.returncode == 0, ran.stderr
    assert "restored" in ran.stdout
    assert NOT_BASH in ran.stderr
    assert not (desk.folder / "new.txt").exists()
    assert (desk.folder / "a.txt").read_text() == "eins\ntwo\n"
    assert [change["state"] for change in desk.history()["changes"]] == ["made", "undone"]
    ran = desk.pybridge("undo", "--yes")
    assert (desk.folder / "a.txt").read_text() == "one\ntwo\n", ran.stderr


async def test_without_a_terminal_it_refuses_and_says_what_to_type(desk: Desk) -> None:
    await desk.tool("write", filePath="new.txt", content="new\n")
    ran = desk.pybridge("undo")
    assert ran.returncode == 1
    assert "+new" in ran.stdout
    (id,) = desk.ids()
    assert f"Type: pybridge undo {id[:4]}" in ran.stderr
    assert (desk.folder / "new.txt").exists()
    ran = desk.pybridge("undo", id[:4])
    assert ran.returncode == 0, ran.stderr
    assert not (desk.folder / "new.txt").exists()


@pytest.mark.whole
async def test_at_a_terminal_it_asks(desk: Desk) -> None:
    await desk.tool("write", filePath="new.txt", content="new\n")
    for answer, left in (("n", True), ("y", False)):
        command = [desk.pybridge.python, "-m", "pybridge", "undo"]
        with Terminal(command, desk.pybridge.variables(), desk.folder) as terminal:
            terminal.wait_for("Undo this change? [y/N]")
            terminal.type(f"{answer}\r")
            terminal.process.wait(60)
        assert (desk.folder / "new.txt").exists() is left


async def test_law3_what_has_changed_since_is_refused_with_both_diffs(desk: Desk) -> None:
    file = desk.folder / "a.txt"
    file.write_text("one\ntwo\nthree\n")
    await desk.tool("edit", filePath="a.txt", oldString="one", newString="eins")
    file.write_text("eins\ntwo\ndrei\n")
    (id,) = desk.ids()
    ran = desk.pybridge("undo", id)
    assert ran.returncode == 1
    ours, since = ran.stdout.split("What happened to the file since")
    assert "refused" in ours
    assert "-one\n+eins\n" in ours
    assert "-three\n+drei\n" in since
    assert file.read_text() == "eins\ntwo\ndrei\n"
    shown = desk.pybridge("history", "--no-diff").stdout
    assert "could not be restored" in shown
    assert f"Changed since: {file}" in shown


@pytest.mark.whole
async def test_a_whole_session_is_undone_and_redone_and_the_others_stay(desk: Desk) -> None:
    await desk.tool("write", "ses_one", filePath="a.txt", content="1\n")
    await desk.tool("write", "ses_two", filePath="sub/b.txt", content="2\n")
    await desk.tool("edit", "ses_one", filePath="a.txt", oldString="1", newString="2")
    ran = desk.pybridge("undo", "--session", "ses_one", "--yes")
    assert ran.returncode == 0, ran.stderr
    assert not (desk.folder / "a.txt").exists()
    assert (desk.folder / "sub/b.txt").exists()
    ran = desk.pybridge("undo", "--redo", "--session", "ses_one", "--yes")
    assert ran.returncode == 0, ran.stderr
    assert (desk.folder / "a.txt").read_text() == "2\n"
    ran = desk.pybridge("undo", "--since", "1h", "--yes")
    assert ran.returncode == 0, ran.stderr
    assert [path.name for path in desk.folder.rglob("*") if path.is_file()] == []


@pytest.mark.whole
async def test_a_password_for_one_host_is_not_shown_to_another(desk: Desk) -> None:
    await desk.tool("write", filePath="new.txt", content="new\n")
    env = {**TARGET, "REMOTE_PASSWORD_COMMAND": f"touch {desk.folder}/asked; echo secret"}
    ran = desk.pybridge("undo", *desk.ids(), env=env)
    assert ran.returncode == 0, ran.stderr
    assert not (desk.folder / "new.txt").exists()
    assert not (desk.folder / "asked").exists()


@pytest.mark.whole
async def test_where_remote_ssh_leads_elsewhere_by_now_nothing_is_put_back(
    desk: Desk, openssh: SshServer, tmp_path: Path
) -> None:
    """An alias of the ssh configuration may come to mean another host."""
    journal = desk.session.journal
    assert journal is not None
    journal.target = replace(journal.target, ssh=openssh.ssh_command_with(port=1))
    await desk.tool("write", filePath="new.txt", content="new\n")
    ran = desk.pybridge("undo", "--yes")
    assert ran.returncode == 1
    assert "leads to" in ran.stderr
    assert (desk.folder / "new.txt").exists()
    ran = desk.pybridge("undo", "--yes", env=desk.environment)
    assert ran.returncode == 0, ran.stderr
    assert not (desk.folder / "new.txt").exists()


async def test_law3_a_session_at_work_notices_what_another_process_put_back(desk: Desk) -> None:
    (desk.folder / "a.txt").write_text("one\n")
    await desk.tool("read", filePath="a.txt")
    await desk.tool("edit", filePath="a.txt", oldString="one", newString="eins")
    assert desk.pybridge("undo", "--yes").returncode == 0
    with pytest.raises(FileChangedError, match="changed since it was read"):
        await desk.tool("write", filePath="a.txt", content="zwei\n")
    assert (desk.folder / "a.txt").read_text() == "one\n"
    await desk.tool("read", filePath="a.txt")
    await desk.tool("edit", filePath="a.txt", oldString="one", newString="zwei")
    assert (desk.folder / "a.txt").read_text() == "zwei\n"


@pytest.mark.skipif(os.name == "nt", reason="folders as on Linux")
async def test_clean_keeps_the_journal_unless_told(desk: Desk) -> None:
    await desk.tool("write", filePath="new.txt", content="new\n")
    ran = desk.pybridge("clean", "--yes")
    assert "of undo journal (--journal removes it too)" in ran.stderr
    assert len(desk.ids()) == 1
    ran = desk.pybridge("clean", "--yes", "--journal")
    assert "undo journal: " in ran.stdout
    assert desk.ids() == []


def test_without_a_journal_there_is_nothing(pybridge: Command) -> None:
    ran = pybridge("history")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "No changes are recorded." in ran.stderr
    ran = pybridge("undo", "--yes")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "nothing to undo" in ran.stderr
