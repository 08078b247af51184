-- Spans of goals, for some days. A change of this file is a new number in the last line: the schema is then made
-- anew, and what was kept until then is gone.

CREATE SCHEMA agenthub_traces;

-- `service` is who has written a span: another one can neither replace it nor keep it away. `parent_id` is empty when
-- there is none, `linked` are the traces of the goals that a span without a goal is about.
CREATE TABLE agenthub_traces.spans (
    trace_id bytea NOT NULL,
    span_id bytea NOT NULL,
    service text NOT NULL,
    parent_id bytea NOT NULL,
    goal_id text,
    task_id text,
    name text NOT NULL,
    kind text NOT NULL,
    began_ns bigint NOT NULL,
    took_ns bigint NOT NULL,
    failed text,
    attributes jsonb NOT NULL,
    linked bytea[],
    kept_at timestamptz NOT NULL,
    PRIMARY KEY (trace_id, span_id, service)
);
CREATE INDEX spans_of_goals ON agenthub_traces.spans (goal_id) WHERE goal_id IS NOT NULL;
CREATE INDEX spans_about_goals ON agenthub_traces.spans USING gin (linked) WHERE linked IS NOT NULL;
CREATE INDEX spans_by_age ON agenthub_traces.spans USING brin (kept_at);

COMMENT ON SCHEMA agenthub_traces IS '1';
