"""Our analyses, one a task: from a signal to an answer. To have yours scored, add or change a line of OURS.

Imports are made when asked for, so that a craft in pieces spoils no figure but its own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.hearing.answers import Answer, Beats, Keys, Notes, Pitch
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
    """The key, and the keys on the way."""
    from processors.harmony.key import key_of
    from processors.harmony.labels import PITCH_CLASSES

    found = signal.once(key_of)
    local = [(span.start_s, span.end_s, span.key.name) for span in found.spans]
    return Keys((PITCH_CLASSES[found.key.tonic], found.key.mode) if found.key else None, local or None)


def chords(signal: Signal) -> Labelled:
    """Chords."""
    from processors.harmony.chords import chords_of

    return [(span.start_s, span.end_s, span.label) for span in signal.once(chords_of).spans]


def sections(signal: Signal) -> Labelled:
    """Sections, alike where their labels are."""
    from processors.structure.analysis import structure_of

    return [(one.start_s, one.end_s, one.label) for one in signal.once(structure_of).sections]


def numerals(signal: Signal) -> Labelled:
    """Roman numerals, each in its local key."""
    from processors.harmony.analysis import harmony_of

    found = signal.once(harmony_of)
    named = zip(found.chords, found.numerals, found.of_chords, strict=True)
    return [(span.start_s, span.end_s, f"{key.name}:{one.figure}" if one else "") for span, one, key in named]


def melody(signal: Signal) -> Pitch:
    """The pitch of one voice or of the tune; told where nothing sounds, too, with its sign turned."""
    from processors.melody.analysis import melody_of
    from processors.melody.voice import RATE_HZ

    found = signal.once(melody_of)
    return Pitch(np.arange(len(found.hz)) / RATE_HZ, np.where(found.voiced, found.hz, -found.hz))


def notes(signal: Signal) -> Notes:
    """Notes, written down."""
    from processors.transcription.written import written

    found = signal.once(written)
    columns = (found.start_s, found.end_s, found.pitch)
    return list(zip(*(column.astype(float).tolist() for column in columns), strict=True))


def family(signal: Signal) -> str:
    """The family of instruments that leads; nothing where none is told."""
    from processors.timbre.family import instruments_of

    return signal.once(instruments_of).family or ""


def likeness(signal: Signal) -> np.ndarray:
    """The embedding by which what sounds alike is found."""
    from domain.values import unpack_floats
    from events.analyses import EmbeddingComputed
    from processors.likeness.embedding import compute_embedding

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
    "numerals": numerals,
    "sections": sections,
    "voice": melody,
    "melody": melody,
    "notes": notes,
    "retrieval": likeness,
    "family": family,
}
"""By the name of the task, see `tasks.TASKS`."""
