"""Notes: MIDI files and scores, read, written and described."""

from processors.handler import Processor
from processors.midi.describe import describe_notes

PROCESSORS: tuple[Processor, ...] = (describe_notes,)
