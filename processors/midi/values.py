"""The musical value that crafts hand each other: notes in seconds, with the tempo and metre they were written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from domain.values import NoteFacts

STANDARD_BPM = 120.0
"""What a MIDI file is in before it says a tempo. Source: Standard MIDI Files 1.0."""
DRUM_CHANNEL = 9
"""Channel 10 as musicians count. Source: General MIDI 1."""


class Tempo(NamedTuple):
    """From `start_s` on, so many quarter notes a minute."""

    start_s: float
    bpm: float


class Metre(NamedTuple):
    """From `start_s` on, bars of so many beats of such a note value."""

    start_s: float
    beats: int
    unit: int


class Note(NamedTuple):
    """One note, for those who write notes one by one."""

    start_s: float
    end_s: float
    pitch: int
    velocity: int
    channel: int = 0
    program: int = 0
    is_drum: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Notes:
    """Notes in order of start, then pitch; every array has shape (notes,).

    start_s, end_s: float64 seconds, 0 <= start_s <= end_s; end_s is where the sound is let go, pedal included.
    pitch: MIDI number, 0 to 127. velocity: 1 to 127. channel: 0 to 15. program: General MIDI, 0 to 127.
    tempos begin at 0 s and are never empty; metres are empty where none was written.
    format: what it was read from ("midi 1", "musicxml"). tracks: how many of its tracks or parts hold notes.
    """

    start_s: np.ndarray
    end_s: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray
    channel: np.ndarray
    program: np.ndarray
    is_drum: np.ndarray
    tempos: tuple[Tempo, ...] = (Tempo(0.0, STANDARD_BPM),)
    metres: tuple[Metre, ...] = ()
    format: str = "midi 1"
    tracks: int = 0

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def duration_s(self) -> float:
        """Where the last note ends, 0 without notes."""
        return float(self.end_s.max(initial=0.0))

    @property
    def facts(self) -> NoteFacts:
        """What an event says of them."""
        return NoteFacts(format=self.format, notes=len(self), tracks=self.tracks, duration_s=self.duration_s)


def make_notes(
    notes: Sequence[Note] | np.ndarray,
    *,
    tempos: Sequence[Tempo] = (),
    metres: Sequence[Metre] = (),
    format: str = "midi 1",
    tracks: int | None = None,
) -> Notes:
    """Return the notes in order; `notes` may be an array of shape (notes, 7) with the columns of `Note`.

    tracks: counted by channel where it is not given.
    """
    table = np.asarray(notes, dtype=np.float64).reshape(-1, len(Note._fields))
    order = np.lexsort((table[:, 4], table[:, 2], table[:, 0]))
    start, end, pitch, velocity, channel, program, drum = table[order].T.copy()
    return Notes(
        start_s=start,
        end_s=end,
        pitch=pitch.astype(np.int16),
        velocity=velocity.astype(np.int16),
        channel=channel.astype(np.int16),
        program=program.astype(np.int16),
        is_drum=drum.astype(bool),
        tempos=_from_zero(tempos),
        metres=tuple(metres),
        format=format,
        tracks=len(np.unique(channel)) if tracks is None else tracks,
    )


def _from_zero(tempos: Sequence[Tempo]) -> tuple[Tempo, ...]:
    if not tempos or tempos[0].start_s > 0:
        return (Tempo(0.0, STANDARD_BPM), *tempos)
    return tuple(tempos)
