"""How a command in the sandbox finds the proxy on a Unix socket that is its only way out."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agenthub_worker.environment.network import forward
from agenthub_worker.sandbox.port import Bind

_PROGRAM, _SOCKET = "forward.py", "proxy.sock"


class WayOut(msgspec.Struct, frozen=True):
    """A way out by a port on the sandbox's own loopback, with what belongs to it in `folder`."""

    folder: Path
    port: int

    @property
    def socket(self) -> Path:
        """Where the proxy listens."""
        return self.folder / _SOCKET

    @property
    def binds(self) -> tuple[Bind, ...]:
        """What of the machine it needs inside."""
        return (Bind(self.folder / _PROGRAM), Bind(self.socket))

    @property
    def variables(self) -> Mapping[str, str]:
        """What tells programs of it."""
        names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        return dict.fromkeys(names, f"http://127.0.0.1:{self.port}")

    def lay(self) -> None:
        """Put the program that carries connections into the folder."""
        shutil.copyfile(forward.__file__, self.folder / _PROGRAM)

    def before(self, command: str) -> str:
        """The command for bash, once the way out stands."""
        words = shlex.join((sys.executable, "-I", str(self.folder / _PROGRAM), str(self.socket), str(self.port)))
        # The way out stands before the command begins. In a sandbox that lasts it may stand there already: then
        # this one ends at once without a word.
        return f"exec 9< <({words} 2>/dev/null); read -r _ <&9; exec 9<&-\n{command}"
