"""How Django's own `manage.py` runs the tests of a project that does not leave that to pytest."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

MANAGE = "manage.py"
_NOT_ITS_OWN = frozenset(
    {"docs", "doc", "tests", "test", "examples", "example", "templates", "template", "fixtures"}
)
_SETTINGS_OF_PYTEST = re.compile(r"^\s*\[(?:tool\.pytest(?:\.ini_options)?|tool:pytest|pytest)\]", re.M)
_FILES_OF_PYTEST = frozenset({"conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"})


def django_tests(files: Collection[str], texts: Mapping[str, str]) -> str:
    """The line for bash; empty where there is no `manage.py`, or where pytest is set up."""
    if any(PurePosixPath(path).name in _FILES_OF_PYTEST for path in files):
        return ""
    if any(
        _SETTINGS_OF_PYTEST.search(text)
        for path, text in texts.items()
        if path.endswith((".toml", ".cfg", ".ini"))
    ):
        return ""
    managing = [
        path
        for path, text in texts.items()
        if PurePosixPath(path).name == MANAGE
        and "django" in text
        and not _NOT_ITS_OWN & set(PurePosixPath(path).parts[:-1])
    ]
    if not managing:
        return ""
    folder = str(PurePosixPath(min(managing, key=lambda path: (path.count("/"), path))).parent)
    there = "" if folder == "." else f"cd {shlex.quote(folder)} && "
    return f"{there}python {MANAGE} test"
