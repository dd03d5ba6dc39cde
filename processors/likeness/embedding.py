"""A vector in which a piece is near to its other renderings, in any key and at any pace, and to what sounds like it."""

from __future__ import annotations

import numpy as np

from domain.values import pack_floats
from events.analyses import EmbeddingComputed
from events.imports import AudioAdded
from processors.audio.signal import SPECTRUM, Signal
from processors.handler import processor
from processors.likeness.space import DIMENSIONS, SPACE, described, learnt, placed


def embed(signal: Signal) -> np.ndarray:
    """Return the vector of a sound, shape (128,), float32, unit length."""
    return placed(described(signal), learnt()).astype(np.float32)


@processor("2")
def compute_embedding(event: AudioAdded, signal: Signal) -> EmbeddingComputed:
    """Place the sound in the space of pieces and sounds."""
    return EmbeddingComputed(
        asset_id=event.asset_id,
        parameters=dict(SPECTRUM),
        space=SPACE,
        dimensions=DIMENSIONS,
        vector=pack_floats(embed(signal)),
    )
