-- How far each processor has come in each partition: what lies behind is answered, what lies ahead may be taken again.
CREATE TABLE processed (
    processor text NOT NULL, partition integer NOT NULL, position bigint NOT NULL, PRIMARY KEY (processor, partition));
