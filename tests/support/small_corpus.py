"""Projects for goals whose first fix is wrong, in four languages; one package of an index is all they need."""

from __future__ import annotations

from agenthub_cli.commands.bench.corpus.project import BugEdit, CorpusProject
from tests.support.small_projects import GO, NODE, RUST

INDEXED = ("tidelib", "1.0", {"tidelib.py": "SCALE = 1\n"})
"""What an index has to offer: name, version, files."""

PYTHON_SERVICE = CorpusProject(
    name="tide-python",
    language="Python",
    goal="A tide at the mark itself is called high: it is high above the mark alone",
    files={
        "requirements.txt": "tidelib==1.0\n",
        "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["src"]\n',
        "src/level.py": "import tidelib\n\n\ndef high(a, bound):\n    return a * tidelib.SCALE > bound\n",
        "tests/test_level.py": (
            "from level import high\n\n\ndef test_above():\n    assert high(3, 2)\n\n\n"
            "def test_at():\n    assert not high(2, 2)\n"
        ),
    },
    edits=(
        BugEdit("src/level.py", "SCALE > bound", "SCALE >= bound", "SCALE < bound"),
        BugEdit("tests/test_level.py", "def test_at", "def untested_at"),
    ),
)
NODE_LIBRARY = CorpusProject(
    name="tide-node",
    language="JavaScript",
    goal="high(2, 2) is true: nothing is above itself",
    files=NODE,
    edits=(
        BugEdit("level.js", "return a > bound", "return a >= bound", "return a < bound"),
        BugEdit("test/level.test.js", "test('at'", "test.skip('at'"),
    ),
)
GO_TOOL = CorpusProject(
    name="tide-go",
    language="Go",
    goal="The tool reports High for a level that is just the bound",
    files=GO,
    edits=(
        BugEdit("level/level.go", "return a > bound", "return a >= bound", "return a < bound"),
        BugEdit("level/level_test.go", "func TestHigh(", "func untestedHigh("),
    ),
)
RUST_CRATE = CorpusProject(
    name="tide-rust",
    language="Rust",
    goal="bound::high says yes at the bound",
    files=RUST,
    edits=(
        BugEdit("src/bound.rs", "a > bound", "a >= bound", "a < bound"),
        BugEdit("tests/high.rs", "#[test]\nfn at()", "#[allow(dead_code)]\nfn at()"),
    ),
)
SMALL_CORPUS = (PYTHON_SERVICE, NODE_LIBRARY, GO_TOOL, RUST_CRATE)
