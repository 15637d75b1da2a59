"""Imports pydantic without its search for plugins, which reads what every installed package says of itself.

That takes time at each start and a good megabyte, for plugins nobody meant for this program. Import pydantic from here.
"""

from __future__ import annotations

import sys
import types

_LOADER = "pydantic.plugin._loader"


def _no_plugins() -> tuple[()]:
    return ()


if _LOADER not in sys.modules:
    loader = types.ModuleType(_LOADER)
    loader.get_plugins = _no_plugins  # type: ignore[attr-defined]
    sys.modules[_LOADER] = loader

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema  # noqa: E402

__all__ = ["BaseModel", "BeforeValidator", "ConfigDict", "Field", "ValidationError", "WithJsonSchema"]
