-- Which version of these tables there is; the table marks the schema as ours.
CREATE TABLE compensation_schema (
    version integer PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE plan (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    digest bytea NOT NULL,
    body text NOT NULL,
    UNIQUE (name, digest)
);

-- A saga's head and journal entry 0; `journal` holds all further entries, so that a saga's start is one row.
-- Moments are milliseconds since 1970.
CREATE TABLE saga (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    plan integer NOT NULL,
    owner integer,
    status smallint NOT NULL,
    id text COLLATE "C" NOT NULL UNIQUE,
    reason text,
    input text NOT NULL,
    start text NOT NULL
);
-- What is owned, and what is to be claimed. Finished sagas are not in it.
CREATE INDEX saga_driven ON saga (owner, key) WHERE owner IS NOT NULL OR status < 2;
-- The few that a person may look for among millions.
CREATE INDEX saga_failed ON saga (status, key) WHERE status > 2;

CREATE TABLE journal (
    saga bigint NOT NULL,
    at bigint NOT NULL,
    seq integer NOT NULL,
    -- Which owner wrote it. Two may write the same words, and only one of them has written this.
    owner integer NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (saga, seq)
);

-- Who owns sagas. A row is an owner's right to write: whoever finds it dead writes so here, before anything of
-- it is given away. Its session holds an advisory lock while it lives.
CREATE SEQUENCE owner_id AS integer;
CREATE TABLE owner (
    id integer PRIMARY KEY,
    backend integer NOT NULL,
    backend_since timestamptz NOT NULL,
    silence interval NOT NULL,
    process text NOT NULL,
    dead boolean NOT NULL DEFAULT false
);

CREATE TABLE letter (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text COLLATE "C" NOT NULL UNIQUE,
    saga bigint NOT NULL,
    at bigint NOT NULL,
    taken boolean NOT NULL DEFAULT false,
    body text NOT NULL,
    answer text
);
CREATE INDEX letter_open ON letter (number) WHERE answer IS NULL;
CREATE INDEX letter_saga ON letter (saga);

CREATE VIEW sagas AS
SELECT saga.id, plan.name AS saga,
    CASE saga.status WHEN 0 THEN 'running' WHEN 1 THEN 'compensating' WHEN 2 THEN 'completed'
        WHEN 3 THEN 'compensated' WHEN 4 THEN 'stuck' ELSE 'abandoned' END AS status,
    saga.reason, to_timestamp(saga.created / 1000.0) AS created,
    to_timestamp(saga.updated / 1000.0) AS updated, saga.input, owner.process AS owner
FROM saga JOIN plan ON plan.id = saga.plan LEFT JOIN owner ON owner.id = saga.owner;
