"""What `tox.ini`, `tox.toml` and their tables in other files say of the environment that runs the tests."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol

from agenthub_runtime.toml_reading import TomlInvalid, read_toml
from agenthub_worker.automation.automation import TEMPORARY, Automation, folder_below, split_needs
from agenthub_worker.automation.tox_factors import condition_of, factors_for, holds

TOX_FILES = ("tox.ini", "tox.toml", "setup.cfg", "pyproject.toml")
_NAMES = ("test", "tests", "unit", "unittest", "unittests", "py", "py3")
_INNERMOST = re.compile(r"\{([^{}]*)\}")
_UNKNOWN = "\0"
_KNOWN = {
    **dict.fromkeys(("toxinidir", "tox_root", "changedir", "change_dir"), "."),
    **dict.fromkeys(("envpython", "env_python"), "python"),
    **dict.fromkeys(("toxworkdir", "work_dir"), "/tmp"),  # noqa: S108 - inside
    # A folder of its own: pytest empties what it is given for its own files.
    **dict.fromkeys(("envtmpdir", "env_tmp_dir", "temp_dir", "envlogdir", "env_log_dir"), TEMPORARY),
    **dict.fromkeys(("envname", "env_name"), "tests"),
    "/": "/",
    ":": ":",
}


def tox_of(texts: Mapping[str, str]) -> Automation | None:
    """The environment of tox's that runs the tests, out of the files in the top folder; None: there is none."""
    for read in (_ini(texts.get("tox.ini", "")), _toml(texts), _ini(texts.get("setup.cfg", ""))):
        if read is not None and (found := _chosen(read)) is not None:
            return found
    return None


class _Settings(Protocol):
    def environments(self) -> list[str]: ...

    def of(self, name: str) -> Automation: ...


def _chosen(settings: _Settings) -> Automation | None:
    """The first that runs tests, the usual names first."""
    names = settings.environments()
    ordered = sorted(names, key=lambda name: _NAMES.index(name) if name in _NAMES else len(_NAMES))
    found = [settings.of(name) for name in ("", *ordered)]
    return next((one for one in found if one.runs_tests), None)


class _Ini:
    def __init__(self, settings: configparser.ConfigParser) -> None:
        self._settings = settings
        self._factors: frozenset[str] = frozenset()

    def environments(self) -> list[str]:
        return [name.removeprefix("testenv:") for name in self._settings.sections() if name.startswith("testenv:")]

    def of(self, name: str) -> Automation:
        section = f"testenv:{name}" if name else "testenv"
        self._factors = frozenset(name.split("-")) if name else factors_for(self._listed(), self.environments())
        words = [word for line in self._lines(section, "deps") for word in _pip_words(line)]
        needs, extras = split_needs(words)
        variables = [line.partition("=") for line in self._lines(section, "setenv", "set_env")]
        folder = folder_below(" ".join(self._lines(section, "changedir", "change_dir")) or ".")
        return Automation(
            needs=needs,
            extras=(*extras, *self._names(section, "extras")),
            groups=tuple(self._names(section, "dependency_groups")),
            commands=tuple(_commands(self._lines(section, "commands"))) if folder is not None else (),
            variables={key.strip(): value.strip() for key, sign, value in variables if sign and key.strip()},
            folder=folder or "",
        )

    def _listed(self) -> str:
        places = [(section, key) for section in ("tox", "tox:tox") for key in ("envlist", "env_list")]
        return next((found for section, key in places if (found := self._get(section, key))), "")

    def _names(self, section: str, key: str) -> list[str]:
        return [name.strip() for line in self._lines(section, key) for name in line.split(",") if name.strip()]

    def _lines(self, section: str, *keys: str) -> list[str]:
        text = next(
            (found for key in keys for place in (section, "testenv") if (found := self._get(place, key))), ""
        )
        # A reference may bring lines with conditions of their own.
        text = "\n".join(self._meant(_filled("\n".join(self._meant(text)), self._reference)))
        lines = [re.sub(r"(?:^|\s)#.*", "", line).strip() for line in text.replace("\\\n", " ").split("\n")]
        return [line for line in lines if line and _UNKNOWN not in line]

    def _meant(self, text: str) -> Iterator[str]:
        """The lines that hold for the factors of the environment, without their conditions."""
        for line in text.split("\n"):
            condition, rest = condition_of(line)
            if not condition or holds(condition, self._factors):
                yield rest

    def _get(self, section: str, key: str) -> str:
        return self._settings.get(section, key, fallback="")

    def _reference(self, name: str) -> str | None:
        found = re.fullmatch(r"\[([^\]]+)\]\s*(\w+)", name)
        return self._get(found[1], found[2]) if found else None


class _Toml:
    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._base = _at(settings, "env_run_base")
        self._settings = _at(settings, "env")

    def environments(self) -> list[str]:
        return [name for name, value in self._settings.items() if isinstance(value, Mapping)]

    def of(self, name: str) -> Automation:
        own = {**self._base, **(_at(self._settings, name) if name else {})}
        needs, extras = split_needs(
            word for line in _strings(own.get("deps")) for word in _pip_words(_filled(line, _nothing))
        )
        folder = folder_below(_filled(str(own.get("change_dir", ".")), _nothing))
        commands = own.get("commands")
        words = [list(_words(command)) for command in commands if isinstance(command, list)] if commands else []
        variables = {key: _filled(str(value), _nothing) for key, value in _at(own, "set_env").items()}
        return Automation(
            needs=needs,
            extras=(*extras, *_strings(own.get("extras"))),
            groups=tuple(_strings(own.get("dependency_groups"))),
            commands=tuple(tuple(line) for line in words if line and _UNKNOWN not in " ".join(line)),
            variables={key: value for key, value in variables.items() if _UNKNOWN not in value},
            folder=folder or "",
        )


def _ini(text: str) -> _Ini | None:
    settings = configparser.ConfigParser(interpolation=None, strict=False)
    with suppress(configparser.Error):
        settings.read_string(text)
    return _Ini(settings) if any(name.split(":")[0] == "testenv" for name in settings.sections()) else None


def _toml(texts: Mapping[str, str]) -> _Settings | None:
    with suppress(TomlInvalid):
        if own := read_toml(texts.get("tox.toml", "")):
            return _Toml(own)
        table = _at(_at(read_toml(texts.get("pyproject.toml", "")), "tool"), "tox")
        legacy = table.get("legacy_tox_ini")
        return _ini(legacy) if isinstance(legacy, str) else _Toml(table) if table else None
    return None


def _filled(text: str, reference: Any) -> str:
    """The text with what its braces stand for, from the inside out; what nobody knows here spoils its line."""
    for _ in range(20):
        found = _INNERMOST.search(text)
        if found is None:
            break
        text = text[: found.start()] + _value(found[1], reference) + text[found.end() :]
    return text


def _value(inside: str, reference: Any) -> str:
    name, _, default = inside.partition(":")
    if name == "posargs":
        return default
    if name in ("env", "tty"):
        return default.partition(":")[2]
    found: str | None = _KNOWN.get(inside) or reference(inside)
    return _UNKNOWN if found is None else found


def _nothing(name: str) -> None:
    del name


def _commands(lines: list[str]) -> Iterator[tuple[str, ...]]:
    for line in lines:
        with suppress(ValueError):
            # A dash in front would forgive a failure.
            if words := shlex.split(line.lstrip("-! ")):
                yield tuple(words)


def _words(command: list[Any]) -> Iterator[str]:
    for word in command:
        if isinstance(word, str):
            yield _filled(word, _nothing)
        elif isinstance(word, Mapping) and word.get("replace") == "posargs":
            yield from _strings(word.get("default"))
        else:
            yield _UNKNOWN


def _pip_words(line: str) -> Iterator[str]:
    """The arguments of pip's in a line of dependencies: `-rname` is written together as well."""
    text = line.strip()
    found = re.match(r"(-r|-c|-e|--requirement|--constraint|--editable)[\s=]*(.+)", text)
    if found:
        yield from (found[1], found[2].strip().removeprefix("./"))
    elif text and _UNKNOWN not in text:
        yield text


def _at(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key)
    return value if isinstance(value, Mapping) else {}


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
