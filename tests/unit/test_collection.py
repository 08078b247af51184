"""What `make test` does not load holds extras and nothing else, and it loads nothing that holds extras alone."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ALL_EXTRA

TESTS = Path(__file__).parents[1]
_NAMED = "tests/unit/test_answer_options.py::test_nobody_can_put_words_into_the_mouth_of_the_hub"


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


@pytest.mark.parametrize(("until", "said"), [("1", ("not begun: 1", _NAMED, "1 skipped")), ("", ("1 passed",))])
def test_a_run_whose_time_is_up_names_each_test_that_it_has_not_begun(until: str, said: tuple[str, ...]) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", _NAMED],
        cwd=TESTS.parent,
        env={**os.environ, **({"TESTS_UNTIL": until} if until else {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout
    assert [part for part in said if part not in told.stdout] == []
