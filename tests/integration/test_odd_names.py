"""Rounds of the tests gate on a project whose folders, files and tests have odd names, in any script."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_worker.errors import InvalidTestPath
from agenthub_worker.evidence.layout import given_test_command
from agenthub_worker.evidence.testing import run_tests
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from tests.support.judging import Bench

USES = "from größe import plus\n\n\ndef test_plus():\n    assert plus(1, 2) == 3\n"
FILES = {
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["src"]\n',
    "src/größe.py": "def hoch(a, b):\n    return a > b\n\n\ndef plus(a, b):\n    return a + b\n",
    "src/привет/水位.py": "def high(a, b):\n    return a > b\n",
    "tests/test_größe 🌊.py": (
        "import pytest\n\nfrom größe import hoch, plus\nfrom привет.水位 import high\n\n\n"
        "def test_über():\n    assert hoch(3, 2)\n    assert not hoch(2, 2)\n\n\n"
        "@pytest.mark.parametrize('wert', ['ä', '-x', \"it's\", 'a[b]', 'x::y', 'e\\u0301', '\\n', '🌊'])\n"
        "def test_wert(wert):\n    assert plus(wert, 'z') == wert + 'z'\n\n\n"
        "class TestКласс:\n    def test_水(self):\n        assert high(3, 2)\n        assert not high(2, 2)\n"
    ),
    "-k/test_dash.py": USES,
    "@answers/test_at.py": USES,
    'it\'s "odd"./test_quotes.py': USES,
    "nf/test_e\u0301.py": USES,
    "nf/test_\u00e9.py": USES,
}
BUG = {"src/größe.py": FILES["src/größe.py"].replace("a + b", "a - b if a == 1 else a + b")}


async def test_tests_in_odd_places_are_counted_tried_and_named(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path)
    base = await bench.commit(FILES)
    verdict = await bench.judge()
    assert isinstance(verdict, GatePassed), verdict.summary
    assert verdict.counts is not None
    assert verdict.counts.passed == 15
    assert verdict.mutants is not None
    assert verdict.mutants.noticed == verdict.mutants.tried > 0
    await bench.commit(BUG)
    verdict = await bench.judge(round_=2, base=base)
    assert isinstance(verdict, GateFailed)
    assert set(verdict.failing) == {f"{path}::test_plus" for path, text in FILES.items() if text == USES}


@pytest.mark.parametrize("path", ["-k/test_dash.py", "@answers/test_at.py::test_plus", "nf/test_e\u0301.py", "-k"])
async def test_a_test_is_run_by_its_odd_name(tmp_path: Path, path: str) -> None:
    write(tmp_path)
    command = given_test_command("python -m pytest")
    report = await run_tests(Bubblewrap(), tmp_path, command, timeout_s=300, paths=[path])
    assert report.green, report.tail(2000)
    assert [case.id for case in report.cases or ()] == [
        next(p for p in FILES if p.startswith(path[:9])) + "::test_plus"
    ]


@pytest.mark.parametrize("path", ["-x", "--co", "@file", "-k/../../x", "/tests", "-k/test_gone.py::test_plus"])
async def test_what_names_no_test_is_refused(tmp_path: Path, path: str) -> None:
    write(tmp_path)
    with pytest.raises(InvalidTestPath, match="is not a test path"):
        await run_tests(
            Bubblewrap(), tmp_path, given_test_command("python -m pytest"), timeout_s=300, paths=[path]
        )


def write(root: Path) -> None:
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
