"""Rows into their tables: one statement a table, whole rows, last one wins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, get_type_hints

from agenthub_orchestrator.projector import queries
from agenthub_runtime.postgres.database import Connection
from agenthub_runtime.readmodels.rows import ROW_KINDS, DependencyRow, Row

# The tables; dependencies are a view on the tasks.
TABLES: tuple[type[Row], ...] = tuple(kind for kind in ROW_KINDS if kind is not DependencyRow)

_BIGINT_MAX = 2**63 - 1


class _Table(NamedTuple):
    columns: tuple[str, ...]
    cleaners: tuple[Callable[[Any], Any] | None, ...]
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
        value if clean is None else clean(value)
        for clean, value in zip(table.cleaners, (getattr(row, name) for name in table.columns), strict=True)
    ]


def _text(value: str) -> str:
    # Postgres keeps no NUL in a text.
    return value.replace("\0", "\ufffd") if "\0" in value else value


def _number(value: int) -> int:
    return value if -_BIGINT_MAX <= value <= _BIGINT_MAX else _BIGINT_MAX


def _spec(kind: type[Row]) -> _Table:
    columns = kind.__struct_fields__
    hints = get_type_hints(kind)
    by_type: dict[Any, Callable[[Any], Any]] = {str: _text, int: _number}
    return _Table(
        columns,
        tuple(by_type.get(hints[name]) for name in columns),
        queries.upsert(kind),
    )


_SPECS = {kind: _spec(kind) for kind in TABLES}
