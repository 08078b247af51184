"""A project with a part in C is built by its setup, and every checkout of the same sources finds that."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from agenthub_worker.environment.provision import Environments
from agenthub_worker.environment.python.translated import translation
from agenthub_worker.environment.recipe import GivenSetup
from agenthub_worker.evidence.layout import given_test_command
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.suites.running import run_suites
from tests.support.package_index import running_index

BUILD = (
    """cc -shared -fPIC -I"$(python -c 'import sysconfig; print(sysconfig.get_path("include"))')" src/level.c"""
    """ -o "src/tide/_level$(python -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')\""""
)
GIVEN = GivenSetup(commands=(BUILD,))
LEVEL = """\
#include <Python.h>
static PyObject *high(PyObject *self, PyObject *args) { return PyBool_FromLong(1); }
static PyMethodDef methods[] = {{"high", high, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_level", 0, -1, methods};
PyMODINIT_FUNC PyInit__level(void) { return PyModule_Create(&module); }
"""
FILES = {
    "src/level.c": LEVEL,
    "src/tide/__init__.py": "from tide._level import high\n",
    "tests/test_tide.py": "import tide\n\n\ndef test_high():\n    assert tide.high() is True\n",
}


def checkout(folder: Path) -> Path:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


async def ran(
    machine: Environments, project: Path, line: str = "python -m pytest", given: GivenSetup = GIVEN
) -> TestReport:
    return await run_suites(machine.sandbox(given), project, given_test_command(line), timeout_s=120)


async def test_what_the_setup_has_compiled_is_there_until_its_sources_change(tmp_path: Path) -> None:
    machine = Environments(tmp_path / "environments", Bubblewrap(), os.environ, tmp_path)
    project = await asyncio.to_thread(checkout, tmp_path / "project")
    report = await ran(machine, project)
    assert report.green, report.log.decode()
    assert not list(project.rglob("*.so"))

    (project / "src" / "level.c").write_text(LEVEL.replace("FromLong(1)", "FromLong(0)"))
    report = await ran(machine, project)
    assert not report.green
    assert "tide._level was compiled from other sources: src/level.c changed since" in report.log.decode()

    other = await asyncio.to_thread(checkout, tmp_path / "other")
    (other / "src" / "level.c").unlink()
    report = await ran(machine, other)
    assert not report.green
    assert "src/level.c changed since" in report.log.decode()

    report = await ran(machine, project, f"{BUILD} && python -m pytest")
    assert report.counts is not None
    assert (report.counts.failed, report.counts.errors) == (1, 0), report.log.decode()


BY_PATTERN = GivenSetup(commands=(BUILD.replace("src/level.c", "src/*.c"),))


@pytest.mark.extra
@pytest.mark.parametrize(
    ("given", "made", "is_change"),
    [
        (BY_PATTERN, "src/more.c", True),
        (BY_PATTERN, "src/more.h", False),
        (BY_PATTERN, "src/more.pyx", False),
        (BY_PATTERN, "examples/more.c", False),
        (GIVEN, "src/more.c", False),
    ],
)
async def test_a_further_source_counts_where_the_build_takes_whatever_lies_there(
    tmp_path: Path, given: GivenSetup, made: str, is_change: bool
) -> None:
    machine = Environments(tmp_path / "environments", Bubblewrap(), os.environ, tmp_path)
    project = await asyncio.to_thread(checkout, tmp_path / "project")
    assert (await ran(machine, project, given=given)).green
    (project / made).parent.mkdir(exist_ok=True)
    (project / made).write_text("\n")
    report = await ran(machine, project, given=given)
    assert report.green != is_change, report.log.decode()
    assert (f"compiled from other sources: {made} changed since" in report.log.decode()) == is_change


@pytest.mark.extra
async def test_a_pattern_in_the_files_of_the_build_counts_as_well(tmp_path: Path) -> None:
    machine = Environments(tmp_path / "environments", Bubblewrap(), os.environ, tmp_path)
    project = await asyncio.to_thread(checkout, tmp_path / "project")
    (project / "build.py").write_text("import glob\n\nSOURCES = glob.glob('src/*.c')\n")
    assert (await ran(machine, project)).green
    (project / "src" / "more.c").write_text("\n")
    assert not (await ran(machine, project)).green


VERSION = "echo 'LEVEL = 3' > src/tide/_version.py; echo 'LEVEL = 4' > src/tide/other.py"
NAMED = {
    "hatch": ("pyproject.toml", '[tool.hatch.build.hooks.vcs]\nversion-file = "src/tide/_version.py"\n'),
    "setuptools": ("setup.py", "setup(use_scm_version={'write_to': 'src/tide/_version.py'})\n"),
    "setup.cfg": ("setup.cfg", "[tool]\nversion_file = src/tide/_version.py\n"),
    "without src": ("pyproject.toml", '[tool.pdm.version]\nwrite_to = "tide/_version.py"\n'),
}


@pytest.mark.extra
@pytest.mark.parametrize("way", list(NAMED))
async def test_a_module_that_a_build_writes_as_its_settings_say_is_there_as_well(tmp_path: Path, way: str) -> None:
    machine = Environments(tmp_path / "environments", Bubblewrap(), os.environ, tmp_path)
    project = tmp_path / "project"
    name, text = NAMED[way]
    imports = (
        "import pytest\nimport tide._version\n\n\ndef test_level():\n    assert tide._version.LEVEL == 3\n\n\n"
    )
    other = "def test_other():\n    pytest.raises(ImportError, __import__, 'tide.other')\n"
    files = {"src/tide/__init__.py": "", "tests/test_tide.py": imports + other, name: text}
    for path, content in files.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(content)
    given = GivenSetup(commands=(VERSION,))
    report = await ran(machine, project, given=given)
    assert report.green, report.log.decode()
    # The project's own comes first, and what is kept is nobody's source.
    (project / "src" / "tide" / "_version.py").write_text("LEVEL = 5\n")
    report = await ran(machine, project, given=given)
    assert report.counts is not None
    assert (report.counts.passed, report.counts.failed) == (1, 1), report.log.decode()


CYTHON = {
    "Cython/__init__.py": "",
    "cython.py": "import sys\nopen(sys.argv[-2], 'w').write(f'made by {sys.argv[1:]}')\n",
}
TRANSLATED = {
    "setup.py": "Extension('a', ['tide/_level.c', 'tide/fast.cpp', 'tide/kept.c', 'tide/none.c'])\n",
    "pyproject.toml": "[dependency-groups]\ndev = ['pytest', 'cython>=3']\n",
    **{f"tide/{name}": "" for name in ("_level.pyx", "fast.pyx", "kept.pyx")},
    "tide/kept.c": "as it is",
}


@pytest.mark.extra
async def test_what_cython_makes_is_made_where_the_repository_does_not_hold_it(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name, text in TRANSLATED.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    command = translation({name: text.encode() for name, text in TRANSLATED.items()})
    with running_index() as index:
        index.add("cython", "3.1", CYTHON)
        machine = Environments(tmp_path / "environments", Bubblewrap(), index.variables(), tmp_path / "home")
        given = GivenSetup(commands=(command, 'for made in tide/*.c*; do echo "$made: $(cat $made)"; done'))
        made = await machine.prepare(project, given)
    said = made.log.decode()
    assert "tide/_level.c: made by ['-o', 'tide/_level.c', 'tide/_level.pyx']" in said
    assert "tide/fast.cpp: made by ['--cplus', '-o', 'tide/fast.cpp', 'tide/fast.pyx']" in said
    assert "tide/kept.c: as it is" in said
    assert "none.c:" not in said
