"""What happened: one module a topic, each event frozen and versioned; the envelope and its codec."""
