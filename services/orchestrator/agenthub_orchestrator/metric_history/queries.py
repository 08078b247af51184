"""What keeping metrics asks of Postgres."""

from __future__ import annotations

ADD = """
INSERT INTO agenthub_metrics.points AS known (metric, label, at, count, sum, max) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (metric, label, at) DO UPDATE
SET count = known.count + excluded.count, sum = known.sum + excluded.sum, max = greatest(known.max, excluded.max)
"""
DELETE_OLD = "DELETE FROM agenthub_metrics.points WHERE at < $1"
