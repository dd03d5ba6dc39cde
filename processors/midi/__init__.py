"""Notes: MIDI files and scores, read, written and described."""
