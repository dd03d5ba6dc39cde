INSERT INTO views (name, generation, version, state) VALUES ('catalogue', 1, 1, 'live'), ('catalogue', 2, 2, 'building');
INSERT INTO checkpoints VALUES ('catalogue', 1, 0, 1);
