"""Asks programs of this machine what they are, and how somebody has set them up."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence

from agenthub_runtime.processes.spawn import Output, run

ASK_WITHIN_S = 120.0


class ProgramSilent(Exception):
    """A program of this machine has not said what it was asked about itself."""


async def answer_of(
    command: Sequence[str], environment: Mapping[str, str], *, within_s: float = ASK_WITHIN_S
) -> Output | None:
    """What a program answers; None where it cannot be started.

    Raises `ProgramSilent` where it has not answered within so many seconds: what it would have said is not known
    then, which is something else than that it has nothing to say.
    """
    try:
        async with asyncio.timeout(within_s):
            return await run(command, env=dict(environment))
    except TimeoutError as error:
        raise ProgramSilent(f"`{shlex.join(command)}` has not answered within {within_s:g} s") from error
    except OSError:
        return None
