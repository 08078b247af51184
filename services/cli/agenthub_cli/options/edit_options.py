"""What a person changes in a task before it runs again, as options of a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from agenthub_cli.checked import Count


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class EditOptions:
    """Changed fields of the task; what is not given stays as it is."""

    title: Annotated[str | None, Parameter(help="New title of the task")] = None
    details: Annotated[str | None, Parameter(help="New description of the task")] = None
    agent: Annotated[str | None, Parameter(help="Who does the task from now on")] = None
    timeout_s: Annotated[Count | None, Parameter(help="New limit of time of an attempt, in seconds")] = None

    def body(self) -> dict[str, object]:
        """The `edits` of a request; empty when nothing is changed."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return {"edits": given} if given else {}


AS_IT_IS = EditOptions()
