"""The caller's environment, without leaving its secrets to the programs a command starts."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pybridge.settings import SECRET_NAMES


def take_environment() -> dict[str, str]:
    """A copy of the environment; afterwards no child inherits the secrets in it.

    Programs are started on the way to a remote that need none of them: a ProxyCommand, a `Match exec`.
    """
    taken = dict(os.environ)
    for name in SECRET_NAMES:
        os.environ.pop(name, None)
    return taken


def hide_secrets(env: Mapping[str, str]) -> None:
    """From now on no output of this process shows the secrets in `env`."""
    from pybridge.logs import register_secret

    for name in SECRET_NAMES:
        if env.get(name):
            register_secret(env[name])
