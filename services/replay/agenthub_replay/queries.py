"""What replay asks of Postgres: whether a schema is one of its own."""

from __future__ import annotations

MARK = "made by agenthub replay"

# The comment tells what replay may drop from what it may not.
SCHEMA_COMMENT = """
SELECT obj_description(oid, 'pg_namespace') AS comment FROM pg_namespace WHERE nspname = $1
"""


def mark(schema: str) -> str:
    """Let the schema be known as made by replay; `schema` is a checked name."""
    return f"COMMENT ON SCHEMA \"{schema}\" IS '{MARK}'"
