"""What setting up a database asks of Postgres: the database itself, and the ledger of its migrations."""

from __future__ import annotations

DATABASE = "SELECT 1 FROM pg_database WHERE datname = $1"
LEDGER = """
CREATE TABLE IF NOT EXISTS public.agenthub_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
LOCK_FOR_TRANSACTION = "SELECT pg_advisory_xact_lock($1)"
APPLIED = "SELECT number, name, sha256 FROM public.agenthub_migrations"
ADD_APPLIED = "INSERT INTO public.agenthub_migrations (number, name, sha256) VALUES ($1, $2, $3)"
DROP_LEDGER = "DROP TABLE public.agenthub_migrations"
LEDGER_COLUMNS = """
SELECT attname::text AS name FROM pg_attribute
WHERE attrelid = to_regclass('public.agenthub_migrations') AND attnum > 0 AND NOT attisdropped
"""
PUBLIC = "CREATE SCHEMA IF NOT EXISTS public"
RELATIONS = """
SELECT relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind NOT IN ('i', 'I', 't')
"""
IS_TAKEN = "SELECT to_regnamespace($1) IS NOT NULL OR to_regclass('public.' || $1) IS NOT NULL"


def drop_schema(schema: str) -> str:
    """Remove a schema with its tables, if it is there."""
    return f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'


def rename_schema(schema: str, name: str) -> str:
    """Give a schema another name."""
    return f'ALTER SCHEMA "{schema}" RENAME TO "{name}"'


def rename_ledger(name: str) -> str:
    """Give what stands in the place of the ledger another name."""
    return f'ALTER TABLE public.agenthub_migrations RENAME TO "{name}"'


def create_database(name: str) -> str:
    """Make an empty database."""
    return f'CREATE DATABASE "{name}"'
