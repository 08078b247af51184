"""What files of other languages say of their tests, beside what else they say."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import Any

import msgspec

from agenthub_runtime.toml_reading import read_toml
from agenthub_worker.suites.node.scripts import commands_of

_OF_PACKAGE = ("jest", "vitest", "mocha", "ava", "tape", "c8", "nyc", "tap")
_SCRIPTS = ("test", "pretest", "posttest")
_OF_POM = re.compile(
    r"<artifactId>maven-(?:surefire|failsafe)-plugin</artifactId>.*?</plugin>"
    r"|<(?P<name>skipTests|maven\.test\.[\w.]+|surefire\.[\w.]+|testFailureIgnore)>[^<]*",
    re.S,
)


def foreign_settings(name: str, data: bytes) -> Any:
    """The settings of tests in a file of that name, to be compared; all of it where that is unknown.

    Nothing for nothing: a file without such settings is as one that is not there.
    """
    try:
        text = data.decode()
        if name == "package.json":
            return _of_package(_package(data))
        if name == "Cargo.toml":
            return _of_cargo(read_toml(data))
        if name == "pom.xml":
            return {f"tests {n}": " ".join(found[0].split()) for n, found in enumerate(_OF_POM.finditer(text))}
    except (ValueError, msgspec.DecodeError, RecursionError):
        return data
    return data


def _package(data: bytes) -> dict[str, Any]:
    read: dict[str, Any] = (
        msgspec.json.decode(data.removeprefix(BOM_UTF8), type=dict[str, Any]) if data.strip() else {}
    )
    return read


def _of_package(package: dict[str, Any]) -> dict[str, Any]:
    scripts = package.get("scripts")
    found = {key: package[key] for key in _OF_PACKAGE if key in package}
    named = scripts if isinstance(scripts, dict) else {}
    found |= {f"scripts.{key}": named[key] for key in _SCRIPTS if key in named}
    # What they call decides as much as they do.
    commands = list(commands_of("test", {str(key): text for key, text in named.items() if isinstance(text, str)}))
    return found | ({"commands": commands} if commands else {})


def _of_cargo(table: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in ("test", "lib", "bin"):
        targets = table.get(key)
        for target in targets if isinstance(targets, list) else [targets]:
            if isinstance(target, dict):
                kept = {name: target[name] for name in ("name", "path", "test", "harness") if name in target}
                wanted = (
                    kept if key == "test" else {name: kept[name] for name in kept if name in ("test", "harness")}
                )
                if wanted:
                    found[f"{key} {target.get('name', '')}".strip()] = str(wanted)
    package = table.get("package")
    if isinstance(package, dict) and "autotests" in package:
        found["autotests"] = package["autotests"]
    return found
