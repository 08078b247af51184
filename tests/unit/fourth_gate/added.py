"""A fourth gate: its name and its entry. A plugin of pytest, loaded before anything has read the others."""

from __future__ import annotations

import re
from typing import Any, Literal, cast

from agenthub_events import gates
from agenthub_events.gates import GATES, Gate, GateWords

LICENCES = Gate(
    name=cast("Any", "licences"),
    title="Check the licences",
    agent_type="security",
    rests_on="findings",
    about=re.compile(r"\blicences?\b", re.I),
    diagnosis="Find out where the code comes from",
    words=GateWords(
        noun="licences",
        started="Started checking licences",
        passing="Licences in order",
        failing="Licences are missing",
        after_success="Licences checked",
        after_failure="Licences missing",
        failure="the licences gate failed",
        repair="Add the missing licences",
    ),
)

_first = [gate for gate in GATES.values() if gate.name != "review"]
gates.GATES = {gate.name: gate for gate in (*_first, LICENCES, GATES["review"])}
gates.GateName = Literal["tests", "security", "licences", "review"]
