"""Between which versions of Python a project's files say that it runs."""

from __future__ import annotations

import pytest

from agenthub_worker.environment.python.versions import admits, python_bounds


@pytest.mark.parametrize(
    ("bounds", "admitted"),
    [
        (">=3.10", ("3.10", "3.11", "3.12")),
        (">=3.11.4", ("3.11", "3.12")),
        (">3.10,<3.12", ("3.10", "3.11")),
        (">=3.9, <4", ("3.9", "3.10", "3.11", "3.12")),
        ("<3.12", ("3.9", "3.10", "3.11")),
        ("<=3.11", ("3.9", "3.10")),
        ("<=3.11.9", ("3.9", "3.10", "3.11")),
        ("!=3.10.*,>=3.9", ("3.9", "3.11", "3.12")),
        ("!=3.10.1,>=3.9", ("3.9", "3.10", "3.11", "3.12")),
        ("~=3.10", ("3.10", "3.11", "3.12")),
        ("~=3.10.2", ("3.10",)),
        ("==3.11.*", ("3.11",)),
        ("==3.11.7", ("3.11",)),
        ("3.12", ("3.12",)),
        ("^3.10", ("3.10", "3.11", "3.12")),
        ("~3.10", ("3.10",)),
        ("~3.9 || ^3.11", ("3.9", "3.11", "3.12")),
        ("*", ("3.9", "3.10", "3.11", "3.12")),
        ("", ("3.9", "3.10", "3.11", "3.12")),
    ],
)
def test_bounds_admit_releases(bounds: str, admitted: tuple[str, ...]) -> None:
    releases = {f"3.{minor}": (3, minor) for minor in (9, 10, 11, 12)}
    assert tuple(name for name, release in releases.items() if admits(bounds, release)) == admitted


@pytest.mark.parametrize(
    ("files", "bounds"),
    [
        ({"pyproject.toml": '[project]\nname = "a"\nrequires-python = ">=3.12"\n'}, (">=3.12",)),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.11"\n'}, ("^3.11",)),
        ({"setup.cfg": "[options]\npython_requires = >=3.8\n"}, (">=3.8",)),
        ({"setup.py": "setup(name='a',\n  python_requires='>=3.9, <4')\n"}, (">=3.9, <4",)),
        (
            {
                "b/api/pyproject.toml": '[project]\nrequires-python = ">=3.13"\n',
                "pyproject.toml": '[project]\nrequires-python = ">=3.12"\n',
                "setup.py": "setup()\n",
            },
            (">=3.12", ">=3.13"),
        ),
        ({"pyproject.toml": "no toml at all", "setup.cfg": "neither\nthis", "package.json": "{}"}, ()),
        ({"pyproject.toml": "[project]\nrequires-python = 3\n"}, ()),
    ],
)
def test_bounds_are_read_from_the_files_of_a_project(files: dict[str, str], bounds: tuple[str, ...]) -> None:
    assert python_bounds({path: text.encode() for path, text in files.items()}) == bounds
