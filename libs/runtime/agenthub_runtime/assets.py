"""Files that travel with the code but are no code: the declarations of the bus."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def nats_folder() -> Path:
    """The folder with `server.conf`, `streams/` and `consumers/`.

    An installed wheel carries it inside the package; a checkout has it at the top, where operators look for it.
    """
    installed = _PACKAGE / "_nats"
    return installed if installed.is_dir() else _PACKAGE.parents[2] / "nats"
