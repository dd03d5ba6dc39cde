INSERT INTO processed VALUES ('measure_loudness', 0, 1);
