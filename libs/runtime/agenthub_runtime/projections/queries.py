"""What projections ask of Postgres: their positions, their sets of tables, and locks against each other."""

from __future__ import annotations

POSITION = """
SELECT position FROM agenthub.projection_positions
WHERE projection = $1 AND version = $2 AND generation = $3 AND source = $4
"""
MOVE_POSITION = """
UPDATE agenthub.projection_positions SET position = $5
WHERE projection = $1 AND version = $2 AND generation = $3 AND source = $4 AND position = $6
"""
ADD_POSITION = """
INSERT INTO agenthub.projection_positions (projection, version, generation, source, position)
VALUES ($1, $2, $3, $4, 0)
"""
LOCK_POSITIONS = """
SELECT version, generation, position FROM agenthub.projection_positions
WHERE projection = $1 AND source = $2 FOR UPDATE
"""
DROP_POSITIONS = """
DELETE FROM agenthub.projection_positions WHERE projection = $1 AND version = $2 AND generation = $3
"""
NEXT_NUMBER = "SELECT coalesce(max(generation), 0) + 1 FROM agenthub.projection_positions WHERE projection = $1"
LIVE = "SELECT version, generation FROM agenthub.projection_live WHERE projection = $1"
SET_LIVE = """
INSERT INTO agenthub.projection_live (projection, version, generation) VALUES ($1, $2, $3)
ON CONFLICT (projection) DO UPDATE SET version = excluded.version, generation = excluded.generation
"""
LOCK = "SELECT pg_advisory_lock(hashtextextended($1, 0))"
LOCK_FOR_TRANSACTION = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
# Sent by the server when, and only when, the transaction commits.
NOTIFY = "SELECT pg_notify($1, $2)"


def create_schema(schema: str) -> str:
    """Make a schema, and make the rest of the transaction work in it."""
    return f'CREATE SCHEMA "{schema}"; SET LOCAL search_path TO "{schema}"'


def drop_schema(schema: str) -> str:
    """Remove a schema with its tables, if it is there."""
    return f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'


def show_table(schema: str, table: str) -> str:
    """Let readers see the table of this schema."""
    # Dropped first: a view cannot be replaced by one with other columns.
    source = f'"{schema}"."{table}"'
    return f'DROP VIEW IF EXISTS agenthub."{table}"; CREATE VIEW agenthub."{table}" AS SELECT * FROM {source}'  # noqa: S608
