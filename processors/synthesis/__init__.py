"""Synthesis: notes become sound."""
