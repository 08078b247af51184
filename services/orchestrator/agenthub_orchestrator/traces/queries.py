"""What keeping spans asks of Postgres."""

from __future__ import annotations

INSERT = """
INSERT INTO agenthub_traces.spans
    (trace_id, span_id, service, parent_id, goal_id, task_id, name, kind, began_ns, took_ns, failed, attributes,
     linked, kept_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT DO NOTHING
"""
# In parts, so that none of them takes long.
DELETE_OLD = """
WITH old AS (
    DELETE FROM agenthub_traces.spans
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM agenthub_traces.spans WHERE kept_at < $1 LIMIT $2))
    RETURNING 1
)
SELECT count(*) FROM old
"""
COUNT = "SELECT count(*) FROM agenthub_traces.spans"
# Spans of one message were kept at one moment.
KEPT_LAST_OF = """
SELECT max(kept_at) FROM (SELECT kept_at FROM agenthub_traces.spans ORDER BY kept_at LIMIT $1) AS oldest
"""
DELETE_OF = "DELETE FROM agenthub_traces.spans WHERE goal_id = $1"
DELETE_ABOUT = """
WITH own AS (SELECT array_agg(DISTINCT trace_id) AS traces FROM agenthub_traces.spans WHERE goal_id = $1)
DELETE FROM agenthub_traces.spans USING own WHERE linked && own.traces AND linked <@ own.traces
"""
