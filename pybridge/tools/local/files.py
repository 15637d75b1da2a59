"""The files of this machine that OpenCode names to the model, and that read and grep therefore serve from here.

A long output of our own tools is kept here. OpenCode cuts what its other tools answer (webfetch, task, those of MCP
servers) and tells the model a local path for the whole. A skill names the local folder its files are in. Only reading
is served, only what is named here, and nothing that a link leads to elsewhere. Skills' files count once OpenCode has
loaded the skill: until then, and for every other tool, the same path means the remote's.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path

from pybridge.locations import opencode_data_folder
from pybridge.mirror.spool import Spool

MAX_SKILLS = 256

_CUT_OUTPUT = re.compile(r"tool_[0-9A-Za-z]{1,64}")
"""How OpenCode names them."""


class LocalFiles:
    """What is served.

    Args:
        spool: our own outputs.
        cut_outputs: OpenCode's folder of the outputs it has cut; the usual one unless given.
    """

    def __init__(self, spool: Spool, cut_outputs: Path | None = None) -> None:
        self._spool = spool
        self._cut_outputs = cut_outputs or opencode_data_folder() / "tool-output"
        self._skills: OrderedDict[Path, None] = OrderedDict()

    def add_skill(self, folder: str) -> None:
        """OpenCode has loaded a skill of this folder. Anything but an absolute folder with a SKILL.md is ignored."""
        try:
            local = Path(folder)
            if not local.is_absolute() or not (local / "SKILL.md").is_file():
                return
            self._skills[local.resolve(strict=True)] = None
        except (OSError, ValueError, RuntimeError):
            return
        if len(self._skills) > MAX_SKILLS:
            self._skills.popitem(last=False)

    def find(self, path: str) -> Path | None:
        """The file or folder to read, links resolved; None where the path means the remote's.

        Args:
            path: as the model gives it.
        """
        try:
            local = Path(path)
            if not local.is_absolute():
                return None
            real = local.resolve(strict=True)
            if self._spool.contains(real):
                return real
            if real.is_file() and _CUT_OUTPUT.fullmatch(real.name) and real.parent == self._cut_outputs.resolve():
                return real
        except (OSError, ValueError, RuntimeError):
            return None
        inside = any(real.is_relative_to(folder) for folder in self._skills)
        return real if inside and (real.is_file() or real.is_dir()) else None
