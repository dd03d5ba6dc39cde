UPDATE sequencer SET position = 2;
INSERT INTO projects VALUES ('\x075ce50789285e1db9b746dc128e2e4b', 2);
INSERT INTO ledger VALUES
    (1, 1, 77, '\x00000000000000000000000000000001', '\x075ce50789285e1db9b746dc128e2e4b',
     '\x075ce50789285e1db9b746dc128e2e4b', NULL, 'disco.project.created', '/commands', 'ada', 'job', 1,
     1750000000000000, NULL, '{}', 0),
    (2, 2, 78, '\x00000000000000000000000000000002', '\x075ce50789285e1db9b746dc128e2e4b',
     '\x00000000000000000000000000000003', '\x00000000000000000000000000000001', 'disco.loudness.measured',
     '/processors/measure_loudness/1', 'disco', 'job', 1, 1750000000000001, 5, NULL, 1);
INSERT INTO outbox VALUES (2, '{}');
INSERT INTO published VALUES (1, 1, '\x0000', '\x0000000000000000');
INSERT INTO partitions VALUES (0, 1);
