"""Synthesis: notes become sound."""

from processors.handler import Processor
from processors.synthesis.render import INSTRUMENT_CARD, INSTRUMENT_MODEL, render_notes

__all__ = ("INSTRUMENT_CARD", "INSTRUMENT_MODEL", "PROCESSORS")

PROCESSORS: tuple[Processor, ...] = (render_notes,)
