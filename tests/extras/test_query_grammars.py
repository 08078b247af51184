"""Queries of dashboards and rules are what Grafana's and Prometheus' own published grammars take."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hatch_build import _node

from tests.docs.dashboard_pages import DASHBOARDS
from tests.docs.test_dashboards import RULES

pytestmark = pytest.mark.extra

HERE = Path(__file__).with_name("grammars")
QUERIES = [
    *(
        [panel.source, query.replace("$__rate_interval", "5m").replace("$goal", "g-1")]
        for page in DASHBOARDS
        for panel in page.panels
        for query in panel.queries.values()
    ),
    *(["prometheus", rule["expr"]] for rule in RULES),
]
BROKEN = [
    ["prometheus", "sum(rate(agenthub_events_total[5m]"],
    ["prometheus", 'max by agent_type (agenthub_queue_waiting{lane="p0"})'],
    ["loki", '{service_name=~"agenthub-.+"} | json | goal_id='],
    ["loki", '{service_name="a" | json'],
    ["tempo", '{ span.agenthub.goal.id = "g" && }'],
    ["tempo", "{ span.agenthub.goal.id = }"],
]


def test_every_query_is_taken_by_the_grammar_of_its_language(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(HERE, tmp_path / "grammars", ignore=shutil.ignore_patterns("node_modules")))
    node, npm = _node()
    env = {
        **os.environ,
        "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}",
        "NODE_OPTIONS": "--use-system-ca",
    }
    subprocess.run(
        [node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, env=env, check=True
    )

    told = subprocess.run(
        [node, "parse.mjs"],
        cwd=folder,
        env=env,
        input=json.dumps([*QUERIES, *BROKEN]),
        capture_output=True,
        text=True,
        check=True,
    )

    assert {language for language, _ in QUERIES} == {"prometheus", "loki", "tempo"}
    assert json.loads(told.stdout) == BROKEN
