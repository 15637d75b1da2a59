"""Does sudo work on the remote, with or without a password."""

from __future__ import annotations

from pybridge.cli.examination.finding import Finding, good, noted, skipped
from pybridge.errors import ConfigurationError
from pybridge.host.host import Host
from pybridge.host.model import Command
from pybridge.locations import state_folder
from pybridge.mirror.temporary_folders import TemporaryFolderRecords
from pybridge.settings import Secret
from pybridge.tools.sudo_folder import offer_sudo

SECONDS = 30.0
"""How long sudo may take to answer: what it asks may be another machine."""


async def examine_sudo(host: Host, password: Secret | None, slug: str) -> Finding:
    """See whether sudo works as commands use it; a password is tried once.

    Args:
        host: a connected host.
        password: REMOTE_SUDO_PASSWORD.
        slug: names the target in local records.

    Raises:
        RemoteError: it does not, with that password.
    """
    if host.facts.uid == 0:
        return good("sudo", "not needed: you are root there")
    code, said = await _run(host, "command -v sudo >/dev/null || { command -v doas; exit 127; }; sudo -k -n true")
    if code == 127:
        what = "there is no sudo there" + (", and doas is given no password" if "doas" in said else "")
        if password is None:
            return skipped("sudo", what)
        return noted("sudo", f"{what}, though REMOTE_SUDO_PASSWORD is set", "Leave it out for this host.")
    if code == 0:
        return good("sudo", "works without a password")
    if password is None:
        return skipped("sudo", "asks for a password, and REMOTE_SUDO_PASSWORD is not set: it will fail at once")
    records = TemporaryFolderRecords(state_folder() / "temporary-folders", slug)
    folder = await offer_sudo(host, records, password)
    if folder is None:
        return noted("sudo", "can be given no password: there is no place for it", "See `temporary`.")
    try:
        code, said = await _run(host, "sudo -k true")
    finally:
        await folder.remove()
    if code != 0:
        raise ConfigurationError(
            f"sudo does not work with REMOTE_SUDO_PASSWORD. It says:\n{said or '(nothing)'}",
            next_step="If it asks for a password, correct REMOTE_SUDO_PASSWORD; try `sudo true` there by hand.",
        )
    return good("sudo", "works with REMOTE_SUDO_PASSWORD")


async def _run(host: Host, text: str) -> tuple[int | None, str]:
    said = bytearray()
    result = await host.run(Command(text, "/", SECONDS, on_output=lambda _, data: said.extend(data)))
    return result.code, said.decode("utf-8", "replace").strip()[-800:]
