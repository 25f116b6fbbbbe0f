//! The table of records and its indexes.

/// `record` holds one row for each record. Its ids rise with time and tell when a record was made, so that a
/// page of a listing is a range of ids; each index ends with the id, and so gives a page of its records in
/// order, first or last, without a look at any other. Where several statuses are wanted, a page is merged
/// from one for each.
///
/// `record_failed` finds what may be retried, whatever else is in the file.
pub(crate) const TABLES: &str = "
CREATE TABLE record (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    revision INTEGER NOT NULL,
    workflow TEXT NOT NULL,
    run TEXT,
    activity TEXT NOT NULL,
    status INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    started INTEGER,
    completed INTEGER,
    duration INTEGER,
    error TEXT,
    reason TEXT,
    data TEXT,
    metadata TEXT
) STRICT;
CREATE INDEX record_workflow ON record (workflow, status, id);
CREATE INDEX record_activity ON record (activity, status, id);
CREATE INDEX record_status ON record (status, id);
CREATE INDEX record_failed ON record (retries, id) WHERE status = 3;

CREATE VIEW records AS
SELECT lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
    workflow, run, activity,
    CASE status WHEN 0 THEN 'pending' WHEN 1 THEN 'running' WHEN 2 THEN 'completed'
        WHEN 3 THEN 'failed' ELSE 'skipped' END AS status,
    retries, error, reason,
    strftime('%Y-%m-%dT%H:%M:%fZ', created / 1000.0, 'unixepoch') AS created,
    strftime('%Y-%m-%dT%H:%M:%fZ', started / 1000.0, 'unixepoch') AS started,
    strftime('%Y-%m-%dT%H:%M:%fZ', completed / 1000.0, 'unixepoch') AS completed,
    duration / 1000000.0 AS milliseconds, data, metadata
FROM record;
";
