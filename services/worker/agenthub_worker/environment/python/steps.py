"""The commands that bring what a Python project's files ask for. Pure: files come in, commands go out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from agenthub_worker.automation.automation import Automation
from agenthub_worker.automation.nox import NOXFILE, nox_of
from agenthub_worker.automation.tox import TOX_FILES, tox_of
from agenthub_worker.environment.place import PLACE
from agenthub_worker.environment.python.groups import left_by_conflict, needs_of_groups, without_itself
from agenthub_worker.environment.python.hatch import hatch_of
from agenthub_worker.environment.python.itself import asks_for_itself
from agenthub_worker.environment.python.locked import LOCKS, Locked, locked_in
from agenthub_worker.environment.python.poetry import needs_in, poetry_needs
from agenthub_worker.environment.python.tables import table, texts, toml_of
from agenthub_worker.environment.python.translated import translation
from agenthub_worker.environment.requirements import all_at_hand, needs_of

UV_SYNC = "uv sync --frozen --all-extras --all-groups"
PYTHON_FILES = frozenset(
    {"pyproject.toml", "setup.py", "setup.cfg", "uv.lock", "Pipfile", "hatch.toml", NOXFILE, *LOCKS, *TOX_FILES}
)
REQUIREMENTS = re.compile(
    r"^(?:(?:(?:dev|tests?|testing)[-_.])?requirements(?:[-_.](?:dev|tests?|testing))?\.(?:txt|in)"
    r"|requirements/(?:base|main|dev|tests?|testing)\.txt)$"
)
_TEST_GROUPS = ("test", "tests", "testing", "dev", "develop", "development")
_REQUIRES = re.compile(rb"\b(?:install_requires|tests_require|extras_require|setup_requires)\b")
_PIP = f"{PLACE}/python/bin/python -m pip install"
_ITSELF = re.compile(rf"-e '?\.|{UV_SYNC}")


class PythonSteps(msgspec.Struct, frozen=True, kw_only=True):
    """Commands for bash, and the texts that they read by their places in the environment."""

    commands: tuple[str, ...] = ()
    texts: Mapping[str, str] = {}


def python_steps(files: Mapping[str, bytes], at_hand: Mapping[str, str], folder: str = "") -> PythonSteps:
    """What is to be done in `folder` of a repository (empty: the top), whose files these are.

    Nothing where packages that are `at_hand` are all that is asked for: its own folders are on the path of every
    test run.
    """
    steps = _steps(files, at_hand, folder)
    first = next((at for at, command in enumerate(steps.commands) if _ITSELF.search(command)), None)
    made = translation(files) if first is not None else ""
    if not made:
        return steps
    return msgspec.structs.replace(steps, commands=(*steps.commands[:first], made, *steps.commands[first:]))


def _steps(files: Mapping[str, bytes], at_hand: Mapping[str, str], folder: str) -> PythonSteps:
    project = toml_of(files.get("pyproject.toml", b""))
    if "uv.lock" in files:
        return PythonSteps(commands=tuple(_of_uv(project)))
    locked = locked_in(files, project, _TEST_GROUPS)
    if locked is not None:
        return _of_lock(locked, files, project, folder)
    requirements = sorted(path for path in files if REQUIREMENTS.match(path))
    asked = _asked(files, project)
    groups = (*_TEST_GROUPS, *(name.lower() for name in (*asked.extras, *asked.groups)))
    needs = [*needs_of({path: files[path] for path in requirements}, project, groups), *asked.needs]
    scripts = b"\n".join(files.get(path, b"") for path in ("setup.py", "setup.cfg"))
    if all_at_hand(needs, at_hand) and not _REQUIRES.search(scripts) and not asks_for_itself(project, scripts):
        return PythonSteps()
    commands = [f"{_PIP} -r {path}" for path in requirements]
    others, own_extras = without_itself(project, _grouped(project, asked))
    asked, grouped = msgspec.structs.replace(asked, extras=(*asked.extras, *own_extras)), shlex.join(others)
    if _is_installable(files, project):
        commands.append(" ".join(part for part in (_PIP, "-e", _with_extras(project, asked), grouped) if part))
    elif grouped:
        commands.append(f"{_PIP} {grouped}")
    if asked.needs:
        commands.append(f"{_PIP} {shlex.join(asked.needs)}")
    return PythonSteps(commands=tuple(commands))


def _of_uv(project: Mapping[str, Any]) -> Iterator[str]:
    python = f"{PLACE}/python/bin/python"
    yield f"command -v uv || ({python} -m venv {PLACE}/uv && {PLACE}/uv/bin/pip install uv)"
    sync = " ".join((UV_SYNC, *left_by_conflict(project, _TEST_GROUPS)))
    yield f"PATH=$PATH:{PLACE}/uv/bin UV_PROJECT_ENVIRONMENT={PLACE}/python {sync}"


def _of_lock(locked: Locked, files: Mapping[str, bytes], project: Mapping[str, Any], folder: str) -> PythonSteps:
    name = "/".join(part for part in ("asked", folder, f"{locked.name}.txt") if part)
    place = shlex.quote(f"{PLACE}/{name}")
    itself = "-e ." if _is_installable(files, project) else ""
    if locked.pins:
        words = " ".join(part for part in (itself, shlex.join(_words(locked.needs))) if part)
        commands = [f"{_PIP} -c {place} {words}"] if words else []
        return PythonSteps(commands=tuple(commands), texts={name: _lines(locked.pins)})
    commands = [f"{_PIP} --no-deps --require-hashes -r {place}"] if locked.lines else []
    apart = shlex.join(_words(locked.apart))
    if more := " ".join(part for part in (apart, itself if "-e ." not in apart else "") if part):
        commands.append(f"{_PIP} --no-deps {more}")
    return PythonSteps(commands=tuple(commands), texts={name: _lines(locked.lines)})


def _lines(entries: Collection[str]) -> str:
    return "".join(f"{entry}\n" for entry in entries)


def _words(needs: Collection[str]) -> Iterator[str]:
    for need in needs:
        yield from need.split(" ", 1) if need.startswith("-e ") else (need,)


def _asked(files: Mapping[str, bytes], project: Mapping[str, Any]) -> Automation:
    """What the other files ask for beside the requirements and the project itself."""
    named = {path: files[path].decode("utf-8", "replace") for path in TOX_FILES if path in files}
    noxfile = files.get(NOXFILE, b"").decode("utf-8", "replace")
    found = [
        tox_of(named),
        nox_of(noxfile),
        hatch_of(project, toml_of(files.get("hatch.toml", b"")), _TEST_GROUPS),
        Automation(
            needs=tuple(_words(poetry_needs(project, _TEST_GROUPS, main=not _is_installable(files, project))))
        ),
        Automation(needs=tuple(_words(_of_pipfile(files)))),
        Automation(needs=tuple(_of_pdm(project))),
    ]
    told = [one for one in found if one is not None]
    return Automation(
        needs=tuple(_once(need for one in told for need in one.needs)),
        extras=tuple(dict.fromkeys(name for one in told for name in one.extras)),
        groups=tuple(dict.fromkeys(name for one in told for name in one.groups)),
    )


def _once(words: Iterator[str]) -> Iterator[str]:
    """Each need once; an option belongs to the word behind it."""
    seen = set()
    for word in words:
        need = (word, next(words, "")) if word.startswith("-") else (word,)
        if need not in seen:
            seen.add(need)
            yield from need


def _of_pipfile(files: Mapping[str, bytes]) -> list[str]:
    pipfile = toml_of(files.get("Pipfile", b""))
    return [need for kind in ("packages", "dev-packages") for need in needs_in(table(pipfile, kind))]


def _of_pdm(project: Mapping[str, Any]) -> list[str]:
    groups = table(project, "tool", "pdm", "dev-dependencies")
    return [word for needs in groups.values() for need in texts(needs) for word in _words([need])]


def _is_installable(files: Mapping[str, bytes], project: Mapping[str, Any]) -> bool:
    if table(project, "tool", "poetry").get("package-mode") is False:
        return False
    return "project" in project or "build-system" in project or "setup.py" in files or "setup.cfg" in files


def _with_extras(project: Mapping[str, Any], asked: Automation) -> str:
    extras, poetry = table(project, "project", "optional-dependencies"), table(project, "tool", "poetry", "extras")
    wanted = [name for name in (*extras, *poetry) if name.lower() in _TEST_GROUPS or name in asked.extras]
    wanted = list(dict.fromkeys(wanted))
    return f"'.[{','.join(wanted)}]'" if wanted else "."


def _grouped(project: Mapping[str, Any], asked: Automation) -> list[str]:
    groups = table(project, "dependency-groups")
    return needs_of_groups(
        project, [name for name in groups if name.lower() in _TEST_GROUPS or name in asked.groups]
    )
