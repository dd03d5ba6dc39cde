"""Write bass, chords and drums to what was heard in a recording: its beats, key and chords."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydantic import JsonValue

from domain import ids
from domain.ids import ProjectId
from domain.parameters import ACCOMPANIMENT_PARAMETERS, validate
from domain.ports import Blobs
from domain.values import Metadata
from events.generations import AccompanimentRequested, MidiGenerated
from processors.generation.grid import Grid, find_downbeat, lay_beats
from processors.generation.harmony import harmonies, tonic_harmony
from processors.generation.parts import Plan, Played, held_until, write_bass, write_chords, write_drums
from processors.generation.patterns import STYLES
from processors.handler import processor
from processors.midi.notes import DRUM_CHANNEL, Notes, make_notes, read_midi, write_midi

ACCOMPANIMENT_CARD: Metadata = {
    "summary": "Writes bass, voice-led chords and drums as MIDI onto the beats and chords of a recording.",
    "kind": "algorithm",
    "task": "accompaniment",
    "made_by": "Disco Musica",
    "licence": "Apache-2.0",
    "trained_on": [],
    "limits": "Four styles, bars of four beats; it follows the beats and chords it is given, right or wrong.",
}
TRIPLET = 2 / 3
SHORTEST_S = 0.03


@processor("1")
def write_accompaniment(event: AccompanimentRequested, blobs: Blobs) -> MidiGenerated:
    """Write the accompaniment that was asked for as a MIDI file."""
    data = write_midi(accompany(event))
    content = blobs.put(data, "audio/midi")
    return MidiGenerated(
        asset_id=ids.asset_id(ProjectId(event.project_id), content.sha256),
        project_id=event.project_id,
        container_id=event.container_id,
        name=event.name,
        content=content,
        facts=read_midi(data).facts,
        generation_id=event.generation_id,
        source_ids=(event.asset_id,),
    )


def accompany(event: AccompanimentRequested) -> Notes:
    """Compose the notes: bass on channel 1, chords on 2, drums on 10, as musicians count.

    The same request gives the same notes on every machine; the tempo map has every beat at its time.
    Raises: Malformed, for a parameter, key or chord label that is none; LimitExceeded, above six hours.
    """
    set_to = validate(ACCOMPANIMENT_PARAMETERS, event.parameters)
    style = STYLES[str(set_to["style"])]
    beats_s = lay_beats(event.beats_s, event.duration_s)
    chords = harmonies(event.chords, list(beats_s), otherwise=tonic_harmony(event.tonic, event.mode))
    grid = Grid(beats_s, find_downbeat(chords))
    tempos, metres = grid.tempos()
    if not chords:
        return make_notes([], metres=metres)
    random = np.random.Generator(np.random.PCG64(event.seed % 2**64))
    plan = Plan(chords, held_until(chords), grid.downbeat, style, _number(set_to["density"]))
    table = np.array(
        [
            *_at_level(write_bass(plan), _number(set_to["bass_level"])),
            *_at_level(write_chords(plan), _number(set_to["chords_level"])),
            *_at_level(write_drums(plan, random), _number(set_to["drums_level"])),
        ],
        dtype=np.float64,
    ).reshape(-1, len(Played._fields))
    swing = max(style.swing, _number(set_to["swing"]))
    timed = _in_time(table, grid, swing=swing, end_s=event.duration_s)
    timed = _humanised(timed, random, _number(set_to["humanise_ms"]) / 1000, end_s=event.duration_s)
    return make_notes(timed, tempos=tempos, metres=metres)


def _number(value: JsonValue) -> float:
    assert isinstance(value, float)  # noqa: S101  # `validate` gives every number as float
    return value


def _at_level(played: Iterable[Played], level: float) -> list[Played]:
    """The part with its velocities at a level; none of it at 0."""
    notes = list(played)  # drawn even if it is silent, so that a level changes nothing in the other parts
    if level == 0:
        return []
    return [note._replace(velocity=min(127.0, max(1.0, note.velocity * (0.25 + 0.94 * level)))) for note in notes]


def _in_time(table: np.ndarray, grid: Grid, *, swing: float, end_s: float) -> np.ndarray:
    """From beats to seconds, off-beats swung; returns the columns of `Note`, none that begins at or behind the end."""
    at, length, pitch, velocity, channel, program = table.T
    start_s = grid.seconds(swung(at, swing))
    stop_s = np.minimum(grid.seconds(swung(at + length, swing)), end_s)
    drums = channel == DRUM_CHANNEL
    timed = np.stack([start_s, stop_s, pitch, velocity, channel, program, drums], axis=1)
    kept: np.ndarray = timed[start_s < end_s - SHORTEST_S]
    return kept


def swung(beats: np.ndarray, swing: float) -> np.ndarray:
    """Move the middle of each beat later, at 1 to its last third, and what lies around it in proportion."""
    whole = np.floor(beats)
    part = beats - whole
    middle = 0.5 + (TRIPLET - 0.5) * swing
    moved = np.where(part < 0.5, part * middle / 0.5, middle + (part - 0.5) * (1 - middle) / 0.5)
    return np.asarray(whole + moved)


def _humanised(timed: np.ndarray, random: np.random.Generator, most_s: float, *, end_s: float) -> np.ndarray:
    """Move each note by up to `most_s` and its velocity by up to four; notes stay within the piece."""
    ways = random.random((len(timed), 2)) * 2 - 1
    moved: np.ndarray = timed.copy()
    moved[:, 0] = np.clip(timed[:, 0] + ways[:, 0] * most_s, 0.0, end_s)
    moved[:, 1] = np.minimum(np.maximum(timed[:, 1], moved[:, 0] + SHORTEST_S), max(end_s, 0.0))
    moved[:, 3] = np.clip(np.rint(timed[:, 3] + ways[:, 1] * (4 if most_s else 0)), 1, 127)
    return _apart(moved)


def _apart(timed: np.ndarray) -> np.ndarray:
    """End each note before the same key of its channel is struck again."""
    order = np.lexsort((timed[:, 0], timed[:, 2], timed[:, 4]))
    ordered: np.ndarray = timed[order]
    same = np.all(ordered[1:, [2, 4]] == ordered[:-1, [2, 4]], axis=1)
    ordered[:-1, 1] = np.where(same, np.minimum(ordered[:-1, 1], ordered[1:, 0]), ordered[:-1, 1])
    return ordered
