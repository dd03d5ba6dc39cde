"""What a MIDI file or score holds, in numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from domain.ports import Blobs
from events.analyses import NotesDescribed
from events.imports import NotesAdded
from processors.handler import processor
from processors.midi.notes import Notes, load_notes


@processor("1")
def describe_notes(event: NotesAdded, blobs: Blobs) -> NotesDescribed:
    """Count and measure the notes of an asset."""
    notes = load_notes(event, blobs)
    duration_s = notes.duration_s
    some = len(notes) > 0
    tempo = longest([tempo.start_s for tempo in notes.tempos], duration_s)
    metre = longest([metre.start_s for metre in notes.metres], duration_s)
    return NotesDescribed(
        asset_id=event.asset_id,
        notes=len(notes),
        duration_s=duration_s,
        tempo_bpm=notes.tempos[tempo].bpm if some and tempo is not None else None,
        metre="{1}/{2}".format(*notes.metres[metre]) if metre is not None else None,
        lowest_pitch=int(notes.pitch[~notes.is_drum].min()) if (~notes.is_drum).any() else None,
        highest_pitch=int(notes.pitch[~notes.is_drum].max()) if (~notes.is_drum).any() else None,
        notes_per_s=len(notes) / duration_s if duration_s > 0 else 0.0,
        greatest_polyphony=greatest_polyphony(notes),
        programs=tuple(int(program) for program in np.unique(notes.program[~notes.is_drum])),
    )


def longest(starts_s: Sequence[float], end_s: float) -> int | None:
    """The index of the stretch that lasts longest, the first of equals; None without any."""
    if not starts_s:
        return None
    lengths = np.diff(np.minimum([*starts_s, end_s], end_s))
    return int(np.argmax(lengths))


def greatest_polyphony(notes: Notes) -> int:
    """How many notes sound at once at most; one that ends where another starts is over, and drums count."""
    times = np.concatenate([notes.end_s, notes.start_s])
    steps = np.repeat([-1, 1], len(notes))
    starts = np.repeat([0, 1], len(notes))
    return int(np.cumsum(steps[np.lexsort((starts, times))]).max(initial=0))
