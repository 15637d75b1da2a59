"""Draws the README's picture of the badge from the real interface: `python -m tests.kit.badge_picture FILE`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pybridge.demo.model_server import ModelServer
from tests.kit.opencode import OpenCodeHome, opencode_binary
from tests.kit.screen_picture import svg
from tests.kit.sshd import start_openssh
from tests.kit.terminal import Terminal

ALIAS = "web1"
FOLDER = "~/shop"
START_SECONDS = 180.0


def draw(file: Path) -> None:
    """Start OpenCode on a private server that the user's ssh configuration calls `web1`, and draw its home screen."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "remote" / "shop").mkdir(parents=True)
        server = start_openssh(folder / "sshd", home=folder / "remote")
        try:
            home = OpenCodeHome(
                folder / "local", opencode_binary(), environment={"REMOTE_SSH": ALIAS, "REMOTE_WORKDIR": FOLDER}
            )
            config = home.home / ".ssh" / "config"
            config.parent.mkdir(mode=0o700)
            config.write_text(
                f"Host {ALIAS}\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.user}\n"
                f"  IdentityFile {server.key}\n  IdentityAgent none\n  UserKnownHostsFile {server.known_hosts}\n"
            )
            config.chmod(0o600)
            command = [sys.executable, "-m", "pybridge", "launch", "--"]
            with ModelServer() as model:
                home.write_config(model.base_url)
                with Terminal(command, home.variables(home.project), home.project, columns=100, lines=22) as terminal:
                    terminal.wait_for(f"● Remote: {ALIAS} {FOLDER} · ready", seconds=START_SECONDS)
                    picture = svg(terminal.screen, f"OpenCode's home screen with the badge: Remote: {ALIAS} {FOLDER}")
        finally:
            server.stop()
    file.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
