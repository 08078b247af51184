"""What `make test` does not load holds extras and nothing else, and it loads nothing that holds extras alone."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.conftest import ALL_EXTRA

TESTS = Path(__file__).parents[1]


def _marks(path: Path) -> str:
    """What the module says of all its tests."""
    said = [
        ast.unparse(node.value)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and "pytestmark" in map(ast.unparse, node.targets)
    ]
    return " ".join(said)


def test_files_that_are_extras_as_a_whole_are_those_that_are_not_loaded() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(TESTS.rglob("*.py"))}
    left = [path for path, text in texts.items() if ALL_EXTRA.search(text)]
    assert left == [path for path, text in texts.items() if "pytestmark" in text and "mark.extra" in _marks(path)]
    assert [path for path in left if not path.name.startswith("test_")] == []
    assert len(left) > 10
