"""Rows into their tables: one statement a table, whole rows, last one wins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from types import NoneType
from typing import Any, NamedTuple, get_args, get_type_hints

from agenthub_orchestrator.projector import queries
from agenthub_runtime.postgres import values
from agenthub_runtime.postgres.database import Connection
from agenthub_runtime.readmodels.rows import ROW_KINDS, DependencyRow, Row

# The tables; dependencies are a view on the tasks.
TABLES: tuple[type[Row], ...] = tuple(kind for kind in ROW_KINDS if kind is not DependencyRow)

# Names of goals and tasks are cleaned alike in all tables, or rows that belong together would not meet.
_KEYS = {"goal_id", "task_id", *(name for kind in TABLES for name in kind.key)}
_CLEANERS: dict[Any, Callable[[Any], Any]] = {
    str: values.text,
    int: values.whole_number,
    float: values.real_number,
    bool: bool,
    datetime: values.moment,
}


class _Table(NamedTuple):
    columns: tuple[str, ...]
    cleaners: tuple[Callable[[Any], Any], ...]
    upsert: str


class RowChanges:
    """Changed rows of a batch, for the tables in `schema`."""

    def __init__(self, schema: str, rows: Iterable[Row]) -> None:
        self._schema = schema
        self.rows = list(rows)

    async def write(self, connection: Connection) -> None:
        """Insert the rows or replace those of the same key, in the caller's transaction."""
        by_kind: defaultdict[type[Row], dict[tuple[Any, ...], Row]] = defaultdict(dict)
        for row in self.rows:
            by_kind[type(row)][tuple(getattr(row, name) for name in row.key)] = row
        for kind in TABLES:
            rows = by_kind.get(kind)
            if rows:
                table = _SPECS[kind]
                await connection.executemany(
                    table.upsert.format(schema=self._schema), [_values(table, row) for row in rows.values()]
                )


def _values(table: _Table, row: Row) -> list[Any]:
    return [
        None if value is None else clean(value)
        for clean, value in zip(table.cleaners, (getattr(row, name) for name in table.columns), strict=True)
    ]


def _cleaner(name: str, hint: Any) -> Callable[[Any], Any]:
    if hint is str and name in _KEYS:
        return values.key
    kinds = {kind for kind in get_args(hint) if kind is not NoneType} or {hint}
    return _CLEANERS.get(kinds.pop(), values.document) if len(kinds) == 1 else values.document


def _spec(kind: type[Row]) -> _Table:
    columns = kind.__struct_fields__
    hints = get_type_hints(kind)
    return _Table(
        columns,
        tuple(_cleaner(name, hints[name]) for name in columns),
        queries.upsert(kind),
    )


_SPECS = {kind: _spec(kind) for kind in TABLES}
