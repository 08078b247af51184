"""What reading traces asks of Postgres."""

from __future__ import annotations

_COLUMNS = """
    trace_id, span_id, parent_id, service, task_id, name, kind, began_ns, took_ns, failed, attributes
"""
OF_GOAL = f"""
SELECT {_COLUMNS}, false AS is_about FROM agenthub_traces.spans WHERE goal_id = $1
UNION ALL
SELECT {_COLUMNS}, true FROM agenthub_traces.spans WHERE linked && ARRAY(
    SELECT DISTINCT trace_id FROM agenthub_traces.spans WHERE goal_id = $1)
ORDER BY began_ns, span_id
LIMIT $2
"""  # noqa: S608  columns of our own
OF_TASK = f"""
SELECT {_COLUMNS}, false AS is_about FROM agenthub_traces.spans WHERE goal_id = $1 AND task_id = $2
ORDER BY began_ns, span_id
LIMIT $3
"""  # noqa: S608  columns of our own
