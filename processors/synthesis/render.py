"""Play notes with the built-in instrument."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import soundfile

from domain import ids
from domain.errors import LimitExceeded
from domain.ids import ProjectId
from domain.ports import Blobs
from domain.values import AudioFacts, Metadata, suffixed
from events.generations import AudioRendered
from events.imports import NotesAdded
from processors.handler import processor
from processors.midi.notes import Notes, load_notes
from processors.synthesis.drums import CLOSED_HATS, OPEN_HATS, drum
from processors.synthesis.levels import levelled
from processors.synthesis.timbres import RATE_HZ, Timbre, ramp, ringing_s, timbre_of, voice

INSTRUMENT_MODEL = ("built-in instrument", "1")
INSTRUMENT_CARD: Metadata = {
    "summary": "Plays MIDI files and scores: wavetables of band-limited partials and a synthesised drum kit.",
    "kind": "algorithm",
    "task": "notes to audio",
    "made_by": "Disco Musica",
    "licence": "Apache-2.0",
    "trained_on": [],
    "limits": "About a dozen timbres for the 128 General MIDI programs; no room, vibrato or pitch bend; 30 minutes.",
}
LONGEST_S = 30 * 60.0
SILENCE_S = 1.0
TAIL_S = 0.05
LOUD_DBFS = -17.0
CEILING_DBTP = -1.2
_LAYER_EDGES = (45, 90)
_LAYERS = (0.3, 0.6, 0.9)
_PANS = (0.0, -0.2, 0.2, -0.35, 0.35, -0.1, 0.1, -0.45, 0.45, 0.0, -0.28, 0.28, -0.15, 0.15, -0.4, 0.4)


@processor("1")
def render_notes(event: NotesAdded, blobs: Blobs) -> AudioRendered:
    """Play the notes of an asset to a 44.1 kHz stereo FLAC; one without notes gives a second of silence."""
    audio = play(load_notes(event, blobs))
    content = blobs.put(to_flac(audio), "audio/flac")
    return AudioRendered(
        asset_id=ids.asset_id(ProjectId(event.project_id), content.sha256),
        project_id=event.project_id,
        container_id=event.container_id,
        name=suffixed(event.name, " (rendered)"),
        content=content,
        facts=AudioFacts(container="flac", encoding="pcm_16", rate_hz=RATE_HZ, channels=2, frames=audio.shape[1]),
        source_id=event.asset_id,
        model_version_id=ids.model_version_id(*INSTRUMENT_MODEL),
    )


def play(notes: Notes) -> np.ndarray:
    """Return the sound of the notes, shape (2, frames), float32.

    Its true peak is below -1 dBTP and its louder passages are near -17 dBFS, so velocities count beside each other.
    The first frame is 0 s. Raises: LimitExceeded, above half an hour.
    """
    if notes.duration_s > LONGEST_S:
        raise LimitExceeded(
            f"the notes last {notes.duration_s:.0f} s; at most {LONGEST_S:.0f} s are rendered, so cut them into parts",
            limit=LONGEST_S,
        )
    if not len(notes):
        return np.zeros((2, int(SILENCE_S * RATE_HZ)), dtype=np.float32)
    ends = _sounding_until(notes)
    mix = np.zeros((2, int((ends.max() + TAIL_S) * RATE_HZ)), dtype=np.float32)
    for group in _groups(notes):
        (_play_drum if notes.is_drum[group[0]] else _play_pitch)(mix, notes, group, ends)
    return levelled(mix, rate_hz=RATE_HZ, loud_dbfs=LOUD_DBFS, ceiling_dbtp=CEILING_DBTP)


def to_flac(audio: np.ndarray) -> bytes:
    """16-bit FLAC of (channels, frames); the same samples give the same bytes."""
    out = io.BytesIO()
    soundfile.write(out, np.rint(audio.T * 32767).astype(np.int16), RATE_HZ, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def _sounding_until(notes: Notes) -> np.ndarray:
    """When each note has died away; an open hat is closed by the next closed one."""
    ends = notes.end_s.copy()
    for index in np.flatnonzero(~notes.is_drum):
        timbre, pitch = timbre_of(int(notes.program[index])), int(notes.pitch[index])
        ends[index] = min(ends[index], notes.start_s[index] + ringing_s(timbre, pitch)) + timbre.release_s
    for pitch in np.unique(notes.pitch[notes.is_drum]):
        of = notes.is_drum & (notes.pitch == pitch)
        ends[of] = notes.start_s[of] + len(drum(int(pitch))) / RATE_HZ
    closing = np.append(notes.start_s[notes.is_drum & np.isin(notes.pitch, CLOSED_HATS)], np.inf)
    opened = notes.is_drum & np.isin(notes.pitch, OPEN_HATS)
    closed = closing[np.searchsorted(closing, notes.start_s[opened], side="right")]
    ends[opened] = np.minimum(ends[opened], closed + 0.01)
    return ends


def _groups(notes: Notes) -> Iterator[np.ndarray]:
    """Indices of notes that share one voice, so that each voice is made once and only one lives at a time."""
    layer = np.digitize(notes.velocity, _LAYER_EDGES)
    pitched = ~notes.is_drum
    key = np.stack([notes.is_drum, notes.program * pitched, notes.pitch, layer * pitched])
    _, group = np.unique(key, axis=1, return_inverse=True)
    order = np.argsort(group, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def _play_pitch(mix: np.ndarray, notes: Notes, group: np.ndarray, ends: np.ndarray) -> None:
    first = group[0]
    timbre, pitch = timbre_of(int(notes.program[first])), int(notes.pitch[first])
    loudness = _LAYERS[int(np.digitize(notes.velocity[first], (45, 90)))]
    longest = int(np.ceil((ends[group] - notes.start_s[group]).max() * RATE_HZ)) + 1
    sound = voice(timbre, pitch, loudness=loudness, frames=longest)
    release = ramp(int(timbre.release_s * RATE_HZ))[::-1]
    for index in group:
        frames = round((ends[index] - notes.start_s[index]) * RATE_HZ)
        pan = _PANS[notes.channel[index]] + (pitch - 60) / 240
        _add(mix, sound[:frames], release, start_s=notes.start_s[index], gain=_gain(timbre, notes, index), pan=pan)


def _play_drum(mix: np.ndarray, notes: Notes, group: np.ndarray, ends: np.ndarray) -> None:
    pitch = int(notes.pitch[group[0]])
    sound = drum(pitch)
    release = ramp(RATE_HZ // 100)[::-1]
    pan = 0.0 if pitch < 39 else ((pitch * 7) % 11 - 5) / 14
    for index in group:
        frames = round((ends[index] - notes.start_s[index]) * RATE_HZ)
        _add(mix, sound[:frames], release, start_s=notes.start_s[index], gain=_loudness(notes, index), pan=pan)


def _loudness(notes: Notes, index: int) -> float:
    return float((notes.velocity[index] / 127) ** 1.6)


def _gain(timbre: Timbre, notes: Notes, index: int) -> float:
    """Low notes need more level than high ones to be as loud; below C6 it is little."""
    return timbre.gain * _loudness(notes, index) * float(min(1.0, 2.0 ** ((84 - notes.pitch[index]) / 24)))


def _add(mix: np.ndarray, sound: np.ndarray, release: np.ndarray, *, start_s: float, gain: float, pan: float) -> None:
    """Mix in a sound whose last frames are faded out; pan from -1, left, to 1, of constant power."""
    begin = round(start_s * RATE_HZ)
    frames = min(len(sound), mix.shape[1] - begin)
    held = max(frames - len(release), 0)
    tail = sound[held:frames] * release[len(release) - (frames - held) :]
    angle = (np.clip(pan, -1, 1) + 1) * np.pi / 4
    for channel, share in zip(mix, (np.cos(angle), np.sin(angle)), strict=True):
        level = np.float32(gain * share * 2**0.5)
        channel[begin : begin + held] += level * sound[:held]
        channel[begin + held : begin + frames] += level * tail
