"""Notes written down from sound: proposed by a network's posteriors, believed by what was heard of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.ports import Blobs
from events.imports import AudioAdded
from events.melody import NotesTranscribed
from processors.audio.arrays import NPZ, to_npz
from processors.audio.signal import Signal
from processors.handler import processor
from processors.melody.voice import levels_db
from processors.midi.describe import greatest_polyphony
from processors.midi.notes import make_notes, write_midi
from processors.transcription.belief import heard, trees
from processors.transcription.posteriors import FRAME_RATE_HZ, LOWEST, SCALE, Posteriors, posteriors_of

LEAST_BEGINNING, LEAST_SOUNDING = 0.15, 0.25
PATIENCE, SHORTEST = 6, 4
BELIEVED = 0.4
"""From which probability on a note is told. Source: half of the F to be had (Lipton, Elkan & Naryanaswamy 2014)."""
_QUIETEST_DB = -80.0
_EARLY_S = 0.008
"""By how much the network sees a beginning too late."""
_APART_S = 0.05
_LET_GO = 0.7


@dataclass(frozen=True, slots=True)
class Written:
    """Notes in order of start: seconds, MIDI pitch, velocity 1 to 127, confidence 0 to 1; shape (notes,) each."""

    start_s: np.ndarray
    end_s: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray
    confidence: np.ndarray


NOTHING = Written(np.zeros(0), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def proposals(signal: Signal) -> tuple[np.ndarray, np.ndarray]:
    """Return notes that may be there, shape (notes, 3), and all that speaks for each, shape (notes, features)."""
    from processors.transcription.candidates import described, proposed

    found = signal.once(posteriors_of)
    notes = proposed(
        found.sounding,
        found.beginning,
        round(LEAST_BEGINNING * SCALE),
        round(LEAST_SOUNDING * SCALE),
        PATIENCE,
        SHORTEST,
    )
    told = described(found.sounding, found.beginning, notes)
    return notes, np.concatenate([told, heard(signal, notes)], axis=1)


def written(signal: Signal) -> Written:
    """Write down the notes of a signal; none in silence."""
    if signal.once(levels_db).max(initial=-120.0) < _QUIETEST_DB:
        return NOTHING
    notes, told = proposals(signal)
    if not len(notes):
        return NOTHING
    sure = trees().probability(told)
    kept, behind = _held(notes, sure)
    notes, sure, told = notes[kept], sure[kept], told[kept]
    notes[:, 2] = [_end(signal.once(posteriors_of), key, a, b) for (key, a, _), b in zip(notes, behind, strict=True)]
    order = np.lexsort((notes[:, 0], notes[:, 1]))
    notes, sure, told = notes[order], sure[order], told[order]
    start_s = np.maximum(0, notes[:, 1] / FRAME_RATE_HZ - _EARLY_S)
    end_s = np.minimum(np.maximum(notes[:, 2] / FRAME_RATE_HZ, start_s + 0.02), max(signal.duration_s, 0.02))
    velocity = np.clip(np.rint(30 + 97 * told[:, 2]), 1, 127).astype(np.int64)
    return Written(np.minimum(start_s, end_s), end_s, notes[:, 0] + LOWEST, velocity, sure)


def _end(found: Posteriors, key: int, first: int, behind: int) -> int:
    """Return where a note is let go: where it falls for good below seven tenths of what it mostly is."""
    line = found.sounding[first:behind, key]
    loud = np.flatnonzero(line >= _LET_GO * np.median(line))
    return first + int(loud[-1]) + 1 if len(loud) else behind


def _held(notes: np.ndarray, sure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which notes are believed, and the frame behind the last of each.

    Of those of a key that begin within 50 ms the surest; what is not believed to begin anew holds the note before on.
    """
    kept: list[int] = []
    ends: list[int] = []
    for place in np.lexsort((notes[:, 1], notes[:, 0])):
        key, start, behind = notes[place]
        same = bool(kept) and notes[kept[-1], 0] == key
        near = same and (start - notes[kept[-1], 1]) / FRAME_RATE_HZ < _APART_S
        if sure[place] >= BELIEVED and not near:
            kept.append(int(place))
            ends.append(int(behind))
        elif same and start - ends[-1] <= PATIENCE + 1:
            ends[-1] = max(ends[-1], int(behind))
            if near and sure[place] > sure[kept[-1]]:
                kept[-1] = int(place)
    return np.array(kept, np.int64), np.array(ends, np.int64)


@processor("1")
def transcribe_notes(event: AudioAdded, signal: Signal, blobs: Blobs) -> NotesTranscribed:
    """Write the notes down as MIDI, with how surely each was heard."""
    found = signal.once(written)
    count = len(found.pitch)
    columns = [found.start_s, found.end_s, found.pitch, found.velocity]
    notes = make_notes(np.stack([*columns, *np.zeros((3, count))], axis=1))
    names = ("start_s", "end_s", "pitch", "velocity", "confidence")
    table = {name: np.asarray(getattr(found, name), np.float32) for name in names}
    return NotesTranscribed(
        asset_id=event.asset_id,
        parameters={"network": "basic-pitch icassp 2022", "believed": BELIEVED},
        midi=blobs.put(write_midi(notes), "audio/midi"),
        facts=notes.facts,
        table=blobs.put(to_npz(table), NPZ),
        notes=count,
        notes_per_s=round(count / signal.duration_s, 3),
        lowest_pitch=int(found.pitch.min()) if count else None,
        highest_pitch=int(found.pitch.max()) if count else None,
        greatest_polyphony=greatest_polyphony(notes),
        confidence=round(float(found.confidence.mean()), 3) if count else 0.0,
    )
