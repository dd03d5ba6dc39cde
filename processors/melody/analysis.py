"""What is said of the melody, and the one function that others hear it by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.ports import Blobs
from events.imports import AudioAdded
from events.melody import MelodyTracked
from processors.audio.arrays import NPZ, to_npz
from processors.audio.signal import Signal
from processors.handler import processor
from processors.melody.lead import lead_of
from processors.melody.phrases import Sung, notes_of
from processors.melody.tune import Tune, tune_of
from processors.melody.voice import RATE_HZ, levels_db, voice_of

_QUIETEST_DB = -80.0
_HEARD_DB = 35.0
_ALONE = 0.8
_LEAST_VOICED_S = 0.1


@dataclass(frozen=True, slots=True)
class Melody:
    """A line every 10 ms from 0 s on: Hz, 0 where nothing can be told, and how probably it sounds; shape (frames,).

    alone: whether one voice makes up the sound. notes: what the line is made of. confidence: 0 to 1.
    """

    hz: np.ndarray
    voicing: np.ndarray
    alone: bool
    notes: tuple[Sung, ...]
    confidence: float

    @property
    def voiced(self) -> np.ndarray:
        """Where it sounds."""
        return np.asarray((self.voicing >= 0.5) & (self.hz > 0))


def melody_of(signal: Signal) -> Melody:
    """Hear the pitch of one voice, or the tune of a mix; nothing where no pitch stays."""
    level_db = signal.once(levels_db)
    silent = Melody(np.zeros(len(level_db)), np.zeros(len(level_db)), False, (), 0.0)
    if not len(level_db) or level_db.max() < _QUIETEST_DB:
        return silent
    tune = signal.once(tune_of)
    alone = is_alone(tune)
    hz, voicing = voice_of(signal) if alone else lead_of(signal)
    if not len(hz):
        return silent
    notes = notes_of(hz, voicing, level_db)
    voiced = (voicing >= 0.5) & (hz > 0)
    if np.count_nonzero(voiced) < _LEAST_VOICED_S * RATE_HZ or not notes:
        return Melody(hz, voicing, alone, (), 0.0)
    return Melody(hz, voicing, alone, tuple(notes), float(voicing[voiced].mean()))


def is_alone(tune: Tune) -> bool:
    """Tell whether the harmonics of one line have nearly all the power, half of the time that anything is heard."""
    heard = tune.level > tune.level.max(initial=0.0) * 10 ** (-_HEARD_DB / 20)
    return bool(heard.any()) and float(np.median(tune.share[heard])) >= _ALONE


@processor("1")
def track_melody(event: AudioAdded, signal: Signal, blobs: Blobs) -> MelodyTracked:
    """Track the melody and tell its range, notes and vibrato."""
    found = signal.once(melody_of)
    pitches = 69 + 12 * np.log2(found.hz[found.voiced] / 440)
    sung = [note.vibrato for note in found.notes if note.vibrato]
    table = {"hz": found.hz.astype(np.float32), "voicing": found.voicing.astype(np.float32), **_table(found.notes)}
    low, middle, high = np.percentile(pitches, (2, 50, 98)).round(2).tolist() if len(pitches) else (None, None, None)
    return MelodyTracked(
        asset_id=event.asset_id,
        parameters={"alone_from": _ALONE, "lines": "swift-f0" if found.alone else "lead"},
        material=("voice" if found.alone else "mix") if found.notes else None,
        frames=blobs.put(to_npz(table), NPZ),
        frame_rate_hz=RATE_HZ,
        voiced_share=round(float(found.voiced.mean()), 3) if len(found.hz) else 0.0,
        lowest_pitch=low,
        median_pitch=middle,
        highest_pitch=high,
        notes=len(found.notes),
        leaps=sum(note.reached == "leap" for note in found.notes),
        glides=sum(note.reached == "glide" for note in found.notes),
        vibrato_notes=len(sung),
        vibrato_hz=round(float(np.median([one.rate_hz for one in sung])), 2) if sung else None,
        vibrato_cents=round(float(np.median([one.extent_cents for one in sung])), 1) if sung else None,
        confidence=round(found.confidence, 3),
    )


def _table(notes: tuple[Sung, ...]) -> dict[str, np.ndarray]:
    """The notes as columns."""
    rows = np.array([(n.start_s, n.end_s, n.pitch, n.confidence) for n in notes], np.float32).reshape(-1, 4)
    names = ("note_start_s", "note_end_s", "note_pitch", "note_confidence")
    return dict(zip(names, rows.T, strict=True))
