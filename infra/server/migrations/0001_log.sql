-- The sequencer: where the log stands, what each event is and where, and what Kafka has not yet.
-- `published` has a row for each batch in Kafka; its n-th event is in the n-th of `partitions` at the n-th of `offsets`
-- (uint16 and int64, little-endian). `partitions` says which event each partition ends with.
CREATE TABLE sequencer (one boolean PRIMARY KEY DEFAULT true CHECK (one), position bigint NOT NULL);
INSERT INTO sequencer VALUES (true, 0);
CREATE TABLE projects (id bytea PRIMARY KEY, sequence bigint NOT NULL);
CREATE TABLE ledger (
    position bigint PRIMARY KEY, sequence bigint NOT NULL, checksum bigint NOT NULL, id bytea NOT NULL,
    project bytea NOT NULL, subject bytea NOT NULL, causation bytea, type text NOT NULL, source text NOT NULL,
    actor text NOT NULL, correlation text NOT NULL, version integer NOT NULL, time_us bigint NOT NULL,
    duration_ms bigint, data bytea, finding smallint NOT NULL);
CREATE UNIQUE INDEX ledger_by_subject ON ledger (subject, id);
CREATE UNIQUE INDEX ledger_by_id ON ledger (id) WHERE finding = 0;
CREATE UNIQUE INDEX ledger_by_project ON ledger (project, sequence);
CREATE TABLE outbox (position bigint PRIMARY KEY, data bytea);
CREATE TABLE published (
    first bigint PRIMARY KEY, last bigint NOT NULL UNIQUE, partitions bytea NOT NULL, offsets bytea NOT NULL);
CREATE TABLE partitions (partition integer PRIMARY KEY, last bigint NOT NULL);
