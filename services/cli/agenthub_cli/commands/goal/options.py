"""Options that several commands on goals have, and how they print what has come of them."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter

from agenthub_cli.terminal.output import print_json, say

Lines: TypeAlias = Annotated[bool, Parameter(negative="", help="Lines instead of a tree, also on a terminal")]
Verbose: TypeAlias = Annotated[
    bool, Parameter(name=("--verbose", "-v"), negative="", help="Also every tool that an agent calls")
]


def print_result(answer: Any, sentence: str, *, json: bool) -> None:
    """What came of a command: a sentence for people, the answer for programs."""
    if json:
        print_json(answer)
    else:
        say(sentence)
