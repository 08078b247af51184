"""Puts pictures of the last run of `make test-ui` into docs/pictures, for the tour: `python -m tests.ui.tour`."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.ui.visitor import PICTURES

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
TOUR = (
    "goals-1440-light",
    "submit-1440-light",
    "plan-1440-light",
    "goal-panel-1440-light",
    "inbox-1440-light",
    "review-comment-1440-light",
    "analytics-1440-light",
    "goals-390-dark",
)


def main() -> None:
    """Copy each; one that the run has not taken is an error."""
    FOLDER.mkdir(exist_ok=True)
    for name in TOUR:
        shutil.copyfile(PICTURES / f"{name}.png", FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
