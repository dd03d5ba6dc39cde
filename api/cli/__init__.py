"""The command line: one module a subject, each verb a few calls of the service; nothing heavy before a verb runs."""
