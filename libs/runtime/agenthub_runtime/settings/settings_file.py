"""`agenthub.toml` in the data folder: every setting of the table, for who would rather write a file than export.

A key is the setting's name in small letters without `AGENTHUB_`. The environment wins over the file.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from agenthub_events.errors import InvalidInput
from agenthub_runtime.errors import SettingsInvalid
from agenthub_runtime.settings.credentials import credentials_in
from agenthub_runtime.settings.setting import Setting
from agenthub_runtime.settings.table import DATA_DIR, EMBEDDED, SETTINGS
from agenthub_runtime.toml_reading import TomlInvalid, read_toml

NAME = "agenthub.toml"
OUT_OF_PLACE: Mapping[str, str] = {
    DATA_DIR.name: "the file lies in the data folder, so it cannot name it: use --data-dir or AGENTHUB_DATA_DIR",
    EMBEDDED.name: "the embedded stack sets it by itself: take it out",
}


def key_of(setting: Setting[Any]) -> str:
    """The setting's key in the file, such as `port` for `AGENTHUB_PORT`."""
    return setting.name.removeprefix("AGENTHUB_").lower()


_BY_KEY: Mapping[str, Setting[Any]] = {key_of(setting): setting for setting in SETTINGS}


def with_settings_file(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """`env`, and below it what the file in `folder` sets; without a file `env` alone.

    Raises `SettingsInvalid` with everything that is wrong in the file.
    """
    read = read_settings_file(folder / NAME)
    return {**env, **{name: value for name, value in read.items() if not env.get(name, "").strip()}}


def read_settings_file(path: Path) -> dict[str, str]:
    """What the file sets, by the names of the environment. Raises `SettingsInvalid`."""
    try:
        data = path.read_bytes()
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise SettingsInvalid((f"{path} cannot be read: {error.strerror}",)) from error
    try:
        content = read_toml(data)
    except TomlInvalid as error:
        raise SettingsInvalid((f"{path} is no TOML: {error}",)) from error
    return _checked(path, content, shared=bool(mode & (stat.S_IRGRP | stat.S_IROTH)))


def _checked(path: Path, content: Mapping[str, Any], *, shared: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    problems: list[str] = []
    for key, value in content.items():
        try:
            setting = _setting(key)
            text = _fitting(setting, value)
            if shared and text and ("secret" in setting.kind or credentials_in({setting.name: text})):
                raise ValueError(f"others on this machine can read it: `chmod 600 {path}`")
            found[setting.name] = text
        except (ValueError, InvalidInput) as error:
            problems.append(f"`{key[:60]}` in {path}: {error}")
    if problems:
        raise SettingsInvalid(tuple(problems))
    return found


def _setting(key: str) -> Setting[Any]:
    setting = _BY_KEY.get(key)
    if setting is None:
        plain = key.lower().removeprefix("agenthub_").replace("-", "_")
        near = get_close_matches(plain, _BY_KEY, n=1)
        raise ValueError(f"there is no such setting{f': did you mean `{near[0]}`?' if near else ''}")
    if setting.name in OUT_OF_PLACE:
        raise ValueError(OUT_OF_PLACE[setting.name])
    return setting


def _fitting(setting: Setting[Any], value: Any) -> str:
    text = _text_of(setting, value).strip()
    if text:
        setting.parse(text)
    return text


def _text_of(setting: Setting[Any], value: Any) -> str:
    """A TOML value as it would stand in the environment."""
    match value:
        case bool():
            return "yes" if value else "no"
        case str() | int():
            return str(value)
        case list() if "list" in setting.kind and all(isinstance(item, str) for item in value):
            return _joined(setting, value)
        case dict() if setting.kind == "counts" and all(type(count) is int for count in value.values()):
            return ",".join(f"{name}={count}" for name, count in value.items())
        case _:
            raise ValueError(f"it takes {_forms(setting)}")


def _joined(setting: Setting[Any], items: list[str]) -> str:
    if not any("," in item for item in items):
        return ",".join(items)
    if setting.takes_json:
        return msgspec.json.encode(items).decode()
    raise ValueError("an entry cannot hold a comma")


def _forms(setting: Setting[Any]) -> str:
    if "list" in setting.kind:
        return 'a list of texts, such as ["one", "two"]'
    return {
        "counts": 'a table or a text of counts, such as "coding=3,testing=2"',
        "number": "a whole number",
        "yes or no": "true or false",
    }.get(setting.kind, "one text in quotation marks")
