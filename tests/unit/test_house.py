"""The measures of the house: how large a room, a module and a function may be, and one name for one thing."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("libs", "services")
MODULE_LINES = 400
FUNCTION_LINES = 50
MODULES_A_FOLDER = 12
ENTRY_POINTS = {"__init__.py", "__main__.py"}


def modules() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            # What a rehearsed agent writes is no part of the house.
            if "files" not in path.relative_to(ROOT).parts:
                yield path


def scripts() -> Iterator[Path]:
    web = ROOT / "services" / "gateway" / "web"
    for folder in ("src", "bundling", "public"):
        for path in sorted((web / folder).rglob("*")):
            if path.suffix in {".ts", ".tsx", ".js"} and path.name != "schema.ts":
                yield path


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_module_is_longer_than_its_limit() -> None:
    sizes = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in (*modules(), *scripts())
    }
    assert {name: size for name, size in sizes.items() if size > MODULE_LINES} == {}


def test_no_function_is_longer_than_its_limit() -> None:
    long = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                if size > FUNCTION_LINES:
                    long[f"{name_of(path)}:{node.name}"] = size
    assert long == {}


def test_no_folder_holds_more_modules_than_one_look_takes_in() -> None:
    rooms = Counter(name_of(path.parent) for path in (*modules(), *scripts()) if path.name not in ENTRY_POINTS)
    assert {room: count for room, count in rooms.items() if count > MODULES_A_FOLDER} == {}


def test_a_public_class_has_a_name_of_its_own() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(name_of(path))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
