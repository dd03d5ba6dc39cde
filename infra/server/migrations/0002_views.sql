-- The views there are: each generation, what it is for readers, and how far it has come in each partition, or
-- why it gets no further.
CREATE TABLE views (
    name text NOT NULL, generation integer NOT NULL, version integer NOT NULL,
    state text NOT NULL CHECK (state IN ('live', 'building', 'retired')), changed timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, generation));
CREATE UNIQUE INDEX live_views ON views (name) WHERE state = 'live';
CREATE TABLE checkpoints (
    name text NOT NULL, generation integer NOT NULL, partition integer NOT NULL, position bigint NOT NULL,
    failure text, PRIMARY KEY (name, generation, partition),
    FOREIGN KEY (name, generation) REFERENCES views ON DELETE CASCADE);
