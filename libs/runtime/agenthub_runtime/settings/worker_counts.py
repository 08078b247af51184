"""How many workers of which agent types: `coding=3,testing=2,architect+planner=1`."""

from __future__ import annotations

from collections.abc import Mapping

from agenthub_events.agent_types import AGENT_TYPES, AgentType, agent_type_of
from agenthub_events.errors import InvalidInput

DEFAULT_WORKERS = "architect+planner=1,coding=3,testing=2,debug=1,security=1,review=1"
MOST = 64


def parse_workers(text: str) -> dict[str, int]:
    """Read `type=count,…`; `a+b=1` is one worker that serves both types. Raises `InvalidInput`.

    Keys of the result are types joined by `+`, in the order of the text; a count of 0 leaves the type out.
    """
    counts: dict[str, int] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        names, separator, number = part.partition("=")
        key = "+".join(agent_type_of(name) for name in names.split("+"))
        count = number.strip() if separator else "1"
        if not count.isdecimal() or int(count) > MOST:
            raise InvalidInput(
                f"`{part[:60]}`: write <type>=<count> with a count from 0 to {MOST}, e.g. coding=3",
                field="workers",
            )
        if key in counts:
            raise InvalidInput(f"`{key}` is named twice: name each type once", field="workers")
        counts[key] = int(count)
    if not any(counts.values()):
        raise InvalidInput(
            f"no workers in `{text[:60]}`: write <type>=<count>, e.g. coding=3,testing=2", field="workers"
        )
    return {key: count for key, count in counts.items() if count}


def unserved(workers: Mapping[str, int]) -> tuple[AgentType, ...]:
    """The agent types whose tasks would wait for ever with these workers."""
    served = {name for key in workers for name in key.split("+")}
    return tuple(agent_type for agent_type in AGENT_TYPES if agent_type != "noop" and agent_type not in served)
