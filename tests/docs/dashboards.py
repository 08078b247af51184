"""Dashboards for Grafana: `make docs` writes `deploy/grafana/dashboards` out of `dashboard_pages.py`.

A panel names what a person wants to know; `quiet` ones may have nothing to show while nothing is wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docs.pages import ROOT

FOLDER = ROOT / "deploy" / "grafana" / "dashboards"
_WIDTH, _HEIGHT = 12, 8


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel: queries by what their series are called. `unit` is one of Grafana's."""

    title: str
    queries: dict[str, str]
    kind: str = "timeseries"
    unit: str = "short"
    source: str = "prometheus"
    quiet: bool = False
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A page of panels, two in a row. `asks` are the text fields at its top, by name and label."""

    uid: str
    title: str
    panels: tuple[Panel, ...]
    asks: tuple[tuple[str, str], ...] = ()


def file_of(dashboard: Dashboard) -> Path:
    """Where it is written."""
    return FOLDER / f"{dashboard.uid.removeprefix('agenthub-')}.json"


def rendered(dashboard: Dashboard) -> str:
    """The file that Grafana reads."""
    page = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["agenthub"],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": name, "label": label, "type": "textbox", "query": ""} for name, label in dashboard.asks
            ]
        },
        "panels": [_panel(number, panel) for number, panel in enumerate(dashboard.panels)],
    }
    return json.dumps(page, indent=2) + "\n"


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": number + 1,
        "title": panel.title,
        "description": panel.text,
        "type": panel.kind,
        "datasource": {"type": panel.source, "uid": panel.source},
        "gridPos": {"x": number % 2 * _WIDTH, "y": number // 2 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [
            _target(panel, chr(ord("A") + place), name, query)
            for place, (name, query) in enumerate(panel.queries.items())
        ],
    }


def _target(panel: Panel, ref: str, name: str, query: str) -> dict[str, Any]:
    source = {"type": panel.source, "uid": panel.source}
    if panel.source == "tempo":
        return {"refId": ref, "datasource": source, "queryType": "traceql", "query": query, "tableType": "spans"}
    if panel.source == "loki":
        return {"refId": ref, "datasource": source, "expr": query}
    at_once = panel.kind in {"stat", "table", "barchart"}
    return {
        "refId": ref,
        "datasource": source,
        "expr": query,
        "legendFormat": name,
        "exemplar": not at_once and "_bucket" in query,
        **({"instant": True} if at_once else {"range": True}),
    }
