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
    return await run_tests(Bubblewrap(), workspace, given, timeout_s=300, measure_apart=apart)


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


FETCHES = """\
const { test } = require("node:test")
const assert = require("node:assert")
const http = require("node:http")

test("fetch", async () => {
  const server = http.createServer((request, answer) => answer.end(request.url))
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening))
  for (const host of ["127.0.0.1", "localhost"]) {
    const answer = await fetch(`http://${host}:${server.address().port}/levels?of=tide`)
    assert.strictEqual(await answer.text(), "/levels?of=tide")
  }
  server.close()
})
"""
COMPILES = """\
import subprocess


def test_it_compiles_and_runs(tmp_path):
    subprocess.run(["javac", "-d", tmp_path, "Tide.java"], check=True)
    told = subprocess.run(["java", "-cp", tmp_path, "Tide", "3"], capture_output=True, check=True, text=True)
    assert told.stdout == "4\\n"
"""
TIDE = """\
public class Tide {
    public static void main(String[] words) {
        System.out.println(Integer.parseInt(words[0]) + 1);
    }
}
"""
ASKS_GIT = """\
import subprocess
from pathlib import Path


def git(folder, *words):
    told = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=True, text=True)
    return told.stdout.strip()


def test_a_repository_of_its_own(tmp_path):
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "config", "user.name", "A")
    git(tmp_path, "config", "user.email", "a@example.org")
    (tmp_path / "a").write_text("a")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "One")
    git(tmp_path, "tag", "v1")
    git(tmp_path, "clone", "--quiet", tmp_path, tmp_path / "clone")
    git(tmp_path, "worktree", "add", "--quiet", "--detach", tmp_path / "tree")
    assert git(tmp_path / "clone", "describe", "--tags") == git(tmp_path / "tree", "describe", "--tags") == "v1"
"""
SERVES = """\
import sqlite3
import threading
from concurrent.futures import ProcessPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen


class Says(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"high")


def test_a_server_a_database_and_processes(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Says)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with urlopen(f"http://localhost:{server.server_port}/") as answer:
        assert answer.read() == b"high"
    server.shutdown()
    with sqlite3.connect(tmp_path / "levels.db") as database:
        assert database.execute("select 1").fetchone() == (1,)
    with ProcessPoolExecutor(2) as processes:
        assert list(processes.map(abs, [-1, -2])) == [1, 2]
"""
NEEDS: dict[str, tuple[dict[str, str], str]] = {
    "fetch in node": ({"tide.test.js": FETCHES}, "node --test"),
    "javac": ({"Tide.java": TIDE, "test_tide.py": COMPILES}, "pytest"),
    "git": ({"test_git.py": ASKS_GIT}, "pytest"),
    "a server": ({"test_server.py": SERVES}, "pytest"),
}


@pytest.mark.parametrize(("files", "command"), NEEDS.values(), ids=list(NEEDS))
async def test_what_suites_start_themselves_works_as_at_home(
    tmp_path: Path, files: dict[str, str], command: str
) -> None:
    report = await run(tmp_path, files, command)
    assert report.green, report.tail(3000)
    assert report.counts is not None
    assert (report.counts.passed, report.counts.failed) == (1, 0)
