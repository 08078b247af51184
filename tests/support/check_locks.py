"""Lock files pin every package by hash and name no address: `python -m tests.support.check_locks`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("bootstrap.lock", "requirements.lock", "services.lock", "dev.lock", "schemas.lock")


def problems_of(name: str) -> list[str]:
    """What is wrong with one lock file, a sentence each."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = []
    if "://" in text or "--index-url" in text or "--find-links" in text:
        found.append(f"{name}: holds an address; refresh it with `make lock`")
    for entry in text.replace("\\\n", " ").splitlines():
        line = entry.strip()
        if line and not line.startswith("#") and "--hash=sha256:" not in line:
            found.append(f"{name}: `{line.split()[0]}` has no hash; refresh it with `make lock`")
    return found


def main() -> int:
    """Print every problem; 1 when there is one."""
    found = [problem for name in LOCKS for problem in problems_of(name)]
    for problem in found:
        sys.stderr.write(problem + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
