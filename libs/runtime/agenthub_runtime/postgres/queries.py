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
COMMENT_OF_SCHEMA = "SELECT obj_description(to_regnamespace($1), 'pg_namespace')"
HAS_TABLE = "SELECT to_regclass($1) IS NOT NULL"

MAY_WRITE = """
SELECT coalesce(bool_or(has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE')), false)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""

ROLE = "SELECT 1 FROM pg_roles WHERE rolname = $1"
SET_PASSWORD = "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)"  # noqa: S105  a question
# Schemas of this database and their tables, then what is still to be made in it; what is granted already is left
# alone, so that a start changes nothing and waits for nobody.
READABLE = """
SELECT format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, $1::text) AS command
FROM pg_namespace n
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
  AND pg_has_role(n.nspowner, 'USAGE') AND NOT has_schema_privilege($1, n.oid, 'USAGE')
UNION ALL
SELECT format('GRANT SELECT ON %I.%I TO %I', n.nspname, c.relname, $1::text)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'v', 'm', 'p')
  AND pg_has_role(c.relowner, 'USAGE') AND NOT has_table_privilege($1, c.oid, 'SELECT')
UNION ALL
SELECT format('ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO %I; '
              'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO %I', $1::text, $1::text)
WHERE NOT EXISTS (
    SELECT 1 FROM pg_default_acl d, aclexplode(d.defaclacl) a
    WHERE d.defaclrole = current_user::regrole AND d.defaclobjtype = 'n' AND a.grantee = $1::regrole)
UNION ALL
SELECT 'REVOKE CREATE ON SCHEMA public FROM PUBLIC' WHERE has_schema_privilege($1, 'public', 'CREATE')
UNION ALL
SELECT format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database())
WHERE has_database_privilege($1, current_database(), 'TEMPORARY')
"""


def make_reader(role: str) -> str:
    """Make the role that reads."""
    return f'CREATE ROLE "{role}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE'


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
