"""The name of this program."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def program() -> str:
    """How the person can call this program: its name, or its path where the name would not be found."""
    if shutil.which("agenthub"):
        return "agenthub"
    called = Path(sys.argv[0])
    if called.name != "agenthub":
        return f"{sys.executable} -m agenthub_cli.main"
    try:
        absolute, here = called.resolve(), Path.cwd()
    except OSError:
        # The folder in which the person stands is gone.
        return str(called)
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)
