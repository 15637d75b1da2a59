"""The host of one's own that `.env.test` names (row D30), left as it was: what is made there is removed at the end.

Without the file these tests are skipped; with a file that lacks REMOTE_SSH, or a host that cannot be used, they fail
at once and say why. There is one login for all of them: a wrong password is tried once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from pybridge.cli.env_file import read_env_file
from pybridge.errors import ConfigurationError, RemoteError
from pybridge.host.framing import quote
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import Command
from pybridge.settings import SECRET_NAMES, Settings
from pybridge.tools.context import ToolResult
from pybridge.tools.registry import call
from pybridge.tools.session import Session, open_session
from pybridge.transport.carriers import RemoteCarrier, find_route, make_carrier
from pybridge.transport.credentials import Credentials
from tests.tools.kit import Call

FILE = Path(os.environ.get("PYBRIDGE_ENV_TEST", Path(__file__).parents[2] / ".env.test"))


@dataclass
class Reached:
    """The host, connected to.

    Args:
        root: a host that works in `/`, for what is around the tests.
        workdir: absolute path of REMOTE_WORKDIR.
    """

    settings: Settings
    carrier: RemoteCarrier
    slug: str
    root: Host
    workdir: str


@dataclass
class OwnHost:
    """A session in a fresh folder on that host."""

    session: Session
    host: Host
    folder: str
    settings: Settings

    async def __call__(self, tool: str, context: Call | None = None, /, **args: Any) -> ToolResult:
        return await call(tool, args, context or Call(), self.session)


@pytest.fixture(scope="session")
def own_settings() -> Settings:
    """The settings of `.env.test`."""
    if not FILE.is_file():
        pytest.skip("there is no .env.test; copy .env.test.example to run these against a host of your own")
    try:
        values = read_env_file(FILE)
    except ConfigurationError as error:
        pytest.fail(str(error), pytrace=False)
    if not values.get("REMOTE_SSH"):
        pytest.fail(f"{FILE.name} does not set REMOTE_SSH: see .env.test.example", pytrace=False)
    return settings_of(values)


def settings_of(values: Mapping[str, str]) -> Settings:
    """Settings of a file's values, secrets apart."""
    secret = {name: value for name, value in values.items() if name in SECRET_NAMES and value}
    try:
        return Settings.from_environment({k: v for k, v in values.items() if k not in SECRET_NAMES}, secret)
    except ConfigurationError as error:
        pytest.fail(f"{FILE.name}: {error}", pytrace=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def reached(own_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Reached]:
    """The host, with the folder to work in; folders that had to be made for it are removed at the end."""
    async with contextlib.AsyncExitStack() as closing:
        try:
            route = await asyncio.to_thread(find_route, own_settings)
            carrier = make_carrier(route, Credentials.of(own_settings), own_settings)
            closing.push_async_callback(carrier.close)
            await carrier.connect()
            root = await Host.connect(carrier, HostOptions(workdir="/", login=False))
        except RemoteError as error:
            pytest.fail(f"The host of {FILE.name} cannot be used: {error}", pytrace=False)
        closing.push_async_callback(root.close)
        # Only now: what ssh needs of the real home folder has been read.
        patch = closing.enter_context(pytest.MonkeyPatch.context())
        for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
            patch.setenv(name, str(tmp_path_factory.getbasetemp()))
        workdir = root.expand(own_settings.workdir)
        made = await _make_missing(root, workdir)
        closing.push_async_callback(_remove_empty, root, made)
        yield Reached(own_settings, carrier, route.target.slug, root, workdir)


@pytest_asyncio.fixture(loop_scope="session")
async def own(reached: Reached) -> AsyncIterator[OwnHost]:
    """A session in a folder of its own below REMOTE_WORKDIR, removed at the end."""
    settings = reached.settings
    folder = f"{reached.workdir}/pybridge-test-{secrets.token_hex(8)}"
    await _run(reached.root, f"mkdir {quote(folder)}")
    async with contextlib.AsyncExitStack() as closing:
        closing.push_async_callback(_run, reached.root, f"rm -rf {quote(folder)}")
        host = await Host.connect(
            reached.carrier, HostOptions(workdir=folder, shell=settings.shell, login=settings.login)
        )
        closing.push_async_callback(host.close)
        session = await open_session(settings, host, target_slug=reached.slug)
        closing.callback(session.store.close)
        closing.push_async_callback(session.remove_folders)
        yield OwnHost(session, host, host.place.workdir, settings)


async def _make_missing(host: Host, folder: str) -> list[str]:
    """Make a folder with those above it that are missing; returns these, the deepest first."""
    missing = []
    while folder != "/" and not (await host.run_control(f"[ ! -d {quote(folder)} ] || echo there")):
        missing.append(folder)
        folder = posixpath.dirname(folder)
    for path in reversed(missing):
        await _run(host, f"mkdir {quote(path)}")
    return missing


async def _remove_empty(host: Host, folders: list[str]) -> None:
    for folder in folders:
        await _run(host, f"rmdir {quote(folder)}")


async def _run(host: Host, text: str) -> None:
    said = bytearray()
    done = await host.run(Command(text, "/", 60, on_output=lambda _, data: said.extend(data)))
    if done.code != 0:
        words = said.decode("utf-8", "replace").strip()
        pytest.fail(f"`{text}` failed on the host of {FILE.name}: {words}", pytrace=False)
