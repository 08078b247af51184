"""Names of goals and tasks, as every command takes them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from cyclopts import Parameter

from agenthub_cli.checked import Id

GoalId: TypeAlias = Annotated[
    Id, Parameter(help="Id of the goal, the beginning of it, or `@last` (`agenthub goal list` shows them)")
]
TaskName: TypeAlias = Annotated[
    Id, Parameter(help="Name or id of the task, or the beginning of it (`agenthub goal plan` shows them)")
]
QuestionId: TypeAlias = Annotated[
    Id, Parameter(help="Id of the question, the beginning of it, or `@last` (`agenthub inbox` shows them)")
]
LetterId: TypeAlias = Annotated[
    Id,
    Parameter(help="Id of the dead letter, the beginning of it, or `@last` (`agenthub dead-letters` shows them)"),
]
