"""The key of tunes without chords, and of pieces that begin elsewhere than they end."""

from __future__ import annotations

import numpy as np
import pytest
from audio_material import analyse, chord, note

from processors.audio.signal import Signal
from processors.harmony.analysis import estimate_key
from processors.harmony.labels import PITCH_CLASSES

TUNES = {
    "Frère Jacques": ("major", "0 2 4 0 0 2 4 0 4 5 7: 4 5 7: 7. 9. 7. 5. 4 0 7. 9. 7. 5. 4 0 0 -5 0: 0 -5 0:"),
    "Ode to Joy": ("major", "4 4 5 7 7 5 4 2 0 0 2 4 4 2. 2: 4 4 5 7 7 5 4 2 0 0 2 4 2 0. 0:"),
    "Ah vous dirai-je": (
        "major",
        "0 0 7 7 9 9 7: 5 5 4 4 2 2 0: 7 7 5 5 4 4 2: 7 7 5 5 4 4 2: 0 0 7 7 9 9 7: 5 5 4 4 2 2 0:",
    ),
    "Greensleeves": (
        "minor",
        "0 3: 5 7: 8. 7 5: 2 -2: 0. 2 3: 0 0: -1. 0 2: -1 -5: 0 3: 5 7: 8. 7 5: 2 -2: 0. 2 3 2 0 -1 -3 -1 0: 0:",
    ),
    "Katyusha": ("minor", "0: 2 3: 0 3. 3. 2. 0. 2 -5: 2: 3 5: 2 5. 5. 3. 2. 0: 7: 12 10: 12 10. 8. 7. 5. 7 0: 0:"),
}
"""Semitones above the tonic; a note lasts .4 s, with a dot half of it, with a colon twice."""


def sung(text: str, tonic: int) -> Signal:
    """A tune, plucked."""
    parts = []
    for word in text.split():
        length_s = {":": 0.8, ".": 0.2}.get(word[-1], 0.4)
        parts.append(note(60 + tonic + int(word.rstrip(":.")), length_s))
    return Signal(np.concatenate(parts)[None].astype(np.float32), 44_100)


@pytest.mark.parametrize("tonic", [0, 5])
@pytest.mark.parametrize("name", TUNES)
def test_a_tune_alone_tells_its_key(name, tonic):
    """Given a known tune without accompaniment, when its key is estimated, then it is the one it is sung in."""
    mode, text = TUNES[name]
    found = analyse(estimate_key, sung(text, tonic))
    assert (found.tonic, found.mode) == (PITCH_CLASSES[tonic], mode)
    assert [(span.tonic, span.mode) for span in found.spans] == [(found.tonic, found.mode)]


def test_a_piece_that_begins_in_the_relative_major_is_in_the_key_that_it_closes_in():
    """Given a phrase in A major, then two that close in F sharp minor, the last one held, then that is its key."""
    major = [(45, 57, 61, 64), (40, 56, 59, 64), (45, 57, 61, 64), (38, 57, 62, 66), (40, 56, 59, 64), (45, 57, 61, 64)]
    minor = [(42, 57, 61, 66), (47, 59, 62, 66), (37, 56, 61, 65), (42, 57, 61, 66)]
    rows = [(pitches, 0.7) for pitches in major + minor + minor[:-1]] + [((42, 57, 61, 66), 2.0)]
    parts = [chord(list(pitches), length_s) for pitches, length_s in rows]
    found = analyse(estimate_key, Signal(np.concatenate(parts)[None].astype(np.float32), 44_100))
    assert (found.tonic, found.mode) == ("F#", "minor")
