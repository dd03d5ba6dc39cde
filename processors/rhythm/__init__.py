"""Rhythm: onsets, beats, bars, tempo, swing and groove."""
