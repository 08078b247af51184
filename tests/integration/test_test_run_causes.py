"""Why a run is not green, in one sentence that a person can act on."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenthub_worker.evidence.causes import cause_of
from agenthub_worker.evidence.layout import given_test_command
from agenthub_worker.evidence.testing import run_tests
from agenthub_worker.sandbox.bubblewrap import Bubblewrap

PYTEST = "python -m pytest"
PASSES = "def test_a():\n    assert 1\n"


@pytest.mark.parametrize(
    ("files", "command", "cause"),
    [
        ({"test_a.py": "import requestz\n" + PASSES}, PYTEST, "The module `requestz` is missing"),
        ({"test_a.py": "from os import nothing\n" + PASSES}, PYTEST, "`nothing` cannot be imported from `os`"),
        ({"test_a.py": "def test_a(mocker):\n    pass\n"}, PYTEST, "The fixture `mocker` is missing: pytest-mock"),
        (
            {"test_a.py": "def test_a(thing):\n    pass\n"},
            PYTEST,
            "The fixture `thing` is missing: nothing defines",
        ),
        (
            {"test_a.py": PASSES, "pytest.ini": "[pytest]\naddopts = --no-such-thing\n"},
            PYTEST,
            "pytest does not know the option `--no-such-thing`",
        ),
        (
            {"test_a.py": PASSES, "pytest.ini": "[pytest]\naddopts = -p no_such_plugin\n"},
            PYTEST,
            "The plugin `no_such_plugin` of pytest cannot be loaded",
        ),
        (
            {
                "test_a.py": "import pytest\n@pytest.mark.slow\n" + PASSES,
                "pytest.ini": "[pytest]\naddopts = --strict-markers\n",
            },
            PYTEST,
            "The marker `slow` is not declared",
        ),
        ({"test_a.py": "def test_a(:\n    pass\n"}, PYTEST, "line 1, is no valid Python"),
        ({"test_a.py": PASSES}, "pytest tests/unit", "The test command names `tests/unit`"),
        ({"a.py": PASSES}, "nosuchtool --all", "The command `nosuchtool` is not installed"),
        (
            {"test_a.py": "def test_a():\n    assert 2 == 3\n\ndef test_b():\n    assert 0\n"},
            PYTEST,
            "test_a.py::test_a fails: assert 2 == 3; so do 1 more.",
        ),
        ({"test_a.py": PASSES}, PYTEST, ""),
    ],
    ids=[
        "module",
        "name",
        "fixture of a plugin",
        "fixture",
        "option",
        "plugin",
        "marker",
        "syntax",
        "path",
        "command",
        "assertion",
        "green",
    ],
)
async def test_the_cause_of_a_red_run_is_one_sentence(
    tmp_path: Path, files: dict[str, str], command: str, cause: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    report = await run_tests(Bubblewrap(), tmp_path, given_test_command(command), timeout_s=60)
    said = cause_of(report)
    assert cause in said if cause else said == "", report.tail(3000)
    assert "\n" not in said
