"""A project's tests run in the sandbox as in the environment that was made for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agenthub_worker.evidence.layout import given_test_command
from agenthub_worker.evidence.testing import TestReport, run_tests
from agenthub_worker.sandbox.bubblewrap import Bubblewrap

pytestmark = pytest.mark.extra

SIMPLE = {"tests/test_a.py": "def test_a():\n    assert True\n"}
STRICT = "[tool.pytest.ini_options]\nfilterwarnings = ['error']\naddopts = '--strict-config --strict-markers'\n"
CALC = "def add(a, b):\n    return a + b\n\n\ndef untested(x):\n    y = x\n    return y\n"
ADDS = "def test_adds():\n    assert add(1, 2) == 3\n"


async def run(workspace: Path, files: dict[str, str], command: str, *, apart: bool = True) -> TestReport:
    for name, text in files.items():
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(text)
    given = given_test_command(command)
    return await run_tests(Bubblewrap(), workspace, given, timeout_s=60, measure_apart=apart)


@pytest.mark.parametrize(
    "files",
    [
        {"tests/test_a.py": "def test_a(cache):\n    cache.set('x', 1)\n    assert cache.get('x', 0) == 1\n"},
        {"tests/test_a.py": "def test_a(faker):\n    assert faker.name()\n"},
        {
            "tests/test_a.py": "from hypothesis import given, strategies as st\n\n\n@given(st.integers())\n"
            "def test_a(x):\n    assert x == x\n",
            "pyproject.toml": STRICT,
        },
        {**SIMPLE, "pyproject.toml": STRICT},
        {
            "tests/test_a.py": "import sys\n\n\ndef test_a():\n"
            "    assert not {'fak' 'er', 'hypo' 'thesis', 'xd' 'ist', 'any' 'io'} & set(sys.modules)\n"
        },
        {
            "tests/test_a.py": "import pytest\n\n\n@pytest.mark.anyio\nasync def test_a():\n    assert 1\n",
            "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\n"
            "def anyio_backend():\n    return 'asyncio'\n",
            "pyproject.toml": STRICT,
        },
        {**SIMPLE, "pytest.ini": "[pytest]\naddopts = --lf -p no:faker\n"},
        {
            "tests/test_a.py": "import subprocess, sys\n\n\ndef test_a():\n"
            "    assert subprocess.run([sys.executable, '-c', 'import calc']).returncode == 0\n",
            "pyproject.toml": "[project]\nname = 'calc'\n",
            "src/calc/__init__.py": CALC,
        },
        {
            "tests/test_a.py": "import grp, os, pwd, socket\n\n\ndef test_a():\n"
            "    assert socket.gethostbyname('localhost') == '127.0.0.1'\n"
            "    assert socket.gethostbyname(socket.gethostname()) == '127.0.0.1'\n"
            "    assert socket.getservbyname('http') == 80\n"
            "    assert grp.getgrgid(os.getgid()).gr_name == pwd.getpwuid(os.getuid()).pw_name == 'agent'\n"
        },
        {
            "tests/test_a.py": "import mmap\n\n\ndef test_a():\n    # Reserved, not used.\n"
            "    mmap.mmap(-1, 8 << 30, prot=mmap.PROT_READ).close()\n"
        },
    ],
    ids=["cache", "faker", "hypothesis", "-Werror", "no others", "anyio", "lf", "src layout", "names", "reserve"],
)
async def test_a_suite_that_is_green_at_home_is_green_here(tmp_path: Path, files: dict[str, str]) -> None:
    report = await run(tmp_path, files, "python -m pytest")
    assert report.green, report.tail(3000)
    assert report.counts is not None
    assert report.counts.passed == 1


@pytest.mark.parametrize(
    "command",
    [
        "pytest",
        "python3 -m pytest",
        "env X=1 pytest -q",
        "cd services/api && python -m pytest",
        "uv run --extra test pytest -q",
        "poetry run python -m pytest",
        "pytest services | cat",
    ],
)
async def test_pytest_in_any_line_is_counted_and_measured(tmp_path: Path, command: str) -> None:
    program = command.split(maxsplit=1)[0]
    if program in ("uv", "poetry") and shutil.which(program, path="/usr/bin:/usr/local/bin"):
        pytest.skip("this machine has the real one")
    files = {
        "services/api/calc.py": CALC,
        "services/api/tests/test_calc.py": f"from calc import add\n\n\n{ADDS}",
        "services/api/pyproject.toml": "[project]\nname = 'calc'\n",
    }
    report = await run(tmp_path, files, command)
    assert report.green, report.tail(3000)
    assert report.coverage_percent == 60.0


@pytest.mark.parametrize(
    ("settings", "command", "green"),
    [
        ("[tool.pytest.ini_options]\naddopts = '--cov=src --cov-fail-under=50'\n", "pytest", True),
        ("[tool.pytest.ini_options]\naddopts = '--cov=src --cov-fail-under=99'\n", "pytest", False),
        ("[tool.coverage.run]\nomit = ['src/calc.py']\n[tool.coverage.report]\nfail_under = 99\n", "pytest", True),
        ("[tool.coverage.run]\nbranch = true\nsource = ['src']\n", "coverage run -m pytest", True),
        ("", "pytest --cov=src --cov-report=term-missing", True),
    ],
)
async def test_coverage_is_measured_apart_from_the_projects_own(
    tmp_path: Path, settings: str, command: str, green: bool
) -> None:
    files = {
        "src/calc.py": CALC,
        "tests/test_calc.py": f"from calc import add\n\n\n{ADDS}",
        "pyproject.toml": f"[project]\nname = 'calc'\n{settings}",
    }
    report = await run(tmp_path, files, command)
    assert report.green is green, report.tail(3000)
    assert report.coverage_percent == (60.0 if green else None)


async def test_an_agent_waits_for_one_run_only(tmp_path: Path) -> None:
    files = {**SIMPLE, "pytest.ini": "[pytest]\naddopts = --cov\n", "a.py": "x = 1\n"}
    report = await run(tmp_path, files, "pytest", apart=False)
    assert (report.green, report.coverage_percent) == (True, None)


async def test_code_of_the_project_never_stands_in_for_a_library(tmp_path: Path) -> None:
    files = {
        "src/pytest.py": "raise SystemExit('not the real one')\n",
        "src/json.py": "raise SystemExit('not the real one')\n",
        "pyproject.toml": "[project]\nname = 'x'\n",
        **SIMPLE,
    }
    assert (await run(tmp_path, files, "pytest")).green


async def test_unittest_runs_with_a_src_layout(tmp_path: Path) -> None:
    files = {
        "src/calc.py": CALC,
        "tests/test_calc.py": "import unittest\nfrom calc import add\n\n\nclass T(unittest.TestCase):\n"
        "    def test_adds(self):\n        self.assertEqual(add(1, 2), 3)\n",
    }
    report = await run(tmp_path, files, "python -m unittest discover -s tests")
    assert report.green, report.tail(3000)


async def test_memory_that_is_used_is_bounded(tmp_path: Path) -> None:
    files = {"tests/test_a.py": "def test_a():\n    bytearray(3 << 30)\n"}
    report = await run(tmp_path, files, "pytest")
    assert not report.green
    assert "MemoryError" in report.tail(5000)
