"""`python -m pybridge`: the same as the `pybridge` command."""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (a launcher may have found an older python3: say so by name)
    sys.exit("pybridge needs Python 3.11 or newer; %s is Python %d.%d." % (sys.executable, *sys.version_info[:2]))  # noqa: UP031

from pybridge.cli.main import main

if __name__ == "__main__":
    main()
