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
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname ~ ('^' || $1 || '_v[0-9]{1,9}_g[0-9]{1,9}$')"
NEXT_NUMBER = """
SELECT greatest(
    (SELECT max(generation) FROM agenthub.projection_positions WHERE projection = $1),
    (SELECT max(split_part(nspname, '_g', 2)::integer) FROM pg_namespace
     WHERE nspname ~ ('^' || $1 || '_v[0-9]{1,9}_g[0-9]{1,9}$')),
    0) + 1
"""
SHAPE = """
SELECT c.relname::text AS name, c.relkind::text AS kind,
       array_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull) ORDER BY a.attnum)
           AS columns
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = $1
GROUP BY c.relname, c.relkind
"""
SHOWN = """
SELECT DISTINCT v.relname::text AS name
FROM pg_rewrite r
JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
JOIN pg_namespace vn ON vn.oid = v.relnamespace AND vn.nspname = 'agenthub'
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class t ON t.oid = d.refobjid AND t.relname = v.relname
JOIN pg_namespace tn ON tn.oid = t.relnamespace AND tn.nspname = $1
"""
KIND = """
SELECT c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'agenthub' AND c.relname = $1
"""
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
    """Let readers see the table of this schema, through a view that has the same columns or is not there."""
    return f'CREATE OR REPLACE VIEW agenthub."{table}" AS SELECT * FROM "{schema}"."{table}"'  # noqa: S608


def drop_view(view: str) -> str:
    """Remove what readers see, with all that others have built on it."""
    return f'DROP VIEW agenthub."{view}" CASCADE'


def rename_relation(kind: str, relation: str, name: str) -> str:
    """Give a relation of this `relkind` another name."""
    return f'ALTER {"TYPE" if kind == "c" else "TABLE"} agenthub."{relation}" RENAME TO "{name}"'


def wait_for_locks(seconds: int) -> str:
    """How long questions of the session wait for a lock; 0 is for ever."""
    return f"SET lock_timeout = '{seconds}s'"
