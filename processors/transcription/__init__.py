"""Transcription: the notes of a recording, written down with how surely each was heard."""
