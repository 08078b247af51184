"""Whether a project that needs no packages is installed all the same, for what only an installation makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agenthub_worker.environment.python.tables import table, text, texts

_VERSIONING = re.compile(
    r"^(?:setuptools[-_]scm|vcs[-_]versioning|hatch[-_]vcs|versioningit|setuptools[-_]git[-_]versioning|dunamai"
    r"|flit[-_]scm|poetry[-_]dynamic[-_]versioning|uv[-_]dynamic[-_]versioning)\b",
    re.I,
)
_COMPILING = re.compile(
    r"^(?:cython|maturin|setuptools[-_]rust|scikit[-_]build(?:[-_]core)?|meson[-_]python|pybind11|nanobind|cffi|mypy)\b",
    re.I,
)
_BUILT_BY = ("maturin", "mesonpy", "scikit_build_core.build", "scikit_build_core.setuptools.build_meta")
_IN_SCRIPTS = re.compile(
    rb"\b(?:ext_modules|cffi_modules|rust_extensions|entry_points)\b|\[options\.entry_points\]"
)


def asks_for_itself(project: Mapping[str, Any], scripts: bytes) -> bool:
    """Whether its version stands in git alone, it brings programs or plugins, or a part of it is compiled.

    `scripts` are the texts of `setup.py` and `setup.cfg`.
    """
    own, build = table(project, "project"), table(project, "build-system")
    requires = texts(build.get("requires"))
    return (
        any(_VERSIONING.match(need) or _COMPILING.match(need) for need in requires)
        or text(build.get("build-backend")) in _BUILT_BY
        or any(table(own, kind) for kind in ("scripts", "gui-scripts", "entry-points"))
        or any(table(project, "tool", "poetry", kind) for kind in ("scripts", "plugins"))
        or _IN_SCRIPTS.search(scripts) is not None
    )
