"""Harmony: tuning, pitch salience, key, chords, Roman numerals, cadences."""
