"""Our analyses, one a task: from a signal to an answer. To have yours scored, add or change a line of OURS.

Imports are made when asked for, so that a craft in pieces spoils no figure but its own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.hearing.answers import Answer, Beats, Keys
from benchmarks.hearing.truth import Labelled
from processors.audio.signal import Signal


def beats(signal: Signal) -> Beats:
    """Beats, bars, tempo and its course, swing."""
    from processors.rhythm.beats import beats_of

    found = signal.once(beats_of)
    return Beats(
        found.times_s,
        found.tempo_bpm,
        found.times_s[found.downbeats],
        int(np.bincount(found.lengths).argmax()) if len(found.lengths) else None,
        np.column_stack([found.times_s, found.tempi_bpm]) if len(found.times_s) else None,
        found.swing,
    )


def key(signal: Signal) -> Keys:
    """The key."""
    from processors.harmony.key import key_of
    from processors.harmony.labels import PITCH_CLASSES

    found = signal.once(key_of).key
    return Keys((PITCH_CLASSES[found.tonic], found.mode) if found else None)


def chords(signal: Signal) -> Labelled:
    """Chords."""
    from processors.harmony.chords import chords_of

    return [(span.start_s, span.end_s, span.label) for span in signal.once(chords_of).spans]


def likeness(signal: Signal) -> np.ndarray:
    """The embedding by which what sounds alike is found."""
    from domain.values import unpack_floats
    from events.analyses import EmbeddingComputed
    from processors.audio.embedding import compute_embedding

    event = compute_embedding.handle(_Asset(), signal)
    assert isinstance(event, EmbeddingComputed)
    return np.asarray(unpack_floats(event.vector), float)


class _Asset:
    """What a handler reads of the event it answers."""

    asset_id = "00000000-0000-4000-8000-000000000000"


OURS: dict[str, Callable[[Signal], Answer]] = {
    "beats": beats,
    "key": key,
    "chords": chords,
    "retrieval": likeness,
}
"""By the name of the task, see `tasks.TASKS`."""
