"""The tool schemas the shim offers to OpenCode, generated from the Python models: one source.

`python -m pybridge.sidecar.schemas --write` writes plugin/schemas.json in a checkout; `--check` fails if it is stale.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pybridge.sidecar.descriptions import DESCRIPTIONS
from pybridge.tools.arguments import ARGUMENTS

PATH = Path(__file__).resolve().parents[2] / "plugin" / "schemas.json"


def generate() -> str:
    """The content of schemas.json: for each tool a description and a JSON Schema of its parameters."""
    tools = {
        name: {"description": DESCRIPTIONS[name], "parameters": model.model_json_schema(by_alias=True)}
        for name, model in ARGUMENTS.items()
    }
    return json.dumps({"format": 1, "tools": tools}, indent=2, ensure_ascii=False) + "\n"


def is_current(path: Path = PATH) -> bool:
    """Whether the file holds what `generate` gives."""
    try:
        return path.read_text(encoding="utf-8") == generate()
    except FileNotFoundError:
        return False


def main(arguments: list[str]) -> int:
    """Write or check the file.

    Returns:
        the exit code: 1 when the file is stale, 2 for wrong arguments.
    """
    if arguments == ["--write"]:
        PATH.write_bytes(generate().encode())
        return 0
    if arguments == ["--check"]:
        if is_current():
            return 0
        print(f"{PATH} is stale: run `python -m pybridge.sidecar.schemas --write`", file=sys.stderr)
        return 1
    print("usage: python -m pybridge.sidecar.schemas --write | --check", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
