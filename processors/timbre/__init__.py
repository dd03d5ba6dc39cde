"""Timbre: brightness, roughness, warmth, attack, the family of the instrument, and words for what is heard."""
