"""A sidecar process on each promised kind of server, behind a link whose round trips are counted."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from pybridge.demo.delay_proxy import DelayProxy
from pybridge.demo.sidecar_client import SidecarClient
from tests.budgets.slow_link import ROUND_TRIP, SlowLink
from tests.kit.pools import through
from tests.kit.sshd import SshServer


@pytest.fixture(scope="module", params=["openssh", "dropbear"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each promised kind of server in turn."""
    return request.param


@pytest.fixture(scope="module")
def server(kind: str, request: pytest.FixtureRequest) -> SshServer:
    """Such a server."""
    return request.getfixturevalue(kind)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The remote folder that is worked in; each test has names of its own there."""
    return tmp_path_factory.mktemp("remote")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of the sidecar process: local files of ours go to a folder of the tests."""
    home = tmp_path_factory.mktemp("local")
    names = ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
    return {**os.environ, **dict.fromkeys(names, str(home))}


OpenLink = Callable[[], contextlib.AbstractAsyncContextManager[SlowLink]]


@pytest.fixture(scope="module")
def open_link(kind: str, server: SshServer, folder: Path, environment: dict[str, str]) -> OpenLink:
    """Starts a sidecar, and has it give its first result."""

    numbers = itertools.count(1)

    @contextlib.asynccontextmanager
    async def start() -> AsyncIterator[SlowLink]:
        shell = Path(environment["HOME"]) / f"a-shell-{next(numbers)}"
        async with DelayProxy(server.port, ROUND_TRIP / 2) as proxy:
            settings = {"REMOTE_SSH": through(server, proxy), "REMOTE_WORKDIR": str(folder)}
            async with SidecarClient(settings, environment, shell=shell) as client:
                link = SlowLink(client, proxy, folder, kind, shell)
                with link.quickly():
                    await link("bash", command="true")
                yield link

    return start


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slow(open_link: OpenLink) -> AsyncIterator[SlowLink]:
    """A sidecar that has given its first result; one for all tests of a module on one server."""
    async with open_link() as link:
        yield link
