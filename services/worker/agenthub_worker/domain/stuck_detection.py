"""When an agent is stuck: it makes a call again and again that brings the same result.

Times and addresses in a result do not make it another. A change that was saved in between begins the count anew.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

SAME_CALLS = 4
UNSTICK = (
    "You have made the same call with the same result several times. Step back: say what you learned from it, then"
    " try another way, or ask a person with `ask_human` when you cannot go on."
)

_VARYING = re.compile(r"\b\d+(?:\.\d+)?\s?(?:ms|s|seconds?)\b|\b0x[0-9a-f]{6,}\b|\b\d{1,2}:\d{2}:\d{2}\b", re.I)


class CallWatch:
    """The calls of an attempt. `repeats` counts those that were as the newest; `warned`: the agent was told."""

    def __init__(self) -> None:
        self.repeats = 0
        self.warned = False
        self._seen: Counter[str] = Counter()

    @property
    def is_stuck(self) -> bool:
        """Whether something has to be said before the next call."""
        return self.repeats >= SAME_CALLS

    def see(self, name: str, input_: Mapping[str, Any], result: str, *, has_changed: bool) -> None:
        """Take a finished call in; `has_changed`: the workspace was saved with a change."""
        if has_changed:
            self._seen.clear()
        signature = _signature(name, input_, result)
        self._seen[signature] += 1
        self.repeats = self._seen[signature]

    def warn(self) -> None:
        """The agent was told."""
        self.warned, self.repeats = True, 0


def _signature(name: str, input_: Mapping[str, Any], result: str) -> str:
    """A digest that is equal for equal calls with equal results."""
    call = msgspec.json.encode([name, input_], order="sorted")
    text = _VARYING.sub("~", result)
    return hashlib.sha256(call + b"\0" + text.encode()).hexdigest()
