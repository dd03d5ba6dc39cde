"""The tables of an installation, but for its views: numbered steps forward, each applied once and never changed.

A step is a file NNNN_what_it_does.sql; names in it are looked up in the installation's own schema.
"""
