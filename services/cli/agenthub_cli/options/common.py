"""Options that nearly every command has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

from agenthub_cli.checked import is_key

Url: TypeAlias = Annotated[
    str | None,
    Parameter(name="--url", env_var="AGENTHUB_URL", help="Address of the hub; default: the running one"),
]
Json: TypeAlias = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON, one object a line")]
Key: TypeAlias = Annotated[
    str | None,
    Parameter(
        name="--key",
        validator=is_key,
        help="Idempotency key: the same key is the same command, however often sent",
    ),
]
DataDirOption: TypeAlias = Annotated[
    Path | None, Parameter(name="--data-dir", env_var="AGENTHUB_DATA_DIR", help="Folder of the embedded hub")
]
PriorityWord: TypeAlias = Literal["low", "normal", "high", "urgent"]
