"""The interpreter's settings while the sidecar starts: it makes many objects that stay, and answers are waited for."""

from __future__ import annotations

import gc
import sys

_SWITCH_SECONDS = 0.0005
"""How long a thread that loads modules may hold up the one that takes the server's answers."""

_usual_switch_seconds = sys.getswitchinterval()


def begin() -> None:
    """Look for no garbage: there is next to none, and looking takes an eighth of the time of all loading."""
    gc.disable()
    sys.setswitchinterval(_SWITCH_SECONDS)


def end() -> None:
    """Back to the usual. What there is now is not looked through again until `give_back` in `idle_memory`."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
        sys.setswitchinterval(_usual_switch_seconds)
