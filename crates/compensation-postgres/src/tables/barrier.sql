-- Which actions and undos had their effect, by their keys.
CREATE TABLE barrier (
    key text COLLATE "C" NOT NULL,
    part smallint NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    output text,
    PRIMARY KEY (key, part)
);
