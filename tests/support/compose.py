"""Reads `compose.yaml` the way the compose command does: anchors, merges, variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def read_compose(env: Mapping[str, str]) -> dict[str, Any]:
    """The file with every variable filled in. Raises `KeyError` for a variable that must be set and is not."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return {key: _filled(value, env) for key, value in content.items() if not key.startswith("x-")}


def _filled(value: Any, env: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _value(found, env), value)
    if isinstance(value, list):
        return [_filled(item, env) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, env) for key, item in value.items()}
    return value


def _value(found: re.Match[str], env: Mapping[str, str]) -> str:
    name, kind, rest = found.groups()
    if env.get(name):
        return env[name]
    if kind == "?":
        raise KeyError(f"{name}: {rest}")
    return rest or ""
