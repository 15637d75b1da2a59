"""`python -m pybridge.sidecar`: what the shim starts. It ends when its standard input does."""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (whoever starts it by hand with an older Python is told so)
    sys.exit("pybridge needs Python 3.11 or newer; %s is Python %d.%d." % (sys.executable, *sys.version_info[:2]))  # noqa: UP031

from pybridge.sidecar.start import begin

begin()

# asyncio does without TLS where there is none. Its libraries are of no use here, and cost a megabyte and some time.
_ssl = sys.modules.get("ssl")
sys.modules["ssl"] = None  # type: ignore[assignment]
import asyncio  # noqa: E402, F401

if _ssl is None:
    del sys.modules["ssl"]
else:
    sys.modules["ssl"] = _ssl

from pybridge.sidecar.run import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
