"""What a finished command tells the shell."""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
BLOCKED = 3
UNREACHABLE = 4
TIMED_OUT = 124
INTERRUPTED = 130

MEANING: dict[int, str] = {
    OK: "done",
    FAILED: "the goal failed or was cancelled, or the command could not be carried out",
    USAGE: "the command was not understood",
    BLOCKED: "the goal waits for a person",
    UNREACHABLE: "no hub answers at this address",
    TIMED_OUT: "the time given with --timeout is over",
    INTERRUPTED: "ended by Ctrl-C; a goal that was watched goes on",
}
