"""The caller's environment, without leaving its secrets to the programs a command starts."""

from __future__ import annotations

import os

from pybridge.settings import SECRET_NAMES


def take_environment() -> dict[str, str]:
    """A copy of the environment; afterwards no child inherits the secrets in it.

    Programs are started on the way to a remote that need none of them: a ProxyCommand, a `Match exec`.
    """
    taken = dict(os.environ)
    for name in SECRET_NAMES:
        os.environ.pop(name, None)
    return taken
