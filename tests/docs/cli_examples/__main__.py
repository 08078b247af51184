"""Runs every command and writes the page: `python -m tests.docs.cli_examples`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.docs.cli_examples.running import PAGE, page_of, run_all


def main() -> int:
    """Write the page; names the steps that ended otherwise than they should."""
    with tempfile.TemporaryDirectory(prefix="agenthub-cli-") as folder:
        ran = []
        for one in run_all(Path(folder)):
            ran.append(one)
            if one.code != one.step.code:
                sys.stderr.write(f"{one.step.words}: exit code {one.code}\n" + "\n".join(one.lines) + "\n")
    PAGE.write_text(page_of(ran), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
