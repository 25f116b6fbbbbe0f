-- A file of schema 1: its tables, and two sagas, one of them open.
PRAGMA journal_mode = wal;

CREATE TABLE plan (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    hash INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX plan_hash ON plan (hash);

CREATE TABLE saga (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    plan INTEGER NOT NULL REFERENCES plan (id),
    status INTEGER NOT NULL,
    owner INTEGER,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    reason TEXT,
    input TEXT NOT NULL,
    start TEXT NOT NULL
) STRICT;
CREATE INDEX saga_driven ON saga (owner) WHERE owner IS NOT NULL OR status < 2;
CREATE INDEX saga_failed ON saga (status, key) WHERE status > 2;

CREATE TABLE journal (
    saga INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (saga, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE owner (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pid INTEGER NOT NULL,
    since INTEGER NOT NULL
) STRICT;

CREATE TABLE counts (
    status INTEGER PRIMARY KEY,
    sagas INTEGER NOT NULL
) STRICT;
INSERT INTO counts VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0);

CREATE VIEW sagas AS
SELECT saga.id, plan.name AS saga,
    CASE saga.status WHEN 0 THEN 'running' WHEN 1 THEN 'compensating' WHEN 2 THEN 'completed'
        WHEN 3 THEN 'compensated' WHEN 4 THEN 'stuck' ELSE 'abandoned' END AS status,
    saga.reason,
    strftime('%Y-%m-%dT%H:%M:%fZ', saga.created / 1000.0, 'unixepoch') AS created,
    strftime('%Y-%m-%dT%H:%M:%fZ', saga.updated / 1000.0, 'unixepoch') AS updated,
    saga.input, saga.owner
FROM saga JOIN plan ON plan.id = saga.plan;

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

PRAGMA application_id = 1935763297;
PRAGMA user_version = 1;
INSERT INTO plan VALUES (1, 'trip', 7, '{"saga":"trip"}');
INSERT INTO saga VALUES (1, 'first', 1, 2, NULL, 1000, 2000, NULL, '41', '[0]');
INSERT INTO saga VALUES (2, 'second', 1, 0, NULL, 3000, 3000, NULL, '42', '[0]');
INSERT INTO journal VALUES (2, 1, 4000, '[1]');
UPDATE counts SET sagas = 1 WHERE status IN (0, 2);
