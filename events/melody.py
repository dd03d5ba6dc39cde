"""Melody and notes: the pitch of a voice or of the tune in a mix, and notes written down from sound."""

from __future__ import annotations

from typing import ClassVar, Literal

from domain.values import Blob, NoteFacts
from events.analyses import Analysis, Confidence


class MelodyTracked(Analysis):
    """The pitch of one voice, or of the tune in a mix; nulls where there is none.

    The blob is .npz: `hz` and `voicing` (0 to 1, sounding from 0.5 on), a value each 10 ms, float32; of the line's
    notes `note_start_s`, `note_end_s`, `note_pitch` and `note_confidence`. Pitches count as MIDI does, with fractions;
    lowest and highest leave out 2 % of the time at either end. leaps and glides: how notes follow each other without a
    rest. vibrato_hz and vibrato_cents (to either side): the median over the notes that have one.
    """

    TYPE: ClassVar[str] = "disco.melody.tracked"
    KIND: ClassVar[str] = "melody"
    FACTS: ClassVar[tuple[str, ...]] = (
        "material",
        "voiced_share",
        "lowest_pitch",
        "median_pitch",
        "highest_pitch",
        "notes",
        "vibrato_hz",
        "vibrato_cents",
        "confidence",
    )
    material: Literal["voice", "mix"] | None
    frames: Blob
    frame_rate_hz: float
    voiced_share: Confidence
    lowest_pitch: float | None
    median_pitch: float | None
    highest_pitch: float | None
    notes: int
    leaps: int
    glides: int
    vibrato_notes: int
    vibrato_hz: float | None
    vibrato_cents: float | None
    confidence: Confidence


class NotesTranscribed(Analysis):
    """Notes written down from sound; nulls where there is none.

    midi: a standard MIDI file of them, at 120 bpm; facts: what it holds. table: .npz with `start_s`, `end_s`, `pitch`,
    `velocity` and `confidence`, shape (notes,), in order of start.
    """

    TYPE: ClassVar[str] = "disco.notes.transcribed"
    KIND: ClassVar[str] = "transcription"
    FACTS: ClassVar[tuple[str, ...]] = ("notes", "notes_per_s", "lowest_pitch", "highest_pitch", "confidence")
    SERIES: ClassVar[dict[str, str]] = {"notes_per_s": "notes_per_s"}
    midi: Blob
    facts: NoteFacts
    table: Blob
    notes: int
    notes_per_s: float
    lowest_pitch: int | None
    highest_pitch: int | None
    greatest_polyphony: int
    confidence: Confidence
