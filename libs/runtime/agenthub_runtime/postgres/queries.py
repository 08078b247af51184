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


def create_database(name: str) -> str:
    """Make an empty database."""
    return f'CREATE DATABASE "{name}"'
