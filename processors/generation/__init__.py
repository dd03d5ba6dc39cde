"""Generation: new music from what was heard in other music."""

from processors.generation.accompaniment import ACCOMPANIMENT_CARD, ACCOMPANIMENT_MODEL, write_accompaniment
from processors.handler import Processor

__all__ = ("ACCOMPANIMENT_CARD", "ACCOMPANIMENT_MODEL", "PROCESSORS")

PROCESSORS: tuple[Processor, ...] = (write_accompaniment,)
