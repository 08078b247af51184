"""Which files of a repository are tests, or decide how tests run."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePosixPath

import msgspec

from agenthub_worker.automation.command_line import use_of
from agenthub_worker.automation.django import django_tests
from agenthub_worker.automation.nox import NOXFILE, nox_of
from agenthub_worker.automation.tox import tox_of
from agenthub_worker.projects.named import PluginTexts
from agenthub_worker.suites.detect import foreign_suites
from agenthub_worker.suites.other_kinds import other_kind
from agenthub_worker.suites.test_files import (
    FOREIGN_SETTINGS,
    belongs_to_foreign_tests,
    is_foreign_test,
    sets_foreign_tests,
)

OWN_SETTINGS = frozenset({"conftest.py", "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"})
TEST_SETTINGS = OWN_SETTINGS | {"pyproject.toml", "tox.ini", "setup.cfg"}
SHADOWED = frozenset({"pytest", "_pytest", "pluggy", "coverage", "pytest_cov", "sitecustomize", "usercustomize"})
_RUNNING = frozenset({NOXFILE, "tox.toml"})
_DOCUMENTS = frozenset(
    {".md", ".markdown", ".mdx", ".rst", ".txt", ".adoc", ".asciidoc", ".org", ".tex", ".bib", ".csv", ".tsv"}
    | {".pdf", ".docx", ".odt", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".drawio", ".puml", ".mmd"}
)
_DOCUMENT_NAMES = frozenset(
    {
        "README",
        "LICENSE",
        "LICENCE",
        "COPYING",
        "NOTICE",
        "AUTHORS",
        "CHANGELOG",
        "CHANGES",
        "CONTRIBUTING",
        "TODO",
    }
    | {".GITIGNORE", ".GITKEEP"}
)
_READ_BY_PROGRAMS = re.compile(r"^(?:requirements.*|constraints.*|CMakeLists)\.txt$", re.I)
_NO_COMMAND = (
    "The repository holds no Python files and nothing that names tests in Go, Node, Rust or Java (Maven, Gradle),"
    " and no test command is set: give the goal a `test_command`."
)
_PYTHON_PROJECT = frozenset({"pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "requirements.txt"})
# What settings such as `python_files` and `testpaths` make files of tests.
_USUAL_NAME = re.compile(r"^(?:tests?(?:[_-].*)?|.*_tests)\.py$")
_TEST_FOLDERS = frozenset({"tests", "test"})


class TestCommand(msgspec.Struct, frozen=True, kw_only=True):
    """How the tests of a repository are run: a line for bash, in `folder` (empty: the top).

    `pytest`: the system adds its own reporting. `unittest`, `node`: what its runner prints at its end is read, if
    there is nothing better. `measures_coverage`: the line itself has coverage measured. `takes_paths`: tests can
    be named behind it. `parts`: the suites of a repository with several, which run one after the other.
    `plugins` are the texts that may bring plugins of pytest; None: those of what is tested.
    """

    __test__ = False

    text: str
    pytest: bool
    unittest: bool = False
    node: bool = False
    measures_coverage: bool = False
    takes_paths: bool = False
    plugins: PluginTexts | None = None
    folder: str = ""
    parts: tuple[TestCommand, ...] = ()

    @property
    def foreign(self) -> bool:
        """Whether it may run tests in other languages than Python."""
        return not (self.pytest or self.unittest)


class NoTestCommand(msgspec.Struct, frozen=True):
    """Nothing in the repository shows how its tests are run."""

    reason: str


def detect_test_command(
    files: Iterable[str], texts: Mapping[str, str] | None = None
) -> TestCommand | NoTestCommand:
    """The command that the repository's files suggest: pytest for Python, what is usual for other languages.

    `texts` are those of the files that `says_how` wants. Python without tests is no suite of its own where
    another language has tests.
    """
    known = list(files)
    others = foreign_suites(known, texts or {})
    parts = [_of_suite(suite.text, suite.folder) for suite in others]
    is_python = any(name.endswith(".py") for name in known)
    has_python_tests = any(name.endswith(".py") and holds_tests(name) for name in known)
    has_tests = any(suite.has_tests for suite in others)
    is_known = (
        has_python_tests or has_tests or _PYTHON_PROJECT & set(known) or any(not suite.folder for suite in others)
    )
    # Scripts in Python, or one package of many, do not make it what it is.
    if not is_known and (told := other_kind(known)):
        return NoTestCommand(told)
    if is_python and (has_python_tests or not has_tests):
        parts = [_of_python(known, texts or {})]
        parts += [_of_suite(suite.text, suite.folder) for suite in others if suite.has_tests]
    elif has_tests:
        parts = [_of_suite(suite.text, suite.folder) for suite in others if suite.has_tests]
    if not parts:
        return NoTestCommand(_NO_COMMAND)
    if len(parts) == 1:
        return parts[0]
    shown = (f"(cd {shlex.quote(part.folder)} && {part.text})" if part.folder else part.text for part in parts)
    return TestCommand(text=" && ".join(shown), pytest=False, parts=tuple(parts))


def _of_python(files: Collection[str], texts: Mapping[str, str]) -> TestCommand:
    """The command of tox's, nox's or Django's tests where the project has one, with its options; else pytest."""
    automated = tox_of(texts) or nox_of(texts.get(NOXFILE, ""))
    if automated is not None and automated.tests:
        return given_test_command(automated.tests)
    if line := django_tests(files, texts):
        return given_test_command(line)
    return TestCommand(text="python -m pytest", pytest=True, takes_paths=True)


def _of_suite(text: str, folder: str) -> TestCommand:
    return TestCommand(text=text, pytest=False, node=text.startswith(("npm", "node")), folder=folder)


def given_test_command(text: str) -> TestCommand:
    """The command that a goal names; it goes to bash as it is."""
    use = use_of(text)
    return TestCommand(
        text=text,
        pytest=use.pytest,
        unittest=use.unittest,
        node=use.node,
        measures_coverage=use.coverage,
        takes_paths=use.takes_paths,
    )


def run_folder(told: Iterable[str], files: Collection[str]) -> str:
    """The folder, with its slash, from which a report tells the paths of `files`: that in which the tests ran."""
    known = list(told)
    if any(path in files for path in known):
        return ""
    found = Counter(file.removesuffix(path) for path in known for file in files if file.endswith(f"/{path}"))
    return found.most_common(1)[0][0] if found else ""


def is_document(path: str) -> bool:
    """Whether people read the file and nothing runs it: text, pictures, tables."""
    pure = PurePosixPath(path)
    if belongs_to_tests(path) or _READ_BY_PROGRAMS.match(pure.name):
        return False
    return pure.suffix.lower() in _DOCUMENTS or (not pure.suffix and pure.name.upper() in _DOCUMENT_NAMES)


def is_test_file(path: str) -> bool:
    """Whether pytest, or Django by `tests.py`, looks for tests in this file by its own rules."""
    name = PurePosixPath(path).name
    return name == "tests.py" or name.endswith("_test.py") or (name.startswith("test_") and name.endswith(".py"))


def belongs_to_tests(path: str) -> bool:
    """Whether the file is part of the tests rather than of the code under test."""
    pure = PurePosixPath(path)
    named = is_test_file(path) or pure.name == "conftest.py" or belongs_to_foreign_tests(path)
    return named or bool(_TEST_FOLDERS & set(pure.parts[:-1]))


def holds_tests(path: str) -> bool:
    """Whether a runner of any language looks for tests in this file, by its own rules or by usual settings."""
    return is_test_file(path) or is_foreign_test(path) or _USUAL_NAME.match(PurePosixPath(path).name) is not None


def may_hold_tests(path: str) -> bool:
    """Whether the file is a part of tests, or says that such may stand in the code itself, as Rust's do."""
    return belongs_to_tests(path) or PurePosixPath(path).name == "Cargo.toml"


def sets_tests(path: str) -> bool:
    """Whether the file holds settings of tests, alone or beside others."""
    name = PurePosixPath(path).name
    own = name in TEST_SETTINGS or path in _RUNNING
    return own or name in FOREIGN_SETTINGS or sets_foreign_tests(path)


def bears_on_tests(path: str) -> bool:
    """Whether `compare_tests` wants to see this file: tests, their settings, what could stand in for pytest."""
    pure = PurePosixPath(path)
    top = pure.parts[0].removesuffix(".py") if path.endswith(".py") else ""
    return is_test_file(path) or pure.name in TEST_SETTINGS or top in SHADOWED
