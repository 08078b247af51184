"""What keeping metrics asks of Postgres."""

from __future__ import annotations

ADD = """
INSERT INTO agenthub_metrics.points AS known (metric, label, at, count, sum, max) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (metric, label, at) DO UPDATE
SET count = known.count + excluded.count, sum = known.sum + excluded.sum, max = greatest(known.max, excluded.max)
"""
# Beside the table and not among those of its version: what was kept until then stays.
MAKE_COUNTED = "CREATE TABLE IF NOT EXISTS agenthub_metrics.counted (log text PRIMARY KEY, seq bigint NOT NULL)"
COUNTED = "SELECT seq FROM agenthub_metrics.counted WHERE log = $1"
# Nothing comes back when the log is not counted up to $3 any more, but further or less.
SET_COUNTED = """
INSERT INTO agenthub_metrics.counted AS known (log, seq) VALUES ($1, $2)
ON CONFLICT (log) DO UPDATE SET seq = excluded.seq WHERE known.seq = $3 RETURNING seq
"""
DELETE_OLD = "DELETE FROM agenthub_metrics.points WHERE at < $1"
