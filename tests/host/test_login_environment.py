"""The login environment: captured from a real login, and done without when it cannot be had."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.host.host import Host, HostOptions
from pybridge.host.login_environment import only_variables
from pybridge.host.model import Command
from pybridge.transport.ssh_command import parse_ssh_command
from pybridge.transport.ssh_pool import PoolState, SshPool
from pybridge.transport.ssh_target import resolve_target
from tests.kit.login_shells import start_with_shell
from tests.kit.pools import open_pool, through, until
from tests.kit.sshd import start_openssh

Files = dict[str, str]


@pytest.fixture
async def login(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable]:
    """Connect to a host whose home folder holds the given files."""
    home = tmp_path / "home"
    home.mkdir()
    server = start_openssh(tmp_path_factory.mktemp("sshd"), home=home)
    opened: list[SshPool | Host] = []

    async def connect(files: Files, **options: object) -> Host:
        for name, text in files.items():
            (home / name).write_text(text)
        pool = SshPool(resolve_target(parse_ssh_command(server.ssh_command)))
        host = await Host.connect(pool, HostOptions(str(home), **options))  # type: ignore[arg-type]
        opened.extend((host, pool))
        return host

    yield connect
    for thing in opened:
        await thing.close()
    server.stop()


async def output(host: Host, text: str) -> str:
    pieces = bytearray()
    await host.run(Command(text, host.home, on_output=lambda stream, data: pieces.extend(data)))
    return pieces.decode()


async def test_variables_of_profile_and_interactive_rc_reach_commands_and_their_prints_do_not(login: Callable) -> None:
    profile = 'echo noise; echo noise >&2; export FROM_PROFILE="a\'b $x\nc"; PATH=$HOME/bin:$PATH; . ~/.bashrc\n'
    rc = "echo rc noise\ncase $- in *i*) ;; *) return ;; esac\nexport FROM_RC=yes\numask 027\n"
    host = await login({".bash_profile": profile, ".bashrc": rc})
    assert await output(host, 'printf "%s|%s|%s" "$FROM_PROFILE" "$FROM_RC" "${PATH%%:*}"') == (
        f"a'b \nc|yes|{host.home}/bin"
    )
    assert host.facts.umask == 0o027


async def test_REMOTE_LOGIN_0_skips_it(login: Callable) -> None:
    host = await login({".bash_profile": "export FROM_PROFILE=1\n"}, login=False)
    assert await output(host, 'echo "[$FROM_PROFILE]"') == "[]\n"


@pytest.mark.whole
@pytest.mark.timeout(60)
async def test_a_login_that_hangs_or_execs_away_is_done_without(login: Callable) -> None:
    arguments = [f"4716{secrets.randbelow(10**8):08d}{n}" for n in range(2)]
    host = await login({".bash_profile": f"sleep {arguments[0]} & sleep {arguments[1]}\n"})
    assert await output(host, "echo works") == "works\n"
    assert host.login.how == "none"
    running = "ps -eo args= | grep -E '^sleep 4716'; :"
    async with asyncio.timeout(40):
        while set(arguments) & set((await output(host, running)).split()):
            await asyncio.sleep(0.1)


async def test_what_a_login_leaves_running_on_purpose_stays(login: Callable) -> None:
    argument = f"4717{secrets.randbelow(10**8):08d}"
    host = await login({".bash_profile": f"sleep {argument} >/dev/null 2>&1 &\nexport AGENT=$!\n"})
    assert await output(host, "kill -0 $AGENT && ps -o args= -p $AGENT; kill $AGENT") == f"sleep {argument}\n"


async def test_a_login_that_ends_early_is_done_without(login: Callable) -> None:
    host = await login({".bash_profile": "exit 3\n"})
    assert await output(host, "echo works") == "works\n"


@pytest.mark.unit
@pytest.mark.parametrize(
    "exports",
    [
        "export A='1'\nexport PWD='/x'\nexport B='two\nexport C='\\''no'\\'''\nexport _='/bin/sh'\n",
        'declare -x A="1"\ndeclare -x PWD="/x"\ndeclare -x B="two"\ndeclare -x NOVALUE\n',
    ],
)
def test_variables_of_one_process_are_left_out(exports: str) -> None:
    kept = only_variables(exports)
    assert "A=" in kept and "B=" in kept
    assert "PWD" not in kept and "export _=" not in kept and "NOVALUE" not in kept


async def test_a_link_that_dies_meanwhile_is_not_made_again_until_somebody_waits(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    wait = ": > ~/began; while [ ! -e ~/go ] && [ -e ~/began ]; do sleep 0.1; done; export FROM_PROFILE=yes\n"
    (home / ".bash_profile").write_text(wait)
    server = start_openssh(tmp_path, home=home)
    states: list[PoolState] = []
    try:
        async with (
            DelayProxy(server.port, 0) as proxy,
            open_pool(through(server, proxy), on_state=lambda state, error: states.append(state)) as pool,
        ):
            host = await Host.connect(pool, HostOptions(str(home)))
            assert await until((home / "began").exists)
            proxy.cut()
            assert await until(lambda: host._login_captured.done())
            assert (states, proxy.connections) == ([PoolState.READY, PoolState.LOST], 1)
            (home / "go").touch()
            assert await output(host, 'printf %s "$FROM_PROFILE"') == "yes"
            assert states[2:] == [PoolState.RECONNECTING, PoolState.READY]
            await host.close()
    finally:
        (home / "go").touch()
        server.stop()


CSH = {".cshrc": "echo noise\nsetenv PATH $HOME/bin:$PATH\nif (! $?prompt) exit\nsetenv FROM_RC yes\n"}
CSH[".login"] = "setenv FROM_PROFILE yes\n"
FISH = {".config/fish/config.fish": "echo noise\nset -gx PATH $HOME/bin $PATH\nset -gx FROM_PROFILE yes\n"}
FISH[".config/fish/config.fish"] += "if status is-interactive\n set -gx FROM_RC yes\nend\n"
KSH = {".profile": "PATH=$HOME/bin:$PATH; ENV=$HOME/.rc; FROM_PROFILE=yes; export ENV FROM_PROFILE\n"}
KSH[".rc"] = "case $- in *i*) export FROM_RC=yes ;; esac\n"
ZSH = {".zprofile": "export FROM_PROFILE=yes\n", ".zshrc": "PATH=$HOME/bin:$PATH; export FROM_RC=yes\n"}


@pytest.mark.parametrize(
    "shell, files",
    [
        ("fish", FISH),
        ("tcsh", CSH),
        *(
            pytest.param(*row, marks=pytest.mark.whole)
            for row in [("bsd-csh", CSH), ("ksh93", KSH), ("mksh", KSH), ("zsh", ZSH)]
        ),
    ],
)
async def test_the_login_files_of_other_shells_count(
    shell: str, files: Files, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    server = start_with_shell(tmp_path_factory.mktemp("sshd"), shell, tmp_path)
    try:
        async with open_pool(server.ssh_command) as pool:
            host = await Host.connect(pool, HostOptions(str(tmp_path)))
            said = await output(host, 'printf "%s|%s|%s" "$FROM_PROFILE" "$FROM_RC" "${PATH%%:*}"')
            await host.close()
    finally:
        server.stop()
    assert said == f"yes|yes|{tmp_path}/bin"


@pytest.mark.whole
@pytest.mark.parametrize(
    "profile",
    [
        "head -c 5000000 /dev/zero | tr '\\000' x",
        "read -r x; cat",
        "set -eu -o noclobber; shopt -s expand_aliases; alias exec=false printf=false; export SHELLOPTS",
        "trap 'echo bye' EXIT; printf() { echo hijacked; }; export -f printf",
        "unset PATH",
    ],
)
async def test_whatever_else_login_files_do_their_variables_arrive(login: Callable, profile: str) -> None:
    host = await login({".bash_profile": f"export FROM_PROFILE=yes\n{profile}\n"})
    assert await output(host, "echo $FROM_PROFILE") == "yes\n"
