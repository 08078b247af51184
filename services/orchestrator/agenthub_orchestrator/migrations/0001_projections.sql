-- What the projections need before they have any table of their own. Everything else in this database is
-- derived from the log and lives in one schema per generation; `agenthub` holds views on the live one.

CREATE SCHEMA agenthub;

-- How far a generation of a projection has come in a stream. Moves only by compare-and-set, in the same
-- transaction as the rows.
CREATE TABLE agenthub.projection_positions (
    projection text NOT NULL,
    version integer NOT NULL,
    generation integer NOT NULL,
    source text NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (projection, version, generation, source)
);

-- Which generation readers see.
CREATE TABLE agenthub.projection_live (
    projection text PRIMARY KEY,
    version integer NOT NULL,
    generation integer NOT NULL
);
