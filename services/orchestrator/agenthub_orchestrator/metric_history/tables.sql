-- Metrics of the hub by the minute, for some days. A change of this file is a new number in the last line: the schema
-- is then made anew, and what was kept until then is gone.

CREATE SCHEMA agenthub_metrics;

-- What was measured or counted in the minute that began `at`: how many, together, and the highest single one.
CREATE TABLE agenthub_metrics.points (
    metric text NOT NULL,
    label text NOT NULL,
    at timestamptz NOT NULL,
    count bigint NOT NULL,
    sum double precision NOT NULL,
    max double precision NOT NULL,
    PRIMARY KEY (metric, label, at)
);
CREATE INDEX points_by_age ON agenthub_metrics.points USING brin (at);

COMMENT ON SCHEMA agenthub_metrics IS '1';
