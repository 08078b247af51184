"""Writes the outputs of the page anew: `python -m tests.docs.project_tour`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.docs.project_tour.running import PAGE, run_page, with_outputs


def main() -> int:
    """Run every command of the page, and put what they print behind them; names those that fail."""
    with tempfile.TemporaryDirectory(prefix="agenthub-tour-") as folder:
        ran = list(run_page(Path(folder)))
    for one in ran:
        if one.code:
            sys.stderr.write(f"{one.command}: exit code {one.code}\n" + "\n".join(one.lines) + "\n")
    PAGE.write_text(with_outputs(PAGE.read_text(encoding="utf-8"), ran), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
