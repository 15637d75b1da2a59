"""`pybridge sidecar`, as the help lists it; `main` starts the real one without coming here."""

from __future__ import annotations


def sidecar() -> None:
    """Serve OpenCode's plugin on standard input and output. The plugin starts this by itself."""
    from pybridge.sidecar.run import main

    raise SystemExit(main())
