"""`python -m pybridge.sidecar`: what the shim starts. It ends when its standard input does."""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (whoever starts it by hand with an older Python is told so)
    sys.exit("pybridge needs Python 3.11 or newer; %s is Python %d.%d." % (sys.executable, *sys.version_info[:2]))  # noqa: UP031

from pybridge.sidecar.run import main

if __name__ == "__main__":
    sys.exit(main())
