"""TOML and JSON of others, read as far as it has the form that is looked for."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import Any

import msgspec

from agenthub_runtime.toml_reading import TomlInvalid, read_toml


def toml_of(data: bytes) -> Mapping[str, Any]:
    """A table; an empty one for what is no TOML: the installer says it better, with its place."""
    try:
        return read_toml(data)
    except TomlInvalid:
        return {}


def json_of(data: bytes) -> Mapping[str, Any]:
    """An object; an empty one for what is none. npm, too, passes over a byte order mark."""
    try:
        return msgspec.json.decode(data.removeprefix(BOM_UTF8), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def table(value: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """The table below these keys; an empty one where there is none."""
    found: Any = value
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def rows(value: Any) -> list[Mapping[str, Any]]:
    """The tables in a list."""
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def texts(value: Any) -> list[str]:
    """The texts in a list."""
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """The text; empty for what is none."""
    return value if isinstance(value, str) else ""
