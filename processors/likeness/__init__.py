"""Likeness: what a piece keeps in another rendering, key and pace, and what it sounds like."""
