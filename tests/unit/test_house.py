"""The measures of the house: how large a room, a module and a function may be, and one name for one thing."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.support.house import (
    broad_catches,
    folder_sizes,
    functions,
    lines_of,
    modules,
    name_of,
    scripts,
)

MODULE_LINES = 400
FUNCTION_LINES = 50
MODULES_A_FOLDER = 12
BROAD_A_THOUSAND_LINES = 0.3


def test_no_module_is_longer_than_its_limit() -> None:
    sizes = {name_of(path): lines_of(path) for path in (*modules(), *scripts())}
    assert {name: size for name, size in sizes.items() if size > MODULE_LINES} == {}


def test_no_function_is_longer_than_its_limit() -> None:
    sizes = [found for path in modules() for found in functions(path)]
    assert [(name, size) for name, size in sizes if size > FUNCTION_LINES] == []


def test_no_folder_holds_more_modules_than_one_look_takes_in() -> None:
    assert {room: count for room, count in folder_sizes().items() if count > MODULES_A_FOLDER} == {}


def test_a_public_class_has_a_name_of_its_own() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(name_of(path))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_everything_is_caught_only_at_the_edge_of_a_loop() -> None:
    found = [place for path in modules() for place in broad_catches(path)]
    lines = sum(map(lines_of, modules()))
    assert len(found) <= BROAD_A_THOUSAND_LINES * lines / 1000, found
