"""Nothing that Grafana shows or Prometheus warns of names what no service tells."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from agenthub_runtime.telemetry import conventions
from agenthub_runtime.telemetry.instruments import ALL, prometheus_names
from tests.docs.dashboard_pages import DASHBOARDS
from tests.docs.dashboards import FOLDER, Panel, file_of, rendered
from tests.docs.pages import ROOT

GRAFANA = ROOT / "deploy" / "grafana"
RUNBOOKS = ROOT / "docs" / "howto" / "runbooks.md"
RULES = [
    rule
    for file in ("slo.yaml", "alerts.yaml")
    for group in yaml.safe_load((GRAFANA / "rules" / file).read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
PANELS = [panel for page in DASHBOARDS for panel in page.panels]

SERIES = {name: item for item in ALL for name in prometheus_names(item)}
# What Prometheus itself makes, and what our rules record.
MADE = {"up", "ALERTS", *(rule["record"] for rule in RULES if "record" in rule)}
# Labels of the scraping and of Prometheus' own series.
ALWAYS = {"job", "instance", "process", "le", "alertname", "alertstate"}
WORDS = {
    *("sum", "max", "min", "by", "on", "rate", "increase", "histogram_quantile", "topk", "unless", "or", "and"),
    *("vector",),
}
ATTRIBUTES = {value for name, value in vars(conventions).items() if name.isupper() and isinstance(value, str)}


def told_by(query: str) -> tuple[set[str], set[str]]:
    """The series and the labels that a query names."""
    plain = re.sub(r'"[^"]*"', '""', query)
    labels = set(re.findall(r"(\w+) *(?:=~|!~|!=|=)(?!=)", plain))
    for grouped in re.findall(r"\b(?:by|on) *\(([^)]*)\)", plain):
        labels |= {label.strip() for label in grouped.split(",")}
    plain = re.sub(r"\b(?:by|on) *\([^)]*\)|\{[^}]*\}|\[[^]]*\]", " ", plain)
    return set(re.findall(r"[A-Za-z_:][\w:]*", plain)) - WORDS, labels


def unknown_in(query: str) -> set[str]:
    """What a query names and no service tells."""
    series, labels = told_by(query)
    known = {label.replace(".", "_") for name in series & SERIES.keys() for label in SERIES[name].labels} | ALWAYS
    return (series - SERIES.keys() - MADE) | (set() if series <= MADE else labels - known)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_a_panel_names_what_there_is(panel: Panel) -> None:
    for query in panel.queries.values():
        if panel.source == "prometheus":
            assert unknown_in(query) == set(), query
        if panel.source == "tempo":
            named = set(re.findall(r"span\.([\w.]+)", query))
            assert named
            assert named <= ATTRIBUTES, query


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_names_what_there_is(rule: dict[str, Any]) -> None:
    assert unknown_in(rule["expr"]) == set()


@pytest.mark.parametrize(
    "query",
    [
        "max(agenthub_queue_depth)",
        "rate(agenthub_events[1m])",
        "sum by (agent) (agenthub_queue_waiting)",
        'agenthub_append_duration_seconds_count{outcome="stored"}',
        'gen_ai_client_token_usage_bucket{gen_ai_token_type="input", model="m"}',
        "agenthub_questions_age",
        "agenthub:http_errors:ratio_rate2h",
    ],
)
def test_what_is_no_figure_of_ours_is_noticed(query: str) -> None:
    assert unknown_in(query)


def test_the_files_are_those_of_the_pages() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {file_of(page).name for page in DASHBOARDS}
    for page in DASHBOARDS:
        assert file_of(page).read_text(encoding="utf-8") == rendered(page), "run `make docs`"
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/agenthub.yaml").read_text(encoding="utf-8"))
    uids = {source["uid"] for source in sources["datasources"]}
    for page in DASHBOARDS:
        panels = json.loads(rendered(page))["panels"]
        assert {target["datasource"]["uid"] for panel in panels for target in panel["targets"]} <= uids
        assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)


def test_every_figure_is_shown_or_warned_of() -> None:
    queries = [query for panel in PANELS for query in panel.queries.values()] + [rule["expr"] for rule in RULES]
    used = set().union(*(told_by(query)[0] for query in queries))
    assert [item.name for item in ALL if not used.intersection(prometheus_names(item))] == []


def test_every_alert_has_a_runbook_and_a_case() -> None:
    page = RUNBOOKS.read_text(encoding="utf-8")
    anchors = {heading.lower() for heading in re.findall(r"^## (\w+)$", page, re.M)}
    cases = yaml.safe_load((GRAFANA / "rules" / "alerts_test.yaml").read_text(encoding="utf-8"))["tests"]
    gone_off = {case["name"] for case in cases if case["alert_rule_test"][0]["exp_alerts"]}
    for alert in ALERTS:
        name, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        assert (ROOT / name, anchor in anchors) == (RUNBOOKS, True), alert["alert"]
    assert gone_off == {alert["alert"] for alert in ALERTS}
    assert {test["alertname"] for test in cases[-1]["alert_rule_test"]} == gone_off


def test_every_figure_stands_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    assert [item.name for item in ALL if f"`{item.name}`" not in page] == []


def test_compose_shows_every_file_to_somebody() -> None:
    compose = (GRAFANA / "compose.yaml").read_text(encoding="utf-8")
    shown = {path.strip() for path in re.findall(r"- \./deploy/grafana/([\w./-]+):", compose)}
    assert all((GRAFANA / path).exists() for path in shown)
    apart = {"compose.yaml", "prometheus-one-machine.yaml"}
    assert {path.name for path in Path(GRAFANA).iterdir()} - apart == shown
