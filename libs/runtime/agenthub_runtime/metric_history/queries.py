"""What reading the history of metrics asks of Postgres."""

from __future__ import annotations

POINTS = """
SELECT metric, label, date_bin($4, at, '1970-01-01T00:00:00Z') AS began,
       sum(count)::bigint AS count, sum(sum) AS sum, max(max) AS max
FROM agenthub_metrics.points
WHERE metric = ANY($1) AND at >= $2 AND at <= $3
GROUP BY metric, label, began ORDER BY metric, label, began
"""
