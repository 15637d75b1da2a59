"""The host of one's own that `.env.test` names (row D30); its folder is created if missing and removed at the end.

Without the file these tests are skipped; with a file that lacks REMOTE_SSH, or a host that cannot be used, they fail
at once and say why.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pybridge.cli.env_file import read_env_file
from pybridge.errors import ConfigurationError
from pybridge.host.host import Host, HostOptions
from pybridge.host.model import Command
from pybridge.settings import SECRET_NAMES, Settings
from pybridge.tools.context import ToolResult
from pybridge.tools.registry import call
from pybridge.tools.session import Session, open_session
from tests.kit.pools import open_pool
from tests.tools.kit import Call

FILE = Path(os.environ.get("PYBRIDGE_ENV_TEST", Path(__file__).parents[2] / ".env.test"))


@dataclass
class OwnHost:
    """A session in a fresh folder on that host."""

    session: Session
    host: Host
    folder: str

    async def __call__(self, tool: str, **args: Any) -> ToolResult:
        return await call(tool, args, Call(), self.session)


@pytest.fixture(scope="session")
def own_settings() -> Settings:
    """The settings of `.env.test`."""
    if not FILE.is_file():
        pytest.skip("there is no .env.test; copy .env.test.example to run these against a host of your own")
    values = read_env_file(FILE)
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


@pytest.fixture
async def own(own_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OwnHost]:
    """A session in a folder of its own below REMOTE_WORKDIR, removed at the end."""
    password = own_settings.password.reveal() if own_settings.password else None
    passphrase = own_settings.key_passphrase.reveal() if own_settings.key_passphrase else None
    async with open_pool(own_settings.ssh, password=password, passphrase=passphrase) as pool:
        made = await Host.connect(pool, HostOptions(workdir="/", login=False))
        folder = f"{made.expand(own_settings.workdir)}/pybridge-test-{secrets.token_hex(4)}"
        create = await made.run(Command(f"mkdir -p '{folder}'", "/"))
        if create.code != 0:
            pytest.fail(f"{folder} cannot be created on the host of {FILE.name}", pytrace=False)
        host = await Host.connect(pool, HostOptions(workdir=folder, shell=own_settings.shell, login=own_settings.login))
        # Only now: what ssh needs of the real home folder has been read.
        for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
            monkeypatch.setenv(name, str(tmp_path))
        session = await open_session(own_settings, host, target_slug="own-host")
        yield OwnHost(session, host, host.place.workdir)
        session.store.close()
        await host.close()
        await made.run(Command(f"rm -rf '{folder}'", "/"))
        await made.close()
