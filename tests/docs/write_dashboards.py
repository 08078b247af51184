"""Writes the dashboards: `.venv/bin/python -m tests.docs.write_dashboards`."""

from __future__ import annotations

from tests.docs.dashboard_pages import DASHBOARDS
from tests.docs.dashboards import FOLDER, file_of, rendered

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for page in DASHBOARDS:
        file_of(page).write_text(rendered(page), encoding="utf-8")
