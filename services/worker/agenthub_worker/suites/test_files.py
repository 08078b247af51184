"""Which files of other languages are tests, or decide how tests run. Pure, by names alone."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_NODE_SUFFIX = r"\.[cm]?[jt]sx?$"
_NODE_NAME = re.compile(rf"(?:^|[._-])(?:test|spec){_NODE_SUFFIX}|^test[_-].*{_NODE_SUFFIX}")
_SCRIPT = re.compile(_NODE_SUFFIX)
_NODE_FOLDERS = frozenset({"__tests__", "__mocks__", "__snapshots__", "__fixtures__"})
_JAVA_NAME = re.compile(r"^(?:Test.+|.+(?:Test|Tests|TestCase|IT|Spec))\.(?:java|kt|groovy)$")
_JAVA_ROOTS = (("src", "test"), ("src", "it"), ("src", "integrationTest"))
_RUNNER_SETTINGS = re.compile(
    rf"^(?:jest|vitest|vite|vitest\.workspace|babel|karma|ava)\.(?:config|setup|workspace){_NODE_SUFFIX}"
    r"|^(?:jest|vitest|vite)\.config\.json$|^\.mocharc\.(?:c?js|json|ya?ml)$|^\.nycrc(?:\.json)?$|^\.c8rc(?:\.json)?$"
)

FOREIGN_SETTINGS = frozenset({"package.json", "Cargo.toml", "pom.xml", "nextest.toml", "go.work"})
"""Files that hold settings of tests beside others."""


def is_go_test(path: str) -> bool:
    """Whether `go test` reads the file for tests."""
    return path.endswith("_test.go")


def is_node_test(path: str) -> bool:
    """Whether runners of node's look for tests in this file by their own rules."""
    pure = PurePosixPath(path)
    if _NODE_NAME.search(pure.name):
        return True
    folders = pure.parts[:-1]
    return bool(_SCRIPT.search(pure.name)) and ("__tests__" in folders or "test" in folders[-1:])


def is_rust_test(path: str) -> bool:
    """Whether the file is an integration test of a crate; unit tests stand in the code itself."""
    return path.endswith(".rs") and "tests" in PurePosixPath(path).parts[:-1]


def is_java_test(path: str) -> bool:
    """Whether the file holds tests that Maven would run."""
    pure = PurePosixPath(path)
    return _in_java_tests(pure) and _JAVA_NAME.match(pure.name) is not None


def is_foreign_test(path: str) -> bool:
    """Whether a file of another language than Python holds tests and nothing else."""
    return is_go_test(path) or is_node_test(path) or is_rust_test(path) or is_java_test(path)


def belongs_to_foreign_tests(path: str) -> bool:
    """Whether it is a part of such tests: a test, what it compares with, what it stands on."""
    pure = PurePosixPath(path)
    folders = set(pure.parts[:-1])
    if pure.suffix == ".py":
        return False
    return (
        is_foreign_test(path)
        or bool(_NODE_FOLDERS & folders)
        or (pure.suffix == ".snap")
        or "testdata" in folders
        or _in_java_tests(pure)
    )


def sets_foreign_tests(path: str) -> bool:
    """Whether it is a file of nothing but settings of a runner."""
    return _RUNNER_SETTINGS.match(PurePosixPath(path).name) is not None


def _in_java_tests(pure: PurePosixPath) -> bool:
    folders = pure.parts[:-1]
    return any(folders[n : n + 2] == root for root in _JAVA_ROOTS for n in range(len(folders)))
