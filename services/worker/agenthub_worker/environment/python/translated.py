"""C that a project's files name and its repository does not hold, since Cython makes it of what lies beside."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from agenthub_worker.environment.place import PLACE
from agenthub_worker.environment.python.locked import LOCKS

_NAMED = re.compile(rb"""['"]((?!/)(?![^'"\n]*\.\./)[\w./+-]+\.(?:c|cc|cpp|cxx))['"]""")
_NEED = rb"(cython\s*(?:[<>=!~]=?=?\s*\d[\w.*]*\s*,?\s*)*)"
_ON_A_LINE = re.compile(rb"^\s*" + _NEED + rb"(?:[;#]|\s--|$)", re.I | re.M)
_QUOTED = re.compile(rb"['\"]\s*" + _NEED + rb"(?:;[^\n]*)?['\"]", re.I)
_NAMING = ("setup.py", "setup.cfg", "pyproject.toml")
_LOCKED = frozenset({"uv.lock", *LOCKS})
_PYTHON = f"{PLACE}/python/bin/python"


def translation(files: Mapping[str, bytes]) -> str:
    """The command that makes what is missing; empty where no file asks for Cython, or none names C."""
    named = sorted({found.decode() for name in _NAMING for found in _NAMED.findall(files.get(name, b""))})
    asked = next((found for name in sorted(files) for found in _asked(name, files.get(name, b""))), None)
    if not named or asked is None:
        return ""
    need = shlex.quote(asked.decode().strip())
    return (
        f'for made in {shlex.join(named)}; do test -e "$made" || test ! -e "${{made%.*}}.pyx" ||'
        f' {{ {{ {_PYTHON} -c "import Cython" 2> /dev/null || {_PYTHON} -m pip install {need}; }} &&'
        f' {_PYTHON} -m cython $(test "${{made##*.}}" = c || echo --cplus) -o "$made" "${{made%.*}}.pyx"; }} ||'
        " exit 1; done"
    )


def _asked(name: str, data: bytes) -> list[bytes]:
    return [] if name in _LOCKED else (_QUOTED if name.endswith((".py", ".toml")) else _ON_A_LINE).findall(data)
