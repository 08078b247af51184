"""What a project says of its tests is read from its files and from the command that people give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from agenthub_worker.automation.command_line import CommandUse, use_of
from agenthub_worker.projects.named import PluginTexts, not_loaded
from agenthub_worker.projects.plugin_choice import plugin_choice
from agenthub_worker.projects.plugins import installed_plugins, plugins_in
from agenthub_worker.projects.project import (
    import_roots,
    measures_coverage,
    plugin_texts,
    plugins_of,
    read_project,
)


@pytest.mark.parametrize(
    "line",
    [
        "pytest",
        "py.test -q",
        "python3 -m pytest",
        "python3.12 -W error -m pytest",
        "python -mpytest",
        "uv run pytest -q",
        "uv run --with pytest-mock -- python -m pytest",
        "poetry run pytest",
        "env X=1 pytest",
        "/usr/bin/env -i X=1 python -m pytest",
        "X=1 Y='a b' .venv/bin/pytest",
        "cd services/api && python -m pytest",
        "cd a\npytest",
        "timeout 60 nice -n 5 pytest",
        "python -m coverage run -m pytest",
        "pytest \\\n  -q tests",
    ],
)
def test_pytest_is_recognised_and_takes_paths(line: str) -> None:
    use = use_of(line)
    assert (use.pytest, use.unittest, use.takes_paths) == (True, False, True)


@pytest.mark.parametrize(
    "line",
    [
        "pytest -q | tee log",
        "pytest > log",
        "(cd x; pytest)",
        "bash -c 'cd x && pytest -q'",
        "coverage run -m pytest && coverage report",
        "for d in a b; do pytest $d; done",
        "pytest; echo done",
        "if true; then pytest; fi",
    ],
)
def test_pytest_is_recognised_where_no_path_can_follow(line: str) -> None:
    assert (use_of(line).pytest, use_of(line).takes_paths) == (True, False)


@pytest.mark.parametrize(
    "line",
    [
        "make test",
        "tox",
        "npm test",
        "echo pytest",
        "pip install pytest",
        "grep -m pytest x",
        "pytest 'open",
        "",
        ";",
    ],
)
def test_what_may_run_anything_is_not_taken_for_pytest(line: str) -> None:
    assert use_of(line) == CommandUse()


@pytest.mark.parametrize(
    "line", ["python -m unittest discover -s tests", "cd x && python3 -munittest", "uv run python -m unittest"]
)
def test_unittest_is_recognised(line: str) -> None:
    assert use_of(line) == CommandUse(unittest=True)


@pytest.mark.parametrize("line", ["coverage run -m pytest", "pytest --cov", "python -m pytest --cov=src -q"])
def test_a_line_that_measures_coverage_is_known(line: str) -> None:
    assert use_of(line).coverage


def written(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "command", "plugins"),
    [
        ({"tests/test_a.py": "def test_a(): assert True\n"}, "pytest", set()),
        ({"tests/test_a.py": "def test_a(faker): assert faker.name()\n"}, "pytest", {"faker"}),
        ({"tests/test_a.py": "from hypothesis import given\n"}, "pytest", {"hypothesispytest"}),
        ({"tests/test_a.py": "@pytest.mark.asyncio\nasync def test_a(): ...\n"}, "pytest", {"asyncio"}),
        ({"tests/test_a.py": "@pytest.mark.anyio\nasync def test_a(): ...\n"}, "pytest", {"anyio"}),
        ({"tests/conftest.py": "pytest_plugins = ['pytest_asyncio']\n"}, "pytest", {"asyncio"}),
        ({"pytest.ini": "[pytest]\nasyncio_mode = auto\n"}, "pytest", {"asyncio"}),
        ({"setup.cfg": "[tool:pytest]\naddopts = -n auto\n"}, "pytest", {"xdist"}),
        ({"tests/test_a.py": ""}, "pytest -n 4 --timeout=5", {"xdist", "timeout"}),
        ({"requirements-dev.txt": "pytest==8\nFaker>=1\n"}, "pytest", {"faker"}),
        ({"requirements/test.in": "pytest-timeout\n"}, "pytest", {"timeout"}),
        ({"uv.lock": '[[package]]\nname = "anyio"\n'}, "pytest", {"anyio"}),
        ({"pyproject.toml": '[dependency-groups]\ntest = ["pytest-asyncio>=1"]\n'}, "pytest", {"asyncio"}),
        ({"requirements.txt": "faker-file\nmyfaker\n"}, "pytest", set()),
        ({"requirements.txt": "faker\n", "tox.ini": "[pytest]\naddopts = -p no:faker\n"}, "pytest", set()),
        ({"src/app.py": "import hypothesis, faker, anyio\n"}, "pytest", set()),
        ({".venv/lib/tests/test_a.py": "import hypothesis\n"}, "pytest", set()),
    ],
)
def test_only_the_plugins_that_a_project_uses_are_loaded(
    tmp_path: Path, files: dict[str, str], command: str, plugins: set[str]
) -> None:
    found = plugins_of(plugin_texts(read_project(written(tmp_path, files))), command, installed_plugins())
    assert {plugin.loaded_as.split(".")[0].removeprefix("pytest_") for plugin in found} == plugins


@pytest.mark.parametrize(
    ("files", "roots"),
    [
        ({"app.py": ""}, {"."}),
        ({"src/app/__init__.py": ""}, {"src"}),
        ({"pyproject.toml": "[project]\nname = 'x'\n", "src/x/__init__.py": ""}, {"src"}),
        ({"pyproject.toml": "[project]\nname = 'x'\n", "x/__init__.py": ""}, {"."}),
        ({"pyproject.toml": "[tool.setuptools.packages.find]\nwhere = ['lib']\n", "lib/x.py": ""}, {"lib"}),
        ({"pyproject.toml": "[tool.setuptools]\npackage-dir = {'' = 'code'}\n", "code/x.py": ""}, {"code"}),
        ({"pyproject.toml": "[tool.poetry]\npackages = [{include='x', from='py'}]\n", "py/x.py": ""}, {"py"}),
        (
            {"pyproject.toml": "[tool.hatch.build.targets.wheel]\npackages = ['srv/x']\n", "srv/x/a.py": ""},
            {"srv"},
        ),
        ({"pyproject.toml": "[tool.pdm.build]\npackage-dir = 'source'\n"}, {"source"}),
        ({"setup.cfg": "[options]\npackage_dir =\n    = lib\n", "lib/x.py": ""}, {"lib"}),
        ({"setup.py": "setup(package_dir={'': 'python'}, packages=find_packages('python'))\n"}, {"python"}),
        (
            {"services/api/pyproject.toml": "[project]\n", "services/api/src/api/a.py": "", "src/x.py": ""},
            {"src", "services/api/src"},
        ),
        ({"pyproject.toml": "[tool.pdm.build]\npackage-dir = '../../etc'\n"}, set()),
        ({"pyproject.toml": "not = [toml\n", "src/x.py": ""}, {"src"}),
    ],
)
def test_code_is_imported_from_where_the_project_says(
    tmp_path: Path, files: dict[str, str], roots: set[str]
) -> None:
    assert set(import_roots(read_project(written(tmp_path, files)))) == roots


@pytest.mark.parametrize(
    ("settings", "own"),
    [
        ("[tool.pytest.ini_options]\naddopts = ['-q', '--cov=src']\n", True),
        ("[tool.pytest.ini_options]\naddopts = '--cov'\n", True),
        ("[tool.pytest.ini_options]\naddopts = '-q'\n[tool.coverage.run]\nbranch = true\n", False),
        ("[project.optional-dependencies]\ntest = ['pytest-cov']\n", False),
    ],
)
def test_a_project_that_measures_coverage_itself_is_known(tmp_path: Path, settings: str, own: bool) -> None:
    assert measures_coverage(read_project(written(tmp_path, {"pyproject.toml": settings}))) is own


@pytest.mark.parametrize(
    ("line", "node"),
    [
        ("node --test", True),
        ("cd web && node --experimental-vm-modules --test lib/", True),
        ("env A=1 /usr/bin/node --test", False),
        ("node server.js", False),
        ("node --test && python -m pytest", False),
    ],
)
def test_nodes_own_runner_is_recognised_where_it_is_the_only_one(line: str, node: bool) -> None:
    assert use_of(line).node is node


ASYNC = {"tests/test_a.py": "@pytest.mark.asyncio\nasync def test_a(): ...\n"}


@pytest.mark.parametrize(
    ("files", "named", "loaded", "left"),
    [
        (ASYNC, PluginTexts(), set(), ("pytest-asyncio",)),
        (ASYNC, PluginTexts(tests=ASYNC["tests/test_a.py"]), {"asyncio"}, ()),
        (ASYNC, PluginTexts(words="Serve it with aiohttp; test it with pytest-asyncio."), {"asyncio"}, ()),
        (ASYNC, PluginTexts(declared="pytest-asyncio==1.2\n"), {"asyncio"}, ()),
        (ASYNC, PluginTexts(words="Make everything asynchronous (asyncio)"), set(), ("pytest-asyncio",)),
        ({}, PluginTexts(declared="faker\n"), {"faker"}, ()),
        ({"pytest.ini": "[pytest]\naddopts = -p no:faker\n"}, PluginTexts(declared="faker\n"), set(), ()),
        ({"pytest.toml": "[pytest]\naddopts = ['-p', 'no:faker']\n"}, PluginTexts(words="faker"), set(), ()),
        ({"pytest.ini": "[pytest]\naddopts = -n auto\n"}, PluginTexts(), set(), ("pytest-xdist",)),
        ({"conftest.py": "pytest_plugins = ['pytest_timeout']\n"}, PluginTexts(), set(), ("pytest-timeout",)),
        ({"requirements.txt": "anyio\n"}, PluginTexts(settings="[pytest]\naddopts = -p anyio\n"), {"anyio"}, ()),
        ({"pytest.ini": "[pytest]\naddopts = --cov=src\n"}, PluginTexts(), {"pytest_cov"}, ()),
    ],
)
def test_a_plugin_that_only_the_change_brings_is_not_loaded(
    tmp_path: Path, files: dict[str, str], named: PluginTexts, loaded: set[str], left: tuple[str, ...]
) -> None:
    chosen = plugin_choice(read_project(written(tmp_path, files)), "pytest", named, None)
    assert {name.split(".")[0].removeprefix("pytest_") for name in chosen.loaded or ()} == {
        name.removeprefix("pytest_") for name in loaded
    }
    assert chosen.left == left
    assert bool(chosen.options) is bool(left)
    assert (", ".join(left) in not_loaded(chosen.left)) if left else not not_loaded(chosen.left)


def test_in_an_environment_of_its_own_a_project_keeps_the_plugins_of_its_base(tmp_path: Path) -> None:
    site = tmp_path / "env/python/lib/python3.11/site-packages"
    written(
        site,
        {
            "green.py": "def pytest_addoption(parser):\n    parser.addoption('--green')\n",
            "pytest_green-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: pytest-green\nVersion: 1.0\n",
            "pytest_green-1.0.dist-info/entry_points.txt": "[pytest11]\ngreen = green\n",
        },
    )
    (found,) = plugins_in(tmp_path / "env")
    assert (found.loaded_as, found.options) == ("green", frozenset({"--green"}))
    here = read_project(written(tmp_path / "repo", {"requirements.txt": "pytest-green\n"}))
    base = PluginTexts(declared="pytest-green\n")
    assert plugin_choice(here, "pytest", base, tmp_path / "env").loaded is None
    assert plugin_choice(here, "pytest", None, tmp_path / "env").loaded is None
    other = PluginTexts(declared="pytest-green==0.9\n")
    assert plugin_choice(here, "pytest", other, tmp_path / "env").loaded == ("green",)
    brought = plugin_choice(here, "pytest", PluginTexts(declared="requests\n"), tmp_path / "env")
    assert (brought.loaded, brought.left) == ((), ("pytest-green",))
    assert plugin_choice(here, "pytest --green=1", PluginTexts(), tmp_path / "env").loaded == ("green",)
