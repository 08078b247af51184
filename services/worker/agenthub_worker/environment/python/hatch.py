"""What Hatch's environments for tests ask for beside the project itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from agenthub_worker.automation.automation import Automation
from agenthub_worker.environment.python.tables import table, texts

_OF_HATCH_TEST = ("coverage[toml]", "pytest", "pytest-mock", "pytest-rerunfailures", "pytest-xdist[psutil]")
"""What `hatch test` brings unless the project says otherwise."""


def hatch_of(project: Mapping[str, Any], hatch: Mapping[str, Any], test_groups: Collection[str]) -> Automation:
    """The dependencies and features of the environments that are there for everything, or for tests.

    `hatch` is the table of a `hatch.toml`, which comes before that in `pyproject.toml`.
    """
    environments = {**table(project, "tool", "hatch", "envs"), **table(hatch, "envs")}
    wanted = [name for name in environments if name in ("default", "hatch-test") or name.lower() in test_groups]
    found = [table(environments, name) for name in wanted]
    needs = [need for name in wanted for need in _needs(name, table(environments, name))]
    return Automation(
        needs=tuple(dict.fromkeys(needs)),
        extras=tuple(name for own in found for name in texts(own.get("features"))),
        groups=tuple(name for own in found for name in texts(own.get("dependency-groups"))),
    )


def _needs(name: str, own: Mapping[str, Any]) -> Iterator[str]:
    if name == "hatch-test" and "dependencies" not in own:
        yield from _OF_HATCH_TEST
    yield from texts(own.get("dependencies"))
    yield from texts(own.get("extra-dependencies"))
