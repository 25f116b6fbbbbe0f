-- Records of undos. Their ids rise with time and tell when a record was made, so that a page of a listing is a
-- range of ids; each index ends with the id.
CREATE TABLE record (
    id uuid PRIMARY KEY,
    revision bigint NOT NULL,
    status smallint NOT NULL,
    retries bigint NOT NULL,
    updated bigint NOT NULL,
    started bigint,
    completed bigint,
    duration bigint,
    workflow text COLLATE "C" NOT NULL,
    run text,
    activity text COLLATE "C" NOT NULL,
    error text,
    reason text,
    data text,
    metadata text
);
CREATE INDEX record_workflow ON record (workflow, status, id);
CREATE INDEX record_activity ON record (activity, status, id);
CREATE INDEX record_status ON record (status, id);
CREATE INDEX record_failed ON record (retries, id) WHERE status = 3;

CREATE VIEW records AS
SELECT id, workflow, run, activity,
    CASE status WHEN 0 THEN 'pending' WHEN 1 THEN 'running' WHEN 2 THEN 'completed'
        WHEN 3 THEN 'failed' ELSE 'skipped' END AS status,
    retries, error, reason, to_timestamp(started / 1000.0) AS started,
    to_timestamp(completed / 1000.0) AS completed, duration / 1000000.0 AS milliseconds, data, metadata
FROM record;
