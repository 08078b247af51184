"""What the projector asks of its tables: to take a row in, and to give all of them out. Names are our own."""

from __future__ import annotations

from agenthub_runtime.readmodels.rows import Row


def upsert(kind: type[Row]) -> str:
    """Put a row in, or in the place of the one with its key; `{schema}` is left to be filled in."""
    columns = kind.__struct_fields__
    names = ", ".join(columns)
    places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in kind.key)
    return (
        f'INSERT INTO "{{schema}}".{kind.table} ({names}) VALUES ({places})'  # noqa: S608
        f" ON CONFLICT ({', '.join(kind.key)}) DO UPDATE SET {changes}"
    )


def all_rows(kind: type[Row], schema: str) -> str:
    """Rows of a table as texts, in the order of their keys as texts."""
    keys = ", ".join(f'{name}::text COLLATE "C"' for name in kind.key)
    return f'SELECT ARRAY[{keys}] AS key, t::text AS row FROM "{schema}"."{kind.table}" t ORDER BY 1'  # noqa: S608


def left_out(schema: str) -> str:
    """What the generation in this schema leaves out, in the order of the log."""
    source = f'"{schema}".dead_letters'
    return f"SELECT aggregate, subject, seq, reason FROM {source} WHERE kind = 'unwritable' ORDER BY seq"  # noqa: S608
