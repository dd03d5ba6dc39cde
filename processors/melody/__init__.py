"""Melody: the pitch of one voice or of the tune in a mix, its notes, its vibrato."""
