"""Prints the files and folders of the tests that hold a promise, for `make reliability`."""

from __future__ import annotations

from tests.reliability.promises import CHAPTERS

if __name__ == "__main__":
    named = {name.partition("::")[0] for c in CHAPTERS for promise in c.promises for name in promise.tests}
    print(*sorted(named))
