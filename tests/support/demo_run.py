"""One run of `agenthub demo`, as a first user starts it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.running_hub import run_cli


class Demo:
    """What the demo printed, and where it left its data. Spans of its services go to `otlp_url`."""

    def __init__(self, folder: Path, otlp_url: str) -> None:
        self.folder = folder
        ran = run_cli("demo", "--folder", str(folder), env={"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_url})
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert ran.stderr == ""
        self.told = ran.stdout.splitlines()

    @property
    def home(self) -> Path:
        """The data folder of the demo's hub."""
        (home,) = filter(Path.is_dir, self.folder.iterdir())
        return home

    @property
    def goal_id(self) -> str:
        """The sample goal, as the last lines name it."""
        found = re.search(r"goal approve (g-\w{26})", "\n".join(self.told[-6:]))
        assert found is not None, self.told[-6:]
        return found[1]
