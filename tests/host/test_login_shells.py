"""Login shells other than bash, wrappers, and logins that lead to no shell: worked with, or refused in clear words."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from pybridge.errors import ProbeError, RemoteError
from pybridge.host import shells
from pybridge.host.host import Host, HostOptions
from pybridge.host.login_shell import NoShellError
from pybridge.host.model import ABSENT, Change, Command
from tests.kit.login_shells import FORCED, MENU, SHELLS, script, start_forced, start_with_shell
from tests.kit.pools import open_pool
from tests.kit.sshd import SshServer, start_openssh

Starter = Callable[..., SshServer]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a server's files: short, and not the test's own."""
    return tmp_path_factory.mktemp("sshd")


@pytest.fixture
def serving() -> Iterator[Callable[[SshServer], SshServer]]:
    """Sees to it that a server is stopped."""
    servers: list[SshServer] = []

    def keep(server: SshServer) -> SshServer:
        servers.append(server)
        return server

    yield keep
    for server in servers:
        server.stop()


@contextlib.asynccontextmanager
async def connected(server: SshServer, workdir: Path | None = None) -> AsyncIterator[Host]:
    async with open_pool(server.ssh_command) as pool:
        host = await Host.connect(pool, HostOptions(str(workdir) if workdir else None))
        try:
            yield host
        finally:
            await host.close()


async def output(host: Host, text: str) -> str:
    pieces = bytearray()
    await host.run(Command(text, host.place.workdir, on_output=lambda stream, data: pieces.extend(data)))
    return pieces.decode()


async def works(host: Host, folder: Path) -> None:
    """A command runs in the right shell, a file is written, a large one too, and a search finds both."""
    assert await output(host, "echo \"$((6 * 7)) 'quoted'\" `pwd`") == f"42 'quoted' {folder}\n"
    for name, content in (("small", b"needle\n"), ("large", b"needle\n" + bytes(700_000))):
        await host.files.apply([Change(f"{folder}/{name}", ABSENT, content)])
        assert (folder / name).read_bytes() == content
    found = await host.search.glob("*", str(folder))
    assert sorted(found.paths) == [f"{folder}/large", f"{folder}/small"]


@pytest.mark.parametrize("shell", ["fish", *(pytest.param(s, marks=pytest.mark.whole) for s in SHELLS if s != "fish")])
async def test_every_operation_works_whatever_the_login_shell(
    shell: str, folder: Path, tmp_path: Path, serving: Callable[[SshServer], SshServer]
) -> None:
    async with connected(serving(start_with_shell(folder, shell)), tmp_path) as host:
        await works(host, tmp_path)
        expected = shell if shell in ("bash", "zsh") else "bash"
        assert await output(host, 'printf %s "${0##*/}"') == expected
        assert host.login.how == "login"


@pytest.mark.parametrize(
    "wrapper", ["one-word", *(pytest.param(f, marks=pytest.mark.whole) for f in FORCED if f != "one-word")]
)
async def test_a_forced_command_that_runs_what_was_asked_for_is_no_obstacle(
    wrapper: str, folder: Path, tmp_path: Path, serving: Callable[[SshServer], SshServer]
) -> None:
    async with connected(serving(start_forced(folder, FORCED[wrapper])), tmp_path) as host:
        await works(host, tmp_path)


REFUSING = {
    "menu": (MENU, "Appliance 4000\n  1) status\n  Your choice: No such choice."),
    "false": ("exit 1", "ended with exit code 1, and said nothing"),
    "escapes": (
        "printf '\\033[31mred\\007 alert\\r\\n'; exit 7",
        "ended with exit code 7. What answered said:\n  [31mred alert",
    ),
    "without end": ("yes noise", "writes without end"),
}


@pytest.mark.parametrize("what", ["menu", *(pytest.param(w, marks=pytest.mark.whole) for w in REFUSING if w != "menu")])
async def test_a_login_that_leads_to_no_shell_is_refused_with_what_it_said(
    what: str, folder: Path, serving: Callable[[SshServer], SshServer]
) -> None:
    text, told = REFUSING[what]
    with pytest.raises(NoShellError) as caught:
        async with connected(serving(start_with_shell(folder, str(script(folder, text))))):
            pass
    assert told in caught.value.message
    assert caught.value.next_step


@pytest.mark.whole
async def test_a_menu_is_asked_only_once(folder: Path, serving: Callable[[SshServer], SshServer]) -> None:
    counter = folder / "counter"
    server = serving(start_with_shell(folder, str(script(folder, f"echo asked >> {counter}\n{MENU}"))))
    with pytest.raises(NoShellError):
        async with connected(server):
            pass
    assert counter.read_text() == "asked\n"


@pytest.mark.parametrize("shell", ["/usr/sbin/nologin", "/bin/false"])
@pytest.mark.whole
async def test_an_account_without_a_shell_is_refused(
    shell: str, folder: Path, serving: Callable[[SshServer], SshServer]
) -> None:
    with pytest.raises(NoShellError, match="not available" if "nologin" in shell else "said nothing"):
        async with connected(serving(start_with_shell(folder, shell))):
            pass


@pytest.mark.whole
async def test_an_account_for_file_transfers_only_is_refused(
    folder: Path, serving: Callable[[SshServer], SshServer]
) -> None:
    with pytest.raises(NoShellError, match="sftp connections only"):
        async with connected(serving(start_openssh(folder, ["ForceCommand internal-sftp"]))):
            pass


@pytest.mark.whole
async def test_a_menu_that_waits_for_ever_is_given_up(
    folder: Path, serving: Callable[[SshServer], SshServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shells, "PROBE_TIMEOUT", 2.0)
    server = serving(start_with_shell(folder, str(script(folder, "echo 'Press any key'; exec sleep 4719"))))
    with pytest.raises(NoShellError, match="no shell answered. What answered said:\n  Press any key"):
        async with connected(server):
            pass


STARTUP = {
    "reads": "read -r answer",
    "prints": "echo noise; echo noise >&2; head -c 3000000 /dev/zero",
    "options": "set -e; set -u; set -o noclobber",
    "exported options": "set -o noclobber; export SHELLOPTS",
    "aliases": 'alias exec="echo hijacked"; shopt -s expand_aliases; alias printf=false cd=false',
    "functions": "printf() { echo hijacked; }; pb_guard() { echo hijacked; }; export -f printf pb_guard",
    "trap": "trap 'echo bye' EXIT",
    "no PATH": "unset PATH",
}
STARTUP["together"] = "\n".join(text for name, text in STARTUP.items() if name not in ("aliases", "no PATH"))


@pytest.mark.parametrize(
    "what", ["together", *(pytest.param(w, marks=pytest.mark.whole) for w in STARTUP if w != "together")]
)
async def test_start_up_files_cannot_get_between_us_and_sh(
    what: str, folder: Path, tmp_path: Path, serving: Callable[[SshServer], SshServer]
) -> None:
    home = folder / "home"
    home.mkdir()
    # bash reads this one for every command it is given by sshd.
    (home / ".bashrc").write_text(STARTUP[what] + "\n")
    async with connected(serving(start_with_shell(folder, "bash", home)), tmp_path) as host:
        await works(host, tmp_path)


@pytest.mark.whole
@pytest.mark.parametrize("startup, told", [("exit 3", "exit code 3"), ("exec zsh", "otherwise than sh does")])
async def test_a_start_up_file_that_takes_the_shell_away_is_named(
    startup: str, told: str, folder: Path, serving: Callable[[SshServer], SshServer]
) -> None:
    home = folder / "home"
    home.mkdir()
    (home / ".bashrc").write_text(startup + "\n")
    with pytest.raises(ProbeError, match=told) as caught:
        async with connected(serving(start_with_shell(folder, "bash", home))):
            pass
    assert "start-up file" in str(caught.value)
    assert isinstance(caught.value, RemoteError)
