"""Lyrics: what words came with a recording, and how they are made."""
