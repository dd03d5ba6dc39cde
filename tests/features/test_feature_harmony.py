"""From a recording to what is said of its harmony, live and after a replay."""

from __future__ import annotations

import numpy as np

from events.harmony import ChordsEstimated, HarmonyAnalysed, KeyEstimated
from tests.given import Given

RATE_HZ = 44_100
CADENCE = ((43, 58, 62, 65), (48, 58, 64, 67), (41, 60, 65, 69), (41, 60, 65, 69))
"""ii7, V7, I in F major, the tonic held."""


def _played(pitches: tuple[int, ...]) -> np.ndarray:
    """A second of plucked notes with overtones, shape (frames,)."""
    times = np.arange(RATE_HZ) / RATE_HZ
    hz = [440 * 2 ** ((pitch - 69) / 12) for pitch in pitches]
    notes = sum(0.6**k * np.sin(2 * np.pi * f * (k + 1) * times + k) for f in hz for k in range(6))
    return np.asarray(0.05 * np.minimum(1, times / 0.01) * np.exp(-times) * notes)


def test_a_cadence_is_heard_as_key_chords_and_numerals_live_and_after_a_replay(disco: Given) -> None:
    """Given ii7-V7-I in F, when imported, then key, chords, numerals and cadence say so, live and after a replay."""
    asset = disco.given_audio(np.concatenate([_played(pitches) for pitches in CADENCE]))
    disco.settled()
    for again in (disco, disco.replayed()):
        found = again.service.views.documents.get(asset)["analyses"]
        assert (found["key"]["tonic"], found["key"]["mode"]) == ("F", "major")
        assert abs(found["key"]["tuning_cents"]) < 3
        assert found["harmony"]["cadence_count"] == 1
        said = {type(each.data): each.data for each in again.service.log.about(asset)}
        chords, harmony, key = said[ChordsEstimated], said[HarmonyAnalysed], said[KeyEstimated]
        assert isinstance(chords, ChordsEstimated)
        assert isinstance(harmony, HarmonyAnalysed)
        assert isinstance(key, KeyEstimated)
        assert chords.line.labels == ("G:min7", "C:7", "F:maj")
        assert harmony.numerals == ("ii7", "V7", "I")
        assert harmony.functions == ("S", "D", "T")
        assert [(each.kind, each.chord) for each in harmony.cadences] == [("authentic", 2)]
        assert [(span.tonic, span.mode) for span in key.spans] == [("F", "major")]
