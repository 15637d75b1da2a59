"""Remote glob and grep: with ripgrep where the remote has it, else with find, stat and grep under the same rules."""

from __future__ import annotations

from pybridge.host.search.remote import Facts, ScriptOutput, ScriptRunner
from pybridge.host.search.search import Search

__all__ = ["Facts", "ScriptOutput", "ScriptRunner", "Search"]
